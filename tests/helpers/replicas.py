"""Several replicas of each service behind one name, as a Deployment with a headless Service gives them to callers.

Each replica is a process with a loopback address of its own; a DNS server tells their addresses.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

import grpc

from tests.helpers.dns_server import Names, dns_server
from tools.stack import STAGES, free_port, is_serving

_METHODS: Final = {
    "segmenter": "packshot.v1.SegmenterService/SegmentImage",
    "compositor": "packshot.v1.CompositorService/ComposeImage",
    "validator": "packshot.v1.ValidatorService/ValidateImage",
    "gateway": "packshot.v1.PackshotService/ProcessImage",
}
_START_TIMEOUT_S: Final = 120
_STOP_TIMEOUT_S: Final = 120


class Deployment:
    """One service's replicas.

    Args:
        service: E.g. "segmenter".
        names: Where its name is looked up.
        number: Of the service: its replicas are 127.0.NUMBER.2, .3, …
        folder: For the replicas' logs.
        environment: Settings.
    """

    def __init__(self, service: str, names: Names, number: int, folder: Path, environment: Mapping[str, str]) -> None:
        self.service = service
        self._names = names
        self._number = number
        self._folder = folder
        self._environment = environment
        self._port = free_port()
        self._next_host = 2
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ready: list[str] = []

    @property
    def address(self) -> str:
        """Its name, for gRPC channels."""
        return f"dns://127.0.0.1:{self._names.port}/{self.service}.packshot.test:{self._port}"

    @property
    def replicas(self) -> list[str]:
        """IP addresses of the replicas that callers are told of, the oldest first."""
        return list(self._ready)

    def begin(self) -> str:
        """Starts one more replica on a new address; `until_ready` waits for it."""
        ip = f"127.0.{self._number}.{self._next_host}"
        self._next_host += 1
        self._start(ip)
        return ip

    def until_ready(self, ip: str) -> None:
        """Waits until a replica says SERVING; then callers are told of it."""
        give_up_at = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            code = self._processes[ip].poll()
            if code is not None:
                raise RuntimeError(
                    f"a {self.service} ended with exit code {code}; its log:\n{self._log(ip).read_text()}"
                )
            try:
                if is_serving(f"{ip}:{self._port}", 1):
                    self._publish([*self._ready, ip])
                    return
            except grpc.RpcError:
                time.sleep(0.1)
        raise RuntimeError(f"a {self.service} was not ready within {_START_TIMEOUT_S} s")

    def add(self) -> str:
        """One more replica, ready; its address."""
        ip = self.begin()
        self.until_ready(ip)
        return ip

    def remove(self, ip: str) -> None:
        """As Kubernetes ends a pod: no longer told of, SIGTERM, and waited for. Raises when it did not end in order."""
        self._publish([other for other in self._ready if other != ip])
        process = self._processes.pop(ip)
        process.terminate()
        code = process.wait(_STOP_TIMEOUT_S)
        if code != 0:
            raise RuntimeError(f"a {self.service} ended with exit code {code}; its log:\n{self._log(ip).read_text()}")

    def restart(self, ip: str) -> None:
        """Ends a replica and starts it again on its address, as a host's update does."""
        self.remove(ip)
        self._start(ip)
        self.until_ready(ip)

    def photos(self, ip: str) -> list[float]:
        """When a replica has answered photos, in seconds since the epoch, from its log."""
        lines = (json.loads(line) for line in self._log(ip).read_text().splitlines() if line.startswith("{"))
        return [
            datetime.fromisoformat(line["timestamp"]).timestamp()
            for line in lines
            if line.get("event") == "call" and line.get("method") == _METHODS[self.service] and line["code"] == "OK"
        ]

    def stop(self) -> None:
        """Ends all replicas."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(_STOP_TIMEOUT_S)

    def _start(self, ip: str) -> None:
        with self._log(ip).open("ab") as log:
            self._processes[ip] = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.service}"],
                env={
                    **os.environ,
                    **self._environment,
                    f"{self.service.upper()}_LISTEN": f"{ip}:{self._port}",
                },
                stderr=log,
            )

    def _publish(self, ready: list[str]) -> None:
        self._ready = ready
        self._names.answers[f"{self.service}.packshot.test"] = [ready]

    def _log(self, ip: str) -> Path:
        return self._folder / f"{self.service}-{ip}.log"


class Cluster:
    """All services, each with its replicas; `gateway` is where photos are sent."""

    def __init__(self, names: Names, folder: Path, settings: Mapping[str, str]) -> None:
        self.deployments: dict[str, Deployment] = {}
        environment = {"GATEWAY_AUTH": "off", **settings}
        for number, service in enumerate((*STAGES, "gateway"), 1):
            self.deployments[service] = Deployment(service, names, number, folder, environment)
            environment = {**environment, f"GATEWAY_{service.upper()}_ADDRESS": self.deployments[service].address}

    def __getitem__(self, service: str) -> Deployment:
        return self.deployments[service]

    @classmethod
    @contextmanager
    def running(cls, replicas: Mapping[str, int], settings: Mapping[str, str] | None = None) -> Iterator[Self]:
        """With so many replicas of each service named, ready. `settings` are further environment variables."""
        with TemporaryDirectory() as folder, dns_server() as names, ExitStack() as cleaning:
            cluster = cls(names, Path(folder), settings or {})
            for deployment in cluster.deployments.values():
                cleaning.callback(deployment.stop)
            begun = [(service, cluster[service].begin()) for service, count in replicas.items() for _ in range(count)]
            for service, ip in begun:
                cluster[service].until_ready(ip)
            yield cluster


def counts(deployment: Deployment, replicas: list[str], begin_s: float, end_s: float) -> Counter[str]:
    """Photos that each replica answered in a time, in seconds since the epoch."""
    return Counter({ip: sum(begin_s <= moment < end_s for moment in deployment.photos(ip)) for ip in replicas})
