"""Builds all images and runs compose.yaml's services from them, without a container engine: `make images-proof`.

buildah builds the Dockerfiles of the last commit on a base that debootstrap makes. runc, the runtime below Docker and
containerd, runs each service in namespaces of its own with the command, environment, user, secrets and limits of
compose.yaml. Then a photo and a job go through, and each service is stopped. Needs root, Debian 12, 15 GB of disk and a
quarter of an hour. What this shows and what not: docs/containers.md.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tools.containers.backing import NAMES, Backing
from tools.containers.container import Container, Place
from tools.containers.images import SERVICES, Images
from tools.containers.network import Network

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_PROGRAMS: Final = ("buildah", "debootstrap", "runc", "ip", "nats-server", "setpriv")
_ORDER: Final = ("segmenter", "compositor", "validator", "topology", "migration", "gateway", "worker")
_ONCE: Final = ("topology", "migration")
_START_S: Final = 120.0
# What only building needs, or is left of it.
_UNWANTED: Final = (
    "**/site-packages/pip",
    "**/site-packages/setuptools",
    "**/ensurepip",
    "usr/bin/*gcc*",
    "usr/bin/*g++*",
    "usr/bin/make",
    "usr/bin/git",
    "root/.cache",
    "tmp/*",
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "build",
    "src",
    "dist",
    "etc/pip.conf",
    "**/services/*/training",
    "**/site-packages/tests",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when everything was as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tools.containers.proof", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/packshot-proof"), help="default: %(default)s")  # noqa: S108
    parser.add_argument("--keep", action="store_true", help="keep the folder, with images and logs")
    arguments = parser.parse_args(argv)
    _require()
    folder: Path = arguments.folder
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # the container's user passes through it
    images = Images(folder)
    try:
        _build(images, folder / "source")
        with _stack(images, folder) as (network, containers):
            _prove_photos(network, containers, folder)
            _prove_model_repository(containers["segmenter"])
            _prove_stop(containers)
    finally:
        images.forget_containers()
        if not arguments.keep:
            shutil.rmtree(folder)
    return 0


def _require() -> None:
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        raise SystemExit(
            f"missing: {', '.join(missing)}; apt-get install buildah debootstrap runc iproute2 nats-server"
        )
    if os.geteuid() != 0:
        raise SystemExit("needs root: it makes namespaces")


def _build(images: Images, source: Path) -> None:
    revision = _git("rev-parse", "HEAD").strip()
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], check=True, capture_output=True, cwd=_REPOSITORY).stdout
    subprocess.run(["tar", "-x", "-C", str(source)], check=True, input=archive)
    images.make_base()
    with ThreadPoolExecutor(len(SERVICES)) as builders:
        list(builders.map(lambda service: images.build(service, source, revision), SERVICES))
    print(f"{'image':<22}{'MB':>6}  of which packages")
    for service in SERVICES:
        _check_image(images, service, revision)
    images.forget_containers()


def _check_image(images: Images, service: str, revision: str) -> None:
    config, root = images.config(service), images.root(service)
    labels = config["Labels"]
    _expect(config["User"] == "65532:65532", f"{service}: user {config['User']}")
    _expect(labels["org.opencontainers.image.revision"] == revision, f"{service}: labels {labels}")
    _expect(labels["org.opencontainers.image.title"] == f"packshot-{service}", f"{service}: labels {labels}")
    _expect(config["Healthcheck"]["Test"][0] == "CMD", f"{service}: no health check")
    unwanted = [path.relative_to(root) for pattern in _UNWANTED for path in root.glob(pattern)]
    _expect(not unwanted, f"{service}: {unwanted} must not be in the image")
    installed = next(root.glob("opt/packshot/lib/python3.*/site-packages/services"))
    others = {path.name for path in installed.iterdir() if path.is_dir()} - {"common", service, "__pycache__"}
    _expect(not others, f"{service}: has {others} of the services")
    print(f"packshot-{service:<13}{_size_mb(root):>6}  {_size_mb(root / 'opt'):>6}", flush=True)


@contextmanager
def _stack(images: Images, folder: Path) -> Iterator[tuple[Network, dict[str, Container]]]:
    """compose.yaml's services, all healthy."""
    compose: dict[str, Any] = yaml.safe_load((folder / "source/compose.yaml").read_text())["services"]
    running = folder / "running"
    shutil.rmtree(running, ignore_errors=True)
    running.mkdir()
    secrets = running / "secrets"
    subprocess.run([str(folder / "source/tools/containers/secrets.sh"), str(secrets)], check=True)
    network = Network(running)
    with ExitStack() as until_end:
        until_end.callback(network.stop)
        network.start()
        network.add_to_hub(*NAMES)
        backing = Backing(running / "backing", secrets, network)
        until_end.callback(backing.stop)
        backing.start(folder / "source/deploy/containers/nats.conf")
        networks = {name: network.add(name) for name in _ORDER}  # all, so that every container knows all names
        containers: dict[str, Container] = {}
        for name in _ORDER:
            service = compose[name]["image"].removeprefix("packshot-").partition(":")[0]
            place = Place(
                bundles=running / "bundles",
                root=images.root(service),
                image=images.config(service),
                network=networks[name],
                hosts=network.hosts,
                secrets=secrets,
            )
            container = containers[name] = Container(name, place, compose[name])
            until_end.callback(container.remove)
            began = time.monotonic()
            container.start()
            if name in _ONCE:
                code = container.wait(_START_S)
                _expect(code == 0, f"{name} ended with {code}:\n{container.log}")
                print(f"{name}: done", flush=True)
            else:
                _wait_until(container, container.healthy)
                print(f"{name}: healthy after {time.monotonic() - began:.1f} s", flush=True)
        _check_confinement(containers["gateway"])
        yield network, containers


