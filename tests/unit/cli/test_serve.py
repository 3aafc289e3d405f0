"""The life of `packshot serve`, with services that only say that they serve; the real ones are tests/e2e's."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packshot.cli import serve
from packshot.cli.data_dir import DataDir
from packshot.cli.failures import CommandError
from packshot.cli.nats import nats_command
from tests.helpers.waiting import ended, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="process states are read from /proc")

# A service that serves health checks and, on SIGTERM, notes its name in $DIARY. $FAIL names one that breaks.
FAKE_SERVICE = """
import os, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
name = __spec__.name.split(".")[1]
fail, how = (os.environ.get("FAIL", "") + "=").split("=")[:2]
def note(what):
    with open(os.environ["DIARY"], "a") as diary:
        diary.write(f"{what} {name} {os.getpid()}\\n")
note("start")
if (fail, how) == (name, "start"):
    sys.exit(f"{name.upper()}_LISTEN: no such thing")
import grpc
from grpc_health.v1 import health, health_pb2_grpc
server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
server.add_insecure_port(os.environ[f"{name.upper()}_LISTEN"])
server.start()
def stop(*_):
    note("stop")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("serving")
if (fail, how) == (name, "later"):
    time.sleep(1)
    os._exit(7)
while True:
    signal.pause()
"""


class House:
    """A running `packshot serve`."""

    def __init__(self, folder: Path, *arguments: str, fail: str = "") -> None:
        services = folder / "services"
        for name in ("gateway", *serve.STAGES):
            (services / name).mkdir(parents=True)
            (services / name / "__main__.py").write_text(FAKE_SERVICE)
        (services / "common").mkdir()
        (services / "gateway/state").mkdir()
        self.topology, self.tables = services / "common/topology.py", services / "gateway/state/migrate.py"
        for command in (self.topology, self.tables):
            command.write_text("import sys; open(__file__ + '.called', 'w').write(' '.join(sys.argv[1:]))")
        for package in (services, *services.iterdir(), services / "gateway/state"):
            (package / "__init__.py").touch()
        self.diary = folder / "diary"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "packshot.cli.main", "serve", "--port", "0", *arguments],
            cwd=folder,  # where -m looks first: the services above
            env={**os.environ, "DIARY": str(self.diary), "FAIL": fail},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_ready(self) -> str:
        """What stands on stdout when everything serves."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        return "".join(lines)

    def finish(self) -> tuple[int, str]:
        """Exit code and stderr."""
        _, stderr = self.process.communicate(timeout=90)
        return self.process.returncode, stderr

    @staticmethod
    def arguments_of(command: Path) -> str:
        """What one of the commands that run once was called with."""
        return command.with_suffix(".py.called").read_text()

    def notes(self, what: str) -> dict[str, int]:
        """Process ids of who has started or stopped, by name and in order."""
        lines = [line.split() for line in self.diary.read_text().splitlines()] if self.diary.exists() else []
        return {name: int(pid) for kind, name, pid in lines if kind == what}


@pytest.fixture
def houses() -> Iterator[list[House]]:
    started: list[House] = []
    yield started
    for house in started:
        house.process.kill()
        house.process.communicate()
        wait_until(lambda house=house: all(ended(pid) for pid in house.notes("start").values()))  # type: ignore[misc]


def test_starts_all_and_stops_them_in_order(tmp_path: Path, houses: list[House]) -> None:
    if shutil.which("nats-server", path="/usr/sbin:/usr/local/bin:/usr/bin:" + os.environ["PATH"]) is None:
        pytest.skip("nats-server is not installed")
    data = tmp_path / "data"
    houses.append(house := House(tmp_path, "--data-dir", str(data), "--log-dir", str(tmp_path / "logs")))
    text = house.until_ready()
    assert "packshot fix mug.jpg -o out --server 127.0.0.1:" in text
    assert f"Jobs and API keys are kept in {data}\n" in text
    # URLs may hold passwords, and anybody may read a process's arguments.
    assert (house.arguments_of(house.topology), house.arguments_of(house.tables)) == ("", "")
    assert set(house.notes("start")) == {"gateway", *serve.STAGES}
    house.process.send_signal(signal.SIGINT)
    assert house.finish()[0] == 0
    assert next(iter(house.notes("stop"))) == "gateway"
    assert set(house.notes("stop")) == {"gateway", *serve.STAGES}
    assert (data / "jetstream").is_dir()
    assert "serving" in (tmp_path / "logs/validator.log").read_text()
    assert "Server is ready" in (tmp_path / "logs/nats.log").read_text()


def test_sigterm_stops_it_too_and_logs_carry_names(tmp_path: Path, houses: list[House]) -> None:
    houses.append(house := House(tmp_path, "--no-nats"))
    text = house.until_ready()
    assert "no events are published" in text
    assert "API keys are kept in" in text
    assert "until this ends; for longer: --data-dir DIR" in text
    house.process.terminate()
    exit_code, stderr = house.finish()
    assert exit_code == 0
    assert "validator  │ serving" in stderr


