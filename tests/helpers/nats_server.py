"""A real nats-server with JetStream: free port, temporary store, stopped by its own process."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


class NatsServer:
    """One nats-server process; `restart` keeps port and store. Options are those of its command line."""

    def __init__(self, store: Path, *options: str) -> None:
        self._store = store
        self._options = options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(self._port), "-js", "-sd", str(self._store)]
        command += self._options
        with (self._store / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def _wait_until_it_answers(self, process: "subprocess.Popen[bytes]") -> None:
        give_up_at = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < give_up_at:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                    if connection.recv(4) == b"INFO":
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"nats-server does not answer:\n{(self._store / 'log').read_text()}")


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """A running nats-server; import it into a conftest.py to use it."""
    with tempfile.TemporaryDirectory(prefix="nats-") as store:
        server = NatsServer(Path(store))
        server.start()
        yield server
        server.stop()
