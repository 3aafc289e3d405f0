"""Builds images with buildah in a folder of its own: no engine, no daemon, nothing else touched."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SERVICES: Final = ("gateway", "segmenter", "compositor", "validator")
VERSION: Final = "0.1.0"
BASE: Final = "debian:12.15-slim"

_SUITE: Final = "bookworm"
# What the public slim image leaves out, too.
_LEFT_OUT: Final = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")


@dataclass(frozen=True, slots=True)
class Images:
    """Images below a folder."""

    folder: Path

    def make_base(self) -> None:
        """Debian 12 out of Debian's packages under the public base image's name, which is made the same way."""
        if BASE in self._buildah("images", "--format", "{{.Name}}:{{.Tag}}").replace("localhost/", ""):
            return
        root = self.folder / "debian"
        if not (root / "etc/debian_version").exists():
            shutil.rmtree(root, ignore_errors=True)
            _run("debootstrap", "--variant=minbase", _SUITE, str(root))
        for name in _LEFT_OUT:
            shutil.rmtree(root / name, ignore_errors=True)
            (root / name).mkdir()
        container = self._buildah("from", "scratch")
        self._buildah("copy", container, str(root), "/")
        self._buildah("config", "--cmd", "bash", container)
        self._buildah("commit", "--rm", container, f"localhost/{BASE}")

    def build(self, service: str, source: Path, revision: str) -> None:
        """Builds a service's Dockerfile; pip finds packages as it does on this machine."""
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        pip_conf = self.folder / "pip.conf"
        pip_conf.write_text("[global]\ncert = /run/host/certificates.crt\n")
        self._buildah(
            *("bud", "--isolation", "chroot", "--format", "docker"),
            *("--build-arg", f"BASE_IMAGE=localhost/{BASE}", "--build-arg", f"REVISION={revision}"),
            *("--secret", f"id=pip_conf,src={pip_conf}"),
            *("--volume", f"{certificates}:/run/host/certificates.crt:ro"),
            *("--file", f"services/{service}/Dockerfile", "--tag", self.name(service), "."),
            cwd=source,
        )

    def name(self, service: str) -> str:
        """As in compose.yaml, on this machine."""
        return f"localhost/packshot-{service}:{VERSION}"

    def config(self, service: str) -> dict[str, Any]:
        """Environment, user, entrypoint, labels, health check … of the built image."""
        image: dict[str, Any] = json.loads(self._buildah("inspect", "--type", "image", self.name(service)))
        config: dict[str, Any] = image["Docker"]["config"]
        return config

    def root(self, service: str) -> Path:
        """A new container's file system; what is written to it is not the image."""
        container = self._buildah("from", "--pull-never", self.name(service))
        return Path(self._buildah("mount", container))

    def forget_containers(self) -> None:
        """Removes what `root` made."""
        self._buildah("rm", "--all")

    def _buildah(self, *arguments: str, cwd: Path | None = None) -> str:
        storage = ("--storage-driver", _driver(), "--root", f"{self.folder}/storage", "--runroot", f"{self.folder}/run")
        return _run("buildah", *storage, *arguments, cwd=cwd)


def _driver() -> str:
    """Overlays where the kernel has them; vfs copies everything for every layer: ten times the disk and time."""
    return "overlay" if "\toverlay\n" in Path("/proc/filesystems").read_text() else "vfs"


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout.strip()
