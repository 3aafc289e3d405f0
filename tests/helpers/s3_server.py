"""A real server of the S3 protocol (moto's) in a process of its own, on a free port."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import obstore
import pytest
from obstore.store import S3Store

_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class S3Server:
    """Where the server is, and the environment that programs find it by."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {**_ENVIRONMENT, "AWS_ENDPOINT_URL": self.url}

    def make_bucket(self, name: str) -> None:
        """An empty bucket, and nothing else in the server."""
        httpx.post(f"{self.url}/moto-api/reset", trust_env=False).raise_for_status()
        httpx.put(f"{self.url}/{name}", trust_env=False).raise_for_status()

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Writes an object, past the code under test."""
        obstore.put(self._store(bucket), key, data)

    def _store(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.url,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",  # noqa: S106  # moto takes any
            client_options={"allow_http": True},
        )


@contextmanager
def running_s3_server() -> Iterator[S3Server]:
    """Stopped, and its objects gone, at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = S3Server(port)
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )
        try:
            _wait_until_it_answers(server, process, Path(folder) / "log")
            yield server
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A running server; import it into a conftest.py to use it, with `server.environment` set."""
    with running_s3_server() as server:
        yield server


def _wait_until_it_answers(server: S3Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up_at = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            httpx.get(server.url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the S3 server does not answer:\n{log.read_text()}")
