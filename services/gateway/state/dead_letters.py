"""Items that were given up after too many attempts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state import jobs
from services.gateway.state.errors import NotFoundError
from services.gateway.state.tables import DeadLetter, Item


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A dead letter and its item."""

    dead_letter: DeadLetter
    item: Item


async def list_dead_letters(
    session: AsyncSession, tenant: str, *, job_id: str = "", after: tuple[datetime, str] | None = None, limit: int
) -> list[DeadLetterView]:
    """The tenant's dead letters that were not queued again, newest first.

    Args:
        after: (died_at, id) of the last one of the page before.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    query = (
        select(DeadLetter, Item)
        .join(Item, Item.id == DeadLetter.item_id)
        .where(DeadLetter.tenant == tenant, DeadLetter.requeued_at.is_(None))
    )
    if job_id:
        await jobs.get_job(session, tenant, job_id)
        query = query.where(DeadLetter.job_id == job_id)
    if after is not None:
        died_at, dead_letter_id = after
        query = query.where(
            or_(DeadLetter.died_at < died_at, and_(DeadLetter.died_at == died_at, DeadLetter.id < dead_letter_id))
        )
    rows = await session.execute(query.order_by(DeadLetter.died_at.desc(), DeadLetter.id.desc()).limit(limit))
    return [DeadLetterView(*row) for row in rows]


async def requeue(session: AsyncSession, tenant: str, dead_letter_ids: Collection[str], now: datetime) -> int:
    """Queues their items again with all attempts before them; how many. Those queued again before are read over.

    Args:
        dead_letter_ids: Empty means all of the tenant's.

    Raises:
        NotFoundError: The tenant has no such dead letter.
    """
    query = select(DeadLetter.id, DeadLetter.job_id, DeadLetter.item_id, DeadLetter.requeued_at)
    query = query.where(DeadLetter.tenant == tenant)
    if dead_letter_ids:
        query = query.where(DeadLetter.id.in_(dead_letter_ids))
    else:
        query = query.where(DeadLetter.requeued_at.is_(None))
    rows = (await session.execute(query)).all()
    for unknown in set(dead_letter_ids) - {row.id for row in rows}:
        raise NotFoundError("dead letter", unknown)
    by_job: dict[str, list[int]] = {}
    for row in rows:
        if row.requeued_at is None:
            by_job.setdefault(row.job_id, []).append(row.item_id)
    queued = 0
    for job_id, item_ids in sorted(by_job.items()):
        job = await jobs.lock(session, tenant, job_id)
        for some in jobs.slices(item_ids):
            queued += await jobs.queue_again(session, job, Item.id.in_(some), now)
    return queued
