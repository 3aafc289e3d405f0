"""What waits: in the work queue, in the database, and to be told. For metrics and for who asks."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.metrics import (
    BACKLOG_READ,
    ITEMS,
    OLDEST_ITEM,
    OPEN_DEAD_LETTERS,
    QUEUE_PENDING,
    QUEUE_PULLS,
    QUEUE_UNACKNOWLEDGED,
    WEBHOOKS_WAITING,
)
from services.gateway.state import leases
from services.gateway.state.database import Database
from services.gateway.state.tables import Attempt, DeadLetter, Item, ItemState, Job, JobState, WebhookDelivery
from services.gateway.state.webhooks import DeliveryState
from services.gateway.worker.dispatcher import TASK as DISPATCH
from services.gateway.worker.queue import Depth, WorkQueue

_STATES: Final = (ItemState.QUEUED, ItemState.DISPATCHED, ItemState.RUNNING)
_PERIOD_S: Final = 10.0
_BUSY_WORKERS: Final = (
    select(Attempt.worker)
    .join(Item, Item.id == Attempt.item_id)
    .where(Item.state == ItemState.RUNNING, Attempt.number == Item.attempts, Attempt.ended_at.is_(None))
    .distinct()
    .order_by(Attempt.worker)
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What all replicas together have before them.

    Attributes:
        queue: The work queue.
        items: Items that have not ended, by state.
        oldest_wait_s: How long the item has waited that has waited longest, of those that may be worked on now.
        dead_letters: Items given up that nobody has queued again.
        webhooks: Calls that are still to be made.
        dispatcher: The worker that fills the queue; empty when there is none.
        busy_workers: Those with items in work.
    """

    queue: Depth
    items: Mapping[ItemState, int]
    oldest_wait_s: float
    dead_letters: int
    webhooks: int
    dispatcher: str
    busy_workers: tuple[str, ...]


async def read_backlog(database: Database, queue: WorkQueue) -> Backlog:
    """As it is now.

    Raises:
        NatsError, QueueLostError, UnavailableError: The queue or the database is away.
    """
    depth = await queue.depth()
    now = datetime.now(UTC)
    async with database.read() as session:
        by_state = await session.execute(
            select(Item.state, func.count()).where(Item.state.in_(_STATES)).group_by(Item.state)
        )
        items = dict.fromkeys(_STATES, 0)
        items.update((state, count) for state, count in by_state)
        oldest = await session.scalar(
            select(func.min(Item.available_at))
            .join(Job, Job.id == Item.job_id)
            .where(
                Item.state.in_((ItemState.QUEUED, ItemState.DISPATCHED)),
                Item.available_at <= now,
                Job.state.in_((JobState.OPEN, JobState.RUNNING)),
            )
        )
        return Backlog(
            queue=depth,
            items=items,
            oldest_wait_s=(now - oldest).total_seconds() if oldest is not None else 0.0,
            dead_letters=await _count(session, DeadLetter.requeued_at.is_(None)),
            webhooks=await _count(session, WebhookDelivery.state == DeliveryState.WAITING),
            dispatcher=await leases.owner(session, DISPATCH, now),
            busy_workers=tuple(await session.scalars(_BUSY_WORKERS)),
        )


async def keep_reading(database: Database, queue: WorkQueue) -> None:
    """Shows the backlog as metrics until it is cancelled. Raises what `read_backlog` raises."""
    while True:
        backlog = await read_backlog(database, queue)
        QUEUE_PENDING.set(backlog.queue.undelivered)
        QUEUE_UNACKNOWLEDGED.set(backlog.queue.unacknowledged)
        QUEUE_PULLS.set(backlog.queue.waiting_pulls)
        for state, count in backlog.items.items():
            ITEMS.labels(state.value).set(count)
        OLDEST_ITEM.set(backlog.oldest_wait_s)
        OPEN_DEAD_LETTERS.set(backlog.dead_letters)
        WEBHOOKS_WAITING.set(backlog.webhooks)
        BACKLOG_READ.set(time())
        await asyncio.sleep(_PERIOD_S)


async def _count(session: AsyncSession, which: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).where(which)) or 0
