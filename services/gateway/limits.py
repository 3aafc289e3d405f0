"""What a tenant may use: photos and bytes a minute, and photos at the same time, over all replicas together.

Rates are token buckets (https://en.wikipedia.org/wiki/Token_bucket) that hold one minute's worth: a tenant that was
quiet may use a minute's worth at once. They stand in the database, where each use is one short transaction.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import grpc
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.errors import ServiceError
from services.gateway.jobs.errors import as_service_errors
from services.gateway.state import tenants
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from services.gateway.state.tenants import NO_LIMITS, Limits

_FRESH_S: Final = 3.0
"""How long a tenant's limits are remembered."""
_LEASE_S: Final = 30.0
"""A photo's place is free again this long after its replica died."""
_RENEW_S: Final = 10.0
_PLACE_RETRY_S: Final = 1.0
"""When a place may be free; nobody can know."""
_LONGEST_PAUSE_S: Final = 3.0
"""Who waits looks again after this long: limits may have been raised."""

log = structlog.get_logger()


def refill(left: float, per_minute: int, elapsed_s: float) -> float:
    """What is in a bucket after some time. A clock that is behind takes nothing out."""
    return min(float(per_minute), left + per_minute * max(elapsed_s, 0.0) / 60)


def missing_s(left: float, per_minute: int, amount: float) -> float:
    """Seconds until `amount` may be taken; 0 when now, and always for nothing.

    More than the bucket holds may be taken when it is full, and is owed: a photo larger than a minute's bytes
    must get through at some time.
    """
    if amount <= 0:
        return 0.0
    missing = min(amount, per_minute) - left
    return missing * 60 / per_minute if missing > 1e-6 * per_minute else 0.0  # rounding makes no one wait


@dataclass(frozen=True, slots=True)
class Shortage:
    """Which limit stands in the way, and for how long."""

    limit: str
    value: int
    retry_after_s: float


