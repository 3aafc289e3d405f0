"""How many more items of a tenant may go into the queue before its limits would only send them back."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.limits import refill
from services.gateway.state import tenants
from services.gateway.state.tables import TenantUsage
from services.gateway.state.work import WaitingJob


async def allowances(session: AsyncSession, jobs: Iterable[WaitingJob], now: datetime) -> Mapping[str, int]:
    """By tenant; only of those with limits. A guess: what counts is counted when a worker begins."""
    in_flight: Counter[str] = Counter()
    for job in jobs:
        in_flight[job.tenant] += job.in_flight
    allowed = {}
    for tenant, busy in in_flight.items():
        limits = await tenants.limits(session, tenant)
        bounds = []
        if limits.max_concurrent_photos is not None:
            bounds.append(limits.max_concurrent_photos - busy)
        if limits.photos_per_minute is not None or limits.bytes_per_minute is not None:
            usage = await session.get_one(TenantUsage, tenant)
            elapsed_s = (now - usage.refilled_at).total_seconds()
            if limits.photos_per_minute is not None:
                # What is in flight may not have taken its share yet.
                bounds.append(int(refill(usage.photos_left, limits.photos_per_minute, elapsed_s)) - busy)
            if (
                limits.bytes_per_minute is not None
                and refill(usage.bytes_left, limits.bytes_per_minute, elapsed_s) <= 0
            ):
                bounds.append(0)
        if bounds:
            allowed[tenant] = max(min(bounds), 0)
    return allowed
