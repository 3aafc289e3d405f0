"""Calls that block, on threads of their own.

For obstore: a process that ends soon after one of its async calls is aborted now and then, while the runtime's thread
still holds a Python object (github.com/PyO3/pyo3-async-runtimes/issues/40). Its blocking calls know no such thread.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 16


class Threads:
    """Up to 16 at a time; further calls wait. Calls of a task that is cancelled run to their end unheard."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns or raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **kwargs))

    async def each(self, iterator: Iterator[T]) -> AsyncIterator[T]:
        """The items of a blocking iterator."""
        end = object()
        while (item := await self.run(_next, iterator, end)) is not end:
            yield item  # type: ignore[misc]  # not the end

    def close(self) -> None:
        """Takes no more calls; what runs goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _next(iterator: Iterator[T], end: object) -> T | object:
    return next(iterator, end)
