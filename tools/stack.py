"""The services as processes on free loopback ports, for tests and benchmarks that look at them from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

STAGES = ("segmenter", "compositor", "validator")
SERVICES = (*STAGES, "gateway")

_START_TIMEOUT_S = 90
_STOP_TIMEOUT_S = 90


class Stack:
    """Four services, without authentication; each can be stopped and started again on its address.

    Args:
        settings: Further environment variables, e.g. {"SEGMENTER_PROPOSERS": "classical,u2netp"}.
        core: The one core that every process is to run on; None for all.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, *, core: int | None = None) -> None:
        self._pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in SERVICES}
        self.environment = {
            **os.environ,
            **{f"{name.upper()}_LISTEN": address for name, address in self.addresses.items()},
            **{f"GATEWAY_{name.upper()}_ADDRESS": self.addresses[name] for name in STAGES},
            **{f"{name.upper()}_LOG_LEVEL": "error" for name in SERVICES},
            "GATEWAY_AUTH": "off",
            **(settings or {}),
        }
        self.modules = {name: f"services.{name}" for name in SERVICES}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """The gateway's."""
        return self.addresses["gateway"]

    def start(self, name: str) -> None:
        """Starts a service; `wait` says when it is ready."""
        self.run(name, [sys.executable, "-m", self.modules[name]], self.environment)

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts a program and keeps its process under a name."""
        self._processes[name] = subprocess.Popen([*self._pinned, *command], env=environment)

    def wait(self, name: str) -> None:
        """Waits until a service says SERVING.

        Raises:
            RuntimeError: It ended, or was not ready in time.
        """
        give_up_at = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            code = self._processes[name].poll()
            if code is not None:
                raise RuntimeError(f"the {name} ended with exit code {code} before it was ready")
            try:
                if is_serving(self.addresses[name], 1):
                    return
            except grpc.RpcError:
                time.sleep(0.1)
        raise RuntimeError(f"the {name} was not ready within {_START_TIMEOUT_S} s")

    def terminate(self, name: str) -> None:
        """Sends SIGTERM; `join` waits for the end."""
        self._processes[name].terminate()

    def kill(self, name: str) -> None:
        """Sends SIGKILL and waits for the end."""
        self._processes[name].kill()
        self._processes[name].wait(_STOP_TIMEOUT_S)

    def has_ended(self, name: str) -> bool:
        """Whether a process is gone, for whatever reason."""
        return self._processes[name].poll() is not None

    def join(self, name: str) -> int:
        """Waits for a service's end; its exit code."""
        return self._processes[name].wait(_STOP_TIMEOUT_S)

    def pid(self, name: str) -> int:
        """Of a service's process."""
        return self._processes[name].pid

    def resident_mb(self) -> dict[str, float]:
        """Memory resident in each service's process."""
        return {
            name: psutil.Process(process.pid).memory_info().rss / 2**20 for name, process in self._processes.items()
        }


@contextmanager
def running_stack(settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """All services, ready; stopped with SIGTERM."""
    stack = Stack(settings)
    try:
        for name in SERVICES:
            stack.start(name)
        for name in SERVICES:
            stack.wait(name)
        yield stack
    finally:
        for name in SERVICES:
            stack.terminate(name)
        for name in SERVICES:
            stack.join(name)


def is_serving(address: str, timeout_s: float) -> bool:
    """Asks a service's health; raises grpc.RpcError when it does not answer in time."""
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)  # type: ignore[attr-defined]  # not in its stubs
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def free_port() -> int:
    """A loopback port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
