"""Credits: rows are added and never changed; a result is charged at most once and refunded at most once."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.tables import Item, Job

CREDITS_PER_RESULT: Final = 1
STANDARD_TIER: Final = "standard"
NO_TIER: Final = "none"


def price_tier(item: Item) -> str:
    """What the item was charged by."""
    return STANDARD_TIER if item.credits else NO_TIER


async def grant(session: AsyncSession, tenant: str, credits: int, note: str, now: datetime) -> None:
    """Gives the tenant credits."""
    raise NotImplementedError


async def charge(session: AsyncSession, job: Job, item: Item, result_id: str, note: str, now: datetime) -> bool:
    """Charges the item's result, with the job's lock held; False when it was charged before."""
    raise NotImplementedError


async def refund(session: AsyncSession, tenant: str, result_id: str, note: str, now: datetime) -> bool:
    """Gives back what was charged for a result; False when nothing was, or it was refunded before."""
    raise NotImplementedError


async def balance(session: AsyncSession, tenant: str) -> int:
    """Grants less charges plus refunds; negative for a tenant who pays afterwards."""
    raise NotImplementedError
