"""Starts the services as processes, as `packshot serve` does, to measure them from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

STAGES = ("segmenter", "compositor", "validator")
_START_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Stack:
    """Running services: the gateway's address, and each service's address and process by name."""

    address: str
    addresses: Mapping[str, str]
    processes: Mapping[str, psutil.Process]

    def resident_mb(self) -> float:
        """Memory resident in all four processes."""
        return sum(process.memory_info().rss for process in self.processes.values()) / 2**20


@contextmanager
def running_stack(settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Four processes on free loopback ports, without authentication and NATS; stopped with SIGTERM.

    Args:
        settings: Further environment variables, e.g. {"SEGMENTER_PROPOSERS": "classical,u2netp"}.
    """
    addresses = {name: f"127.0.0.1:{_free_port()}" for name in (*STAGES, "gateway")}
    environment = {
        **os.environ,
        **{f"{name.upper()}_LISTEN": address for name, address in addresses.items()},
        **{f"GATEWAY_{name.upper()}_ADDRESS": addresses[name] for name in STAGES},
        **{f"{name.upper()}_LOG_LEVEL": "error" for name in addresses},
        "GATEWAY_AUTH": "off",
        **(settings or {}),
    }
    started = {
        name: subprocess.Popen([sys.executable, "-m", f"services.{name}"], env=environment) for name in addresses
    }
    try:
        for name, address in addresses.items():
            _wait_for_health(name, address, started[name])
        yield Stack(addresses["gateway"], addresses, {name: psutil.Process(p.pid) for name, p in started.items()})
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(timeout=90)


def is_serving(address: str, timeout_s: float) -> bool:
    """Asks a service's health; raises grpc.RpcError when it does not answer in time."""
    with grpc.insecure_channel(address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _wait_for_health(name: str, address: str, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise RuntimeError(f"the {name} ended with exit code {process.returncode} before it was ready")
        try:
            if is_serving(address, 1):
                return
        except grpc.RpcError:
            time.sleep(0.1)
    raise RuntimeError(f"the {name} was not ready within {_START_TIMEOUT_S} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
