"""How many photos the gateway holds at the same time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import grpc

from services.common.errors import ServiceError


class Admission:
    """Lets a bounded number of photos in: single calls are refused past it, photos of a stream wait."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._left = asyncio.Event()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raises ServiceError RESOURCE_EXHAUSTED, with the time to try again after, when the house is full."""
        if self._inside >= self._limit:
            raise ServiceError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "OVERLOADED",
                f"{self._limit} photos are in work already; try again later",
                metadata={"limit": str(self._limit)},
                retry_after_s=1.0,
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._left.set()

    @asynccontextmanager
    async def wait(self) -> AsyncIterator[None]:
        """Waits for a place."""
        while self._inside >= self._limit:
            self._left.clear()
            await self._left.wait()
        with self.enter():
            yield
