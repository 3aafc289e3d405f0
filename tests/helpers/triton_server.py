"""A real Triton server with the python backend, as tools/triton.sh sets it up; it uses one free port."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tools.stack import free_port

TRITONSERVER = Path(__file__).parents[2] / ".venv-triton" / "bin" / "tritonserver"


class TritonServer:
    """One tritonserver process over a model repository; it keeps its port, and loads and unloads models when told."""

    def __init__(self, repository: Path) -> None:
        if not TRITONSERVER.exists():
            pytest.skip("there is no Triton server: run `make triton`")
        self._repository = repository
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        command = [
            str(TRITONSERVER),
            f"--model-repository={self._repository}",
            "--model-control-mode=explicit",
            "--load-model=*",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self._port}",
            "--allow-http=false",
            "--allow-metrics=false",
        ]
        log = self._repository.with_suffix(".log")
        with log.open("ab") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file)
        self._wait_until_it_listens(self._process, log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "start it first"
        self._process.send_signal(number)

    def _wait_until_it_listens(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """Triton opens its port when all models are loaded and warm."""
        give_up_at = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < give_up_at:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"tritonserver does not answer:\n{log.read_text()}")