def _check_confinement(container: Container) -> None:
    status = container.run("cat", "/proc/1/status").stdout
    for line in ("Uid:\t65532", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
        _expect(line in status, f"process 1 lacks {line!r}:\n{status}")
    for path in ("/opt/packshot/x", "/x", "/var/x", "/run/secrets/x"):
        _expect(container.run("touch", path).returncode != 0, f"{path} can be written")
    _expect(container.run("touch", "/tmp/x").returncode == 0, "/tmp cannot be written")  # noqa: S108
    print("gateway: process 1, user 65532, no capability, no new privileges, read-only root", flush=True)


def _prove_photos(network: Network, containers: dict[str, Container], folder: Path) -> None:
    add = ("python", "-m", "services.gateway.keys", "add", "--tenant", "proof")
    added = containers["gateway"].run(*add)
    _expect(added.returncode == 0, f"no API key: {added.stderr}")
    key = next(word for word in added.stdout.split() if word.startswith("pk_"))
    environment = {**os.environ, "PACKSHOT_API_KEY": key, "PACKSHOT_SERVER": f"{network.address('gateway')}:50051"}
    command = network.inside(sys.executable, "-m", "packshot.cli.main")
    photo = str(_REPOSITORY / "examples/mug.jpg")
    for how in ("fix", "bulk"):
        out = folder / "running" / how
        done = subprocess.run(
            [*command, how, photo, "-o", str(out)], check=False, capture_output=True, text=True, env=environment
        )
        found = [path.name for path in out.glob("*.jpg")]
        _expect(done.returncode in (0, 1) and bool(found), f"packshot {how}: {done.stdout}{done.stderr}")
        print(f"packshot {how}: {', '.join(found)}", flush=True)


def _prove_model_repository(segmenter: Container) -> None:
    """What Triton's init container does with the same image."""
    write = ("python", "-m", "services.segmenter.model_repository", "--out", "/tmp/repository", "--models", "packshot")  # noqa: S108
    written = segmenter.run(*write)
    _expect(written.returncode == 0, f"no model repository: {written.stderr}")
    print("segmenter: wrote a model repository for Triton", flush=True)


def _prove_stop(containers: dict[str, Container]) -> None:
    for name in reversed(_ORDER):
        if name not in _ONCE:
            code, seconds = containers[name].stop(75)
            _expect(code == 0, f"{name} ended with {code} after SIGTERM:\n{containers[name].log[-2000:]}")
            print(f"{name}: SIGTERM, exit code 0 after {seconds:.1f} s", flush=True)


def _wait_until(container: Container, ready: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + _START_S
    while not ready():
        _expect(container.is_running, f"{container.name} ended:\n{container.log}")
        _expect(time.monotonic() < give_up_at, f"{container.name} does not get healthy:\n{container.log}")
        time.sleep(0.5)


def _size_mb(folder: Path) -> int:
    done = subprocess.run(["du", "-sm", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=_REPOSITORY).stdout


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(otherwise)


if __name__ == "__main__":
    sys.exit(main())
