"""Who gets in: how many photos the gateway holds at the same time, and what each tenant may use."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import grpc

from services.common.errors import ServiceError
from services.gateway.limits import TenantLimits


class Admission:
    """Lets a bounded number of photos in: single calls are refused past it, photos of a stream wait.

    Args:
        limit: Photos at the same time, of all tenants together.
        tenant_limits: None without a database: then only `limit` holds.
    """

    def __init__(self, limit: int, tenant_limits: TenantLimits | None) -> None:
        self._limit = limit
        self._tenant_limits = tenant_limits
        self._inside = 0
        self._left = asyncio.Event()

    @asynccontextmanager
    async def enter(self, tenant: str, size_bytes: int) -> AsyncIterator[None]:
        """Lets a photo of `size_bytes` in.

        Raises:
            ServiceError: RESOURCE_EXHAUSTED, with the time to try again after, when the house is full (OVERLOADED) or
                the tenant has used what it may (TENANT_LIMIT).
        """
        with self._place():
            if self._tenant_limits is None:
                yield
            else:
                async with self._tenant_limits.enter(tenant, size_bytes):
                    yield

    @asynccontextmanager
    async def wait(self, tenant: str, size_bytes: int) -> AsyncIterator[None]:
        """Waits for the tenant's turn, and then for a place: who may not go in yet keeps nobody out."""
        if self._tenant_limits is None:
            async with self._next_place():
                yield
        else:
            async with self._tenant_limits.wait(tenant, size_bytes), self._next_place():
                yield

    @contextmanager
    def _place(self) -> Iterator[None]:
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
    async def _next_place(self) -> AsyncIterator[None]:
        while self._inside >= self._limit:
            self._left.clear()
            await self._left.wait()
        with self._place():
            yield
