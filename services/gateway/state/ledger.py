"""Credits: rows are added and never changed; a result is charged at most once and refunded at most once."""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.insert import insert_unless_there
from services.gateway.state.tables import Item, Job, LedgerEntry, LedgerKind

CREDITS_PER_RESULT: Final = 1
STANDARD_TIER: Final = "standard"
NO_TIER: Final = "none"


def price_tier(item: Item) -> str:
    """What the item was charged by."""
    return STANDARD_TIER if item.credits else NO_TIER


async def grant(session: AsyncSession, tenant: str, credits: int, note: str, now: datetime) -> None:
    """Gives the tenant credits."""
    session.add(
        LedgerEntry(
            tenant=tenant, kind=LedgerKind.GRANT, credits=credits, price_tier=NO_TIER, note=note, created_at=now
        )
    )


async def charge(session: AsyncSession, job: Job, item: Item, result_id: str, note: str, now: datetime) -> bool:
    """Charges the item's result, with the job's lock held; False when it was charged before."""
    charged = await insert_unless_there(
        session,
        LedgerEntry,
        tenant=job.tenant,
        kind=LedgerKind.CHARGE,
        credits=-CREDITS_PER_RESULT,
        price_tier=STANDARD_TIER,
        result_id=result_id,
        item_id=item.id,
        note=note,
        created_at=now,
    )
    if charged:
        item.credits += CREDITS_PER_RESULT
        job.credits += CREDITS_PER_RESULT
    return charged


async def refund(session: AsyncSession, tenant: str, result_id: str, note: str, now: datetime) -> bool:
    """Gives back what was charged for a result; False when nothing was, or it was refunded before."""
    charged = await session.scalar(
        select(LedgerEntry).where(
            LedgerEntry.tenant == tenant,
            LedgerEntry.result_id == result_id,
            LedgerEntry.kind == LedgerKind.CHARGE,
        )
    )
    if charged is None:
        return False
    # The job before the ledger's row, like everybody else.
    item = await session.get(Item, charged.item_id)
    if item is None:
        raise LookupError(f"ledger entry {charged.id} has no item")
    job = await session.get_one(Job, item.job_id, with_for_update={"key_share": True}, populate_existing=True)
    await session.refresh(item)
    refunded = await insert_unless_there(
        session,
        LedgerEntry,
        tenant=tenant,
        kind=LedgerKind.REFUND,
        credits=-charged.credits,
        price_tier=charged.price_tier,
        result_id=result_id,
        item_id=charged.item_id,
        note=note,
        created_at=now,
    )
    if refunded:
        item.credits += charged.credits
        job.credits += charged.credits
    return refunded


async def balance(session: AsyncSession, tenant: str) -> int:
    """Grants less charges plus refunds; negative for a tenant who pays afterwards."""
    query = select(func.coalesce(func.sum(LedgerEntry.credits), 0)).where(LedgerEntry.tenant == tenant)
    return int(await session.scalar(query) or 0)
