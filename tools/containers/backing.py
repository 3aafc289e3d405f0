"""What compose.yaml takes from others, as programs of this machine: NATS, PostgreSQL and a server of the S3 protocol.

They run in the network's hub under the names that compose gives them, with the passwords of compose's secrets.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.containers.network import SUBNET, Network

NAMES: Final = ("nats", "postgres", "s3")
_NOBODY: Final = "nobody"  # PostgreSQL refuses to run as root
_START_S: Final = 60.0


class Backing:
    """Started together, stopped together."""

    def __init__(self, folder: Path, secrets: Path, network: Network) -> None:
        self._folder = folder
        self._secrets = secrets
        self._network = network
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, nats_conf: Path) -> None:
        """Returns when all answer."""
        self._folder.mkdir()
        self._start_nats(nats_conf)
        self._start_postgres()
        self._start_s3()

    def stop(self) -> None:
        """Ends them at once."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _start_nats(self, conf: Path) -> None:
        folder = self._folder / "nats"
        folder.mkdir()
        (folder / "nats.conf").write_text(conf.read_text().replace("store_dir: /data", f"store_dir: {folder}/data"))
        shutil.copy(self._secrets / "nats_auth", folder / "auth.conf")
        self._run("nats-server", "--config", str(folder / "nats.conf"))
        self._until("nats", lambda: self._takes_connections(4222))

    def _start_postgres(self) -> None:
        found = importlib.util.find_spec("pgserver")
        if found is None or found.origin is None:
            raise SystemExit("pgserver is missing: make setup")
        package = Path(found.origin).parent
        folder = self._folder / "postgres"
        folder.mkdir()
        # Where anybody can run them: the environment may lie in a folder that is closed to others.
        shutil.copytree(package / "pginstall", folder / "pgserver" / "pginstall")
        shutil.copytree(package.with_name("pgserver.libs"), folder / "pgserver.libs")
        programs, data = folder / "pgserver" / "pginstall" / "bin", folder / "data"
        password = folder / "password"
        shutil.copy(self._secrets / "postgres_password", password)
        for path in (folder, password):
            shutil.chown(path, _NOBODY)
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "packshot", "-A", "scram-sha-256"]
        subprocess.run(
            [*initdb, f"--pwfile={password}", "-E", "UTF8"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            user=_NOBODY,
            extra_groups=[],
        )
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {SUBNET}.0/24 scram-sha-256\n")
        self._run(
            *("setpriv", f"--reuid={_NOBODY}", "--clear-groups", str(programs / "postgres"), "-D", str(data)),
            *("-c", "listen_addresses=*", "-c", f"unix_socket_directories={folder}"),
        )
        create = [str(programs / "psql"), "-h", str(folder), "-U", "packshot", "-d", "postgres", "-qc"]
        environment = {**os.environ, "PGPASSWORD": password.read_text()}

        def creates() -> bool:
            command = [*create, "CREATE DATABASE packshot"]
            return subprocess.run(command, check=False, stderr=subprocess.DEVNULL, env=environment).returncode == 0

        self._until("PostgreSQL", creates)

    def _start_s3(self) -> None:
        self._run(sys.executable, "-m", "moto.server", "-H", "0.0.0.0", "-p", "7070")  # noqa: S104  # in its namespace
        make = "import httpx; httpx.put('http://127.0.0.1:7070/packshot', trust_env=False).raise_for_status()"

        def makes_bucket() -> bool:
            command = self._network.inside(sys.executable, "-c", make)
            return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0

        self._until("the S3 server", makes_bucket)

    def _takes_connections(self, port: int) -> bool:
        connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        command = self._network.inside(sys.executable, "-c", connect)
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def _run(self, *command: str) -> None:
        with (self._folder / f"{Path(command[0]).name}.log").open("ab") as log:
            self._processes.append(subprocess.Popen(self._network.inside(*command), stdout=log, stderr=log))

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + _START_S
        while not ready():
            if time.monotonic() > give_up_at:
                raise SystemExit(f"{what} does not answer; see the logs in {self._folder}")
            time.sleep(0.2)