class TenantLimits:
    """Asks the database, unless a tenant has no limits, which is remembered for 3 s."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Limits]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    @asynccontextmanager
    async def enter(self, tenant: str, size_bytes: int) -> AsyncIterator[None]:
        """Counts a photo of `size_bytes`, and holds its place while entered.

        Raises:
            ServiceError: RESOURCE_EXHAUSTED TENANT_LIMIT, with the time to try again after; UNAVAILABLE when the
                database does not answer.
        """
        lease = uuid.uuid4().hex
        with as_service_errors():
            limits = await self._limits(tenant)
            shortage = await self._take(tenant, limits, 1, size_bytes, lease)
        if shortage is not None:
            raise _exceeded(tenant, shortage)
        async with self._held(tenant, limits, lease):
            yield

    @asynccontextmanager
    async def wait(self, tenant: str, size_bytes: int) -> AsyncIterator[None]:
        """As `enter`, but waits until the photo may go in; in order of arrival at this replica."""
        lease = uuid.uuid4().hex
        with as_service_errors():
            limits = await self._take_patiently(tenant, 1, size_bytes, lease)
        async with self._held(tenant, limits, lease):
            yield

    async def spend_bytes(self, tenant: str, size_bytes: int) -> None:
        """Counts bytes that come in without a photo being worked on yet: photos in a job's request.

        Raises:
            ServiceError: As `enter`.
        """
        with as_service_errors():
            shortage = await self._take(tenant, await self._limits(tenant), 0, size_bytes, "")
        if shortage is not None:
            raise _exceeded(tenant, shortage)

    async def wait_for_bytes(self, tenant: str, size_bytes: int) -> None:
        """As `spend_bytes`, but waits until they may come in: uploads to a job."""
        with as_service_errors():
            await self._take_patiently(tenant, 0, size_bytes)

    async def _take_patiently(self, tenant: str, photos: int, size_bytes: int, lease: str = "") -> Limits:
        if await self._limits(tenant) == NO_LIMITS:
            return NO_LIMITS
        async with self._turns[tenant]:
            while True:
                limits = await self._limits(tenant)
                released = self._released[tenant]
                released.clear()
                shortage = await self._take(tenant, limits, photos, size_bytes, lease)
                if shortage is None:
                    return limits
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(shortage.retry_after_s, _LONGEST_PAUSE_S)):
                        await released.wait()

    async def _limits(self, tenant: str) -> Limits:
        read_at, limits = self._known.get(tenant, (float("-inf"), NO_LIMITS))
        if monotonic() - read_at > _FRESH_S:
            asked_at = monotonic()
            async with self._database.read() as session:
                limits = await tenants.limits(session, tenant)
            self._known[tenant] = asked_at, limits
        return limits

    async def _take(self, tenant: str, limits: Limits, photos: int, size_bytes: int, lease: str) -> Shortage | None:
        """Takes all or nothing. `lease` empty: no place is asked for."""
        if limits == NO_LIMITS:
            return None

        async def take(session: AsyncSession) -> Shortage | None:
            now = datetime.now(UTC)
            usage = await tenants.lock_usage(session, tenant)
            elapsed_s = (now - usage.refilled_at).total_seconds()
            photos_left, bytes_left = usage.photos_left, usage.bytes_left
            if limits.photos_per_minute is not None:
                photos_left = refill(photos_left, limits.photos_per_minute, elapsed_s)
                if wait_s := missing_s(photos_left, limits.photos_per_minute, photos):
                    return Shortage("photos_per_minute", limits.photos_per_minute, wait_s)
                photos_left -= photos
            if limits.bytes_per_minute is not None:
                bytes_left = refill(bytes_left, limits.bytes_per_minute, elapsed_s)
                if wait_s := missing_s(bytes_left, limits.bytes_per_minute, size_bytes):
                    return Shortage("bytes_per_minute", limits.bytes_per_minute, wait_s)
                bytes_left -= size_bytes
            if lease and limits.max_concurrent_photos is not None:
                if await tenants.photos_in_work(session, tenant, now) >= limits.max_concurrent_photos:
                    return Shortage("max_concurrent_photos", limits.max_concurrent_photos, _PLACE_RETRY_S)
                await tenants.add_lease(session, lease, tenant, now + timedelta(seconds=_LEASE_S))
            usage.photos_left, usage.bytes_left = photos_left, bytes_left
            usage.refilled_at = max(now, usage.refilled_at)
            return None

        return await self._database.write(take)

    @asynccontextmanager
    async def _held(self, tenant: str, limits: Limits, lease: str) -> AsyncIterator[None]:
        if limits.max_concurrent_photos is None:
            yield
            return
        renewing = asyncio.create_task(self._keep(lease))
        try:
            yield
        finally:
            renewing.cancel()
            # Also when the call is cancelled; should even this be, the lease ends by itself.
            await asyncio.shield(self._release(tenant, lease))

    async def _keep(self, lease: str) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            expires_at = datetime.now(UTC) + timedelta(seconds=_LEASE_S)
            try:
                await self._database.write(lambda session: tenants.renew_lease(session, lease, expires_at))  # noqa: B023
            except UnavailableError as error:
                log.warning("a photo's place cannot be renewed", error=str(error))

    async def _release(self, tenant: str, lease: str) -> None:
        try:
            await self._database.write(lambda session: tenants.end_lease(session, lease))
        except UnavailableError as error:
            log.warning("a photo's place cannot be given back; it will end by itself", error=str(error))
        self._released[tenant].set()


def _exceeded(tenant: str, shortage: Shortage) -> ServiceError:
    return ServiceError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TENANT_LIMIT",
        f"tenant {tenant} may use {shortage.limit}={shortage.value}; try again in {shortage.retry_after_s:.1f} s",
        metadata={"limit": shortage.limit, "value": str(shortage.value)},
        retry_after_s=shortage.retry_after_s,
    )
