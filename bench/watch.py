"""Looks at running services from outside: whether health answers, how much memory and how many files they hold."""

import threading
import time
from collections.abc import Mapping

import grpc
import psutil

from tools.stack import is_serving

_PERIOD_S = 0.5


class Watch(threading.Thread):
    """Twice a second, until it is stopped; `look_back` says what was seen since it was last asked.

    Args:
        addresses: Health's, by service.
        pids: Processes, by service; their children count as theirs.
    """

    def __init__(self, addresses: Mapping[str, str], pids: Mapping[str, int]) -> None:
        super().__init__(daemon=True)
        self._addresses = addresses
        self._pids = pids
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._slowest_s = self._peak_mb = 0.0
        self._failures = 0

    def run(self) -> None:
        while not self._over.wait(_PERIOD_S):
            for address in self._addresses.values():
                started = time.perf_counter()
                try:
                    failed = not is_serving(address, 5)
                except grpc.RpcError:
                    failed = True
                seconds = time.perf_counter() - started
                with self._lock:
                    self._failures += failed
                    self._slowest_s = max(self._slowest_s, seconds)
            used_mb = sum(memory_mb(pid) for pid in self._pids.values())
            with self._lock:
                self._peak_mb = max(self._peak_mb, used_mb)

    def look_back(self) -> tuple[float, int, float]:
        """The slowest answer in seconds, how many health checks failed, and the peak memory in MB of all together."""
        with self._lock:
            seen = self._slowest_s, self._failures, self._peak_mb
            self._slowest_s, self._failures, self._peak_mb = 0.0, 0, 0.0
        return seen

    def stop(self) -> None:
        """Ends it."""
        self._over.set()
        self.join()


def memory_mb(pid: int) -> float:
    """Resident in a process and its children."""
    return sum(process.memory_info().rss for process in family(pid)) / 2**20


def open_files(pid: int) -> int:
    """Descriptors of a process and its children."""
    return sum(process.num_fds() for process in family(pid))


def cpu_s(pid: int) -> float:
    """Processor time that a process and its children have used so far."""
    total = 0.0
    for process in family(pid):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def family(pid: int) -> list[psutil.Process]:
    """A process and its children, of which none has ended."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
