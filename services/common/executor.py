"""CPU work off the event loop, with a bound on how much of it may wait."""

import asyncio
import ctypes
import ctypes.util
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, ParamSpec, TypeVar

import grpc
from threadpoolctl import threadpool_limits

from services.common.errors import ServiceError
from services.common.queueing import waited_s
from services.common.telemetry.metrics import (
    EXECUTOR_PENDING,
    EXECUTOR_REFUSED,
    EXECUTOR_RUNNING,
    EXECUTOR_WAIT,
    EXECUTOR_WORKERS,
)

P = ParamSpec("P")
T = TypeVar("T")

_M_ARENA_MAX: Final = -8
_IDLE_S: Final = 0.5


class BoundedExecutor:
    """A thread pool that refuses work past its bound at once instead of letting it pile up.

    Args:
        workers: Calls that run at the same time.
        queue_size: Calls that may wait for a worker.
    """

    def __init__(self, workers: int, queue_size: int) -> None:
        # The workers are the parallelism: BLAS threads beside them only contend for the same cores.
        threadpool_limits(1, user_api="blas")
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._workers = workers
        self._bound = workers + queue_size
        EXECUTOR_WORKERS.inc(workers)
        self._pending = 0
        self._seconds_per_call = 1.0
        self._libc = _glibc()
        self._trim: asyncio.TimerHandle | None = None
        if self._libc is not None:
            # One heap per worker at the most: freed photos otherwise stay scattered over dozens of heaps.
            self._libc.mallopt(_M_ARENA_MAX, workers + 1)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `function` in the pool.

        Raises:
            ServiceError: RESOURCE_EXHAUSTED with the time to try again after, when too much waits already.
        """
        if self._pending >= self._bound:
            EXECUTOR_REFUSED.inc()
            waiting = self._pending / self._workers
            raise ServiceError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "OVERLOADED",
                f"{self._pending} photos are in work or waiting, the limit is {self._bound}; try again later",
                metadata={"limit": str(self._bound)},
                retry_after_s=round(max(0.1, waiting * self._seconds_per_call / 2), 1),
            )
        loop = asyncio.get_running_loop()
        submitted = time.perf_counter()
        # With the call's context: what the worker logs and traces is the call's.
        work = self._pool.submit(copy_context().run, _timed, function, args, kwargs)
        self._pending += 1
        EXECUTOR_PENDING.inc()
        # The slot is free when the work is done or dropped, not when its caller has given up on it.
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release))
        # A caller who gives up drops work that still waits; what runs cannot be stopped.
        began, ended, result = await asyncio.wrap_future(work)
        waited_s.set(waited_s.get() + began - submitted)
        EXECUTOR_WAIT.observe(began - submitted)
        self._seconds_per_call += 0.2 * (ended - began - self._seconds_per_call)
        return result

    async def close(self) -> None:
        """Waits for running work and frees the threads."""
        if self._trim is not None:
            self._trim.cancel()
        await asyncio.to_thread(self._pool.shutdown)
        EXECUTOR_WORKERS.dec(self._workers)

    def _release(self) -> None:
        self._pending -= 1
        EXECUTOR_PENDING.dec()
        if not self._pending and self._libc is not None:
            if self._trim is not None:
                self._trim.cancel()
            self._trim = asyncio.get_running_loop().call_later(_IDLE_S, self._give_back)

    def _give_back(self) -> None:
        """Returns freed memory to the system; not after every photo, for the next one wants the same again."""
        if not self._pending and self._libc is not None:
            # By itself: a thread of the pool would not be free for a photo meanwhile.
            threading.Thread(target=self._libc.malloc_trim, args=(0,), daemon=True).start()


def _timed(function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[float, float, T]:
    """When the call began and ended, and what it returned."""
    began = time.perf_counter()
    with EXECUTOR_RUNNING.track_inprogress():
        result = function(*args, **kwargs)
    return began, time.perf_counter(), result


def _glibc() -> ctypes.CDLL | None:
    """glibc, which keeps freed memory unless told; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    name = ctypes.util.find_library("c")
    libc = ctypes.CDLL(name) if name else None
    return libc if libc is not None and hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
