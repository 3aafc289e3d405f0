"""A real Triton server with the python backend, as tools/triton.sh sets it up, on free ports."""

import socket
import subprocess
import time
from pathlib import Path

from tools.stack import free_port

TRITONSERVER = Path(__file__).parents[1] / ".venv-triton" / "bin" / "tritonserver"


class TritonServer:
    """One tritonserver process over a model repository; it keeps its ports, and loads and unloads models when told.

    Args:
        repository: its folder; the log lies beside it.
        start_timeout_s: models run once with their largest batch before it answers, and the machine may be busy.
    """

    def __init__(self, repository: Path, start_timeout_s: float = 110.0) -> None:
        self._start_timeout_s = start_timeout_s
        self._repository = repository
        self._port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._metrics_port = free_port()
        self.url = f"127.0.0.1:{self._port}"
        self.metrics_url = f"http://127.0.0.1:{self._metrics_port}/metrics"

    def start(self) -> None:
        """Returns when every model is loaded and warm.

        Raises:
            RuntimeError: there is no tritonserver, or it does not come up; its log is in the message.
        """
        if not TRITONSERVER.exists():
            raise RuntimeError(f"there is no {TRITONSERVER}: run `make triton`")
        command = [
            str(TRITONSERVER),
            f"--model-repository={self._repository}",
            "--model-control-mode=explicit",
            "--load-model=*",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self._port}",
            "--allow-http=false",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={self._metrics_port}",
        ]
        log = self._repository.with_suffix(".log")
        with log.open("ab") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)
        self._wait_until_it_listens(self.process, log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def _wait_until_it_listens(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """Triton opens its port when all models are loaded and warm."""
        give_up_at = time.monotonic() + self._start_timeout_s
        while process.poll() is None and time.monotonic() < give_up_at:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError(f"tritonserver does not answer:\n{log.read_text()}")
