"""A real PostgreSQL, from the programs that pgserver brings: free port, temporary folder, stopped at the end."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

_NOBODY: Final = "nobody"
_SETTINGS: Final = {
    # Nothing in a test has to survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


class Postgres:
    """One PostgreSQL server; `restart` keeps port and databases. Settings are added to those of all tests."""

    def __init__(self, programs: Path, folder: Path, **settings: str) -> None:
        self._programs = programs
        self._settings = _SETTINGS | settings
        self._data = folder / "data"
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._as_user: dict[str, Any] = {"user": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._as_user:
            shutil.chown(folder, _NOBODY)
            self._programs = programs if programs.is_relative_to("/usr") else _copied(programs, folder)
        initdb = [
            str(self._programs / "initdb"),
            "-D",
            str(self._data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **self._as_user)

    def url(self, database: str) -> str:
        """For services.gateway.state.database.Database."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self._port}/{database}"

    def create_database(self, name: str) -> str:
        """Makes an empty database and returns its URL."""
        self.run(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def run(self, statements: str, database: str = "postgres") -> None:
        """Runs SQL statements, all or none."""
        psql = [
            str(self._programs / "psql"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self._port),
            "-U",
            "postgres",
            "-d",
            database,
        ]
        subprocess.run([*psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statements], check=True, capture_output=True)

    def drop_database(self, name: str) -> None:
        self.run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def disconnect_all(self, database: str) -> None:
        """Ends what forgotten connections still do."""
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")  # noqa: S608

    def start(self) -> None:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        sockets = f"--unix_socket_directories={self._folder}"
        command = [
            str(self._programs / "postgres"),
            "-D",
            str(self._data),
            "-h",
            "127.0.0.1",
            "-p",
            str(self._port),
            sockets,
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *settings], stdout=log, stderr=log, cwd=self._folder, **self._as_user
            )
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        """Ends it at once, and all connections with it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def _wait_until_it_answers(self, process: "subprocess.Popen[bytes]") -> None:
        ask = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        give_up_at = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < give_up_at:
            if subprocess.run(ask, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL does not answer:\n{(self._folder / 'log').read_text()}")


def _copied(programs: Path, folder: Path) -> Path:
    """The programs where anybody can run them: an environment below root's home is closed to others."""
    package = programs.parent.parent
    shutil.copytree(programs.parent, folder / "pgserver" / "pginstall")
    shutil.copytree(package.with_name("pgserver.libs"), folder / "pgserver.libs")
    return folder / "pgserver" / "pginstall" / programs.name


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL; import it into a conftest.py to use it."""
    pgserver = importlib.util.find_spec("pgserver")
    programs = Path(pgserver.origin).parent / "pginstall" / "bin" if pgserver and pgserver.origin else None
    if programs is None or not (programs / "postgres").is_file():
        pytest.skip("NOT TESTED ON POSTGRESQL: its programs are missing, install pgserver (part of packshot[dev])")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = Postgres(programs, Path(folder))
        server.start()
        yield server
        server.stop()