@pytest.mark.parametrize(
    ("fail", "says"),
    [
        ("segmenter=start", ("segmenter ended with code 1", "SEGMENTER_LISTEN: no such thing")),
        ("compositor=later", ("compositor ended with code 7", "its last lines")),
    ],
)
def test_one_that_dies_is_named_and_the_others_are_stopped(
    tmp_path: Path, houses: list[House], fail: str, says: tuple[str, str]
) -> None:
    houses.append(house := House(tmp_path, "--no-nats", fail=fail))
    exit_code, stderr = house.finish()
    assert exit_code == 2
    for words in says:
        assert words in stderr
    assert "Traceback" not in stderr
    assert all(ended(pid) for pid in house.notes("start").values())


def test_nothing_is_left_when_it_is_killed(tmp_path: Path, houses: list[House]) -> None:
    houses.append(house := House(tmp_path, "--no-nats"))
    house.until_ready()
    house.process.kill()
    wait_until(lambda: all(ended(pid) for pid in house.notes("start").values()))


class TestPlan:
    def plan(self, port: int = 0, *, no_nats: bool = False) -> serve.Plan:
        return serve._plan(port, no_nats, DataDir(Path("data")), True, serve._environment(False, [], None))

    def test_stages_follow_the_gateway(self) -> None:
        plan = self.plan()
        ports = [plan.gateway_port, *plan.stage_ports.values()]
        assert len(set(ports)) == 4
        assert plan.environment["GATEWAY_LISTEN"] == f"127.0.0.1:{plan.gateway_port}"
        for name in serve.STAGES:
            assert plan.environment[f"{name.upper()}_LISTEN"] == plan.address(name)
            assert plan.environment[f"GATEWAY_{name.upper()}_ADDRESS"] == plan.address(name)

    def test_a_taken_stage_port_is_passed_over(self) -> None:
        first = self.plan()
        taken = first.stage_ports["segmenter"]
        with socket.create_server(("127.0.0.1", taken)):
            second = self.plan(first.gateway_port)
        assert second.gateway_port == first.gateway_port
        assert taken not in second.stage_ports.values()

    def test_a_taken_gateway_port_is_said(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(CommandError, match=f"port {port} is taken") as caught:
                self.plan(port)
        assert "--port" in caught.value.cure

    def test_the_last_ports_of_all(self) -> None:
        assert all(0 < port <= 65535 for port in self.plan(65535).stage_ports.values())

    def test_nats_by_choice(self) -> None:
        with_nats, without = self.plan(), self.plan(no_nats=True)
        assert (
            with_nats.environment["GATEWAY_NATS_URL"] == with_nats.nats_url == f"nats://127.0.0.1:{with_nats.nats_port}"
        )
        assert "GATEWAY_NATS_URL" not in without.environment

    def test_jobs_are_kept_in_the_data_folder_and_need_nats(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("GATEWAY_DATABASE_URL", "GATEWAY_OBJECTS_URL"):
            monkeypatch.delenv(name, raising=False)
        with_nats, without = self.plan().environment, self.plan(no_nats=True).environment
        folder = Path("data").absolute()
        assert with_nats["GATEWAY_DATABASE_URL"] == f"sqlite+aiosqlite:///{folder}/packshot.db"
        assert with_nats["GATEWAY_OBJECTS_URL"] == f"file://{folder}/objects"
        assert "GATEWAY_OBJECTS_URL" not in without
        monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql+asyncpg://db/packshot")
        assert self.plan().environment["GATEWAY_DATABASE_URL"] == "postgresql+asyncpg://db/packshot"


def test_settings_of_the_services_come_from_options_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTER_WORKERS", "1")
    monkeypatch.delenv("GATEWAY_AUTH", raising=False)
    open_house = serve._environment(False, [], None)
    assert open_house["GATEWAY_AUTH"] == "off"
    assert open_house["SEGMENTER_WORKERS"] == "1"
    closed = serve._environment(True, ["u2netp"], tmp_path / "models")
    assert closed["GATEWAY_AUTH"] == "api-key"
    assert closed["SEGMENTER_PROPOSERS"] == "classical,u2netp"
    assert closed["SEGMENTER_MODELS_DIR"] == str(tmp_path / "models")


def test_a_missing_nats_server_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(CommandError, match="nats-server is not installed") as caught:
        nats_command(4222, Path("data"), without="Or start without: --no-nats.")
    assert "apt-get install nats-server" in caught.value.cure
    assert "--no-nats" in caught.value.cure


def test_missing_services_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cv2" else object())
    with pytest.raises(CommandError, match="no cv2") as caught:
        serve._require_services()
    assert "packshot[all]" in caught.value.cure
