"""All that bulk jobs need as processes on one machine, for chaos tests and benchmarks: the services, a gateway for
callers, gateways that work, nats-server, a database, a folder of objects."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.stack import STAGES, Stack, free_port

NATS = "nats-server"
_START_TIMEOUT_S = 90


class BulkStack(Stack):
    """Processes by name: the stages, "gateway", "worker-1" to "worker-N" and "nats-server".

    Args:
        folder: For the database, objects and NATS's store.
        workers: How many gateways work on jobs.
        database_url: Another database than SQLite in the folder.
        settings: Further environment variables.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        database_url: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self.database_url = database_url or f"sqlite+aiosqlite:///{folder / 'packshot.db'}"
        self._nats_port = free_port()
        self._nats_url = f"nats://127.0.0.1:{self._nats_port}"
        super().__init__(
            {
                "GATEWAY_ROLE": "api",
                "GATEWAY_DATABASE_URL": self.database_url,
                "GATEWAY_OBJECTS_URL": f"file://{folder / 'objects'}",
                "GATEWAY_NATS_URL": self._nats_url,
                **(settings or {}),
            }
        )
        self.workers = tuple(f"worker-{number}" for number in range(1, workers + 1))
        self.addresses |= {worker: f"127.0.0.1:{free_port()}" for worker in self.workers}

    @property
    def names(self) -> tuple[str, ...]:
        """Of all processes, in the order they are started in."""
        return (NATS, *STAGES, "gateway", *self.workers)

    def prepare(self) -> None:
        """Makes tables and streams; NATS has to run."""
        migrate = [sys.executable, "-m", "services.gateway.state.migrate", "--database-url", self.database_url]
        topology = [sys.executable, "-m", "services.common.topology", "--nats-url", self._nats_url]
        for command in (migrate, topology):
            subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def start(self, name: str) -> None:
        if name == NATS:
            store = self._folder / "nats"
            store.mkdir(exist_ok=True)
            log = str(store / "log")
            command = [NATS, "-a", "127.0.0.1", "-p", str(self._nats_port), "-js", "-sd", str(store), "-l", log]
            self.run(name, command, self.environment)
        elif name in self.workers:
            mine = {"GATEWAY_ROLE": "worker", "GATEWAY_LISTEN": self.addresses[name]}
            self.run(name, [sys.executable, "-m", "services.gateway"], self.environment | mine)
        else:
            super().start(name)

    def wait(self, name: str) -> None:
        if name != NATS:
            super().wait(name)
            return
        give_up_at = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            try:
                with socket.create_connection(("127.0.0.1", self._nats_port), timeout=1) as connection:
                    if connection.recv(4) == b"INFO":
                        return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"nats-server was not ready within {_START_TIMEOUT_S} s")


@contextmanager
def running_bulk_stack(
    folder: Path, *, workers: int = 2, database_url: str = "", settings: Mapping[str, str] | None = None
) -> Iterator[BulkStack]:
    """Everything, ready; stopped with SIGTERM."""
    stack = BulkStack(folder, workers=workers, database_url=database_url, settings=settings)
    started = []
    try:
        for name in stack.names:
            stack.start(name)
            started.append(name)
            if name == NATS:
                stack.wait(name)
                stack.prepare()
        for name in stack.names:
            stack.wait(name)
        yield stack
    finally:
        for name in reversed(started):
            stack.terminate(name)
            stack.join(name)
