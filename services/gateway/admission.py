"""Who gets in: as many photos as the stages can take on, and of each tenant what it may use."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import grpc

from services.common.errors import ServiceError
from services.gateway.concurrency import ConcurrencyLimit, Visit
from services.gateway.limits import TenantLimits
from services.gateway.metrics import PHOTOS_IN_WORK, PHOTOS_LIMIT


class Admission:
    """Lets a bounded number of photos in: single calls are refused past it, photos of a stream wait.

    Refused at the door, a photo costs nothing; let into a full house, it would take time from those that can still be
    answered and miss its own deadline all the same.

    Args:
        limit: Photos at the same time, of all tenants together.
        tenant_limits: None without a database: then only `limit` holds.
    """

    def __init__(self, limit: ConcurrencyLimit, tenant_limits: TenantLimits | None) -> None:
        self._limit = limit
        self._tenant_limits = tenant_limits
        self._inside = 0
        self._left = asyncio.Event()

    @asynccontextmanager
    async def enter(self, tenant: str, size_bytes: int) -> AsyncIterator[Visit]:
        """Lets a photo of `size_bytes` in.

        Raises:
            ServiceError: RESOURCE_EXHAUSTED, with the time to try again after, when the house is full (OVERLOADED) or
                the tenant has used what it may (TENANT_LIMIT).
        """
        with self._place() as visit:
            if self._tenant_limits is None:
                yield visit
            else:
                async with self._tenant_limits.enter(tenant, size_bytes):
                    yield visit

    @asynccontextmanager
    async def wait(self, tenant: str, size_bytes: int) -> AsyncIterator[Visit]:
        """Waits for the tenant's turn, and then for a place: who may not go in yet keeps nobody out."""
        if self._tenant_limits is None:
            async with self._next_place() as visit:
                yield visit
        else:
            async with self._tenant_limits.wait(tenant, size_bytes), self._next_place() as visit:
                yield visit

    @contextmanager
    def _place(self) -> Iterator[Visit]:
        if self._inside >= self._limit.value:
            raise ServiceError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "OVERLOADED",
                f"{self._inside} photos are in work already; try again later",
                metadata={"limit": str(self._limit.value)},
                retry_after_s=1.0,
            )
        self._inside += 1
        PHOTOS_IN_WORK.set(self._inside)
        visit = Visit()
        try:
            yield visit
        finally:
            self._limit.learn(visit, self._inside)
            self._inside -= 1
            PHOTOS_IN_WORK.set(self._inside)
            PHOTOS_LIMIT.set(self._limit.value)
            self._left.set()

    @asynccontextmanager
    async def _next_place(self) -> AsyncIterator[Visit]:
        while self._inside >= self._limit.value:
            self._left.clear()
            await self._left.wait()
        with self._place() as visit:
            yield visit
