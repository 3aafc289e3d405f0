"""Which webhook calls are to be made, and what became of them.

A job's calls are made in order: only its first waiting one can be claimed. A claim puts the call's next attempt off
until the claim has run out, so a claim that is never heard of again is simply due again; and it counts the attempt, so
that what a claimant reports late, after another has claimed, is not taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1.jobs_pb2 import JobEvent
from services.gateway.state.tables import JobEvent as JobEventRow
from services.gateway.state.tables import Tenant, WebhookDelivery


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A call to make.

    Attributes:
        attempts: this one included.
        traceparent: of what the call tells of; empty without a trace.
        secret: the tenant's; not for logs.
    """

    delivery_id: str
    tenant: str
    job_id: str
    sequence: int
    url: str
    attempts: int
    event: JobEvent
    traceparent: str
    secret: str = field(repr=False)


async def claim_due(
    session: AsyncSession, now: datetime, claim_s: float, count: int, most_per_tenant: int, busy: Mapping[str, int]
) -> list[Claimed]:
    """Claims up to `count` calls that are due, those that have waited longest first, one a job.

    Args:
        claim_s: For how long nobody else gets them.
        most_per_tenant: At the same time, with what is `busy` already by tenant.
    """
    heads = (
        select(WebhookDelivery.job_id, func.min(WebhookDelivery.sequence).label("sequence"))
        .where(WebhookDelivery.state == DeliveryState.WAITING)
        .group_by(WebhookDelivery.job_id)
        .subquery()
    )
    turn = func.row_number().over(
        partition_by=WebhookDelivery.tenant, order_by=(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
    )
    due = (
        select(WebhookDelivery.id, WebhookDelivery.tenant, WebhookDelivery.next_attempt_at, turn.label("turn"))
        .join(heads, (WebhookDelivery.job_id == heads.c.job_id) & (WebhookDelivery.sequence == heads.c.sequence))
        .where(WebhookDelivery.next_attempt_at <= now)
        .subquery()
    )
    first = select(due.c.id, due.c.tenant, due.c.turn).where(due.c.turn <= most_per_tenant)
    rows = await session.execute(first.order_by(due.c.next_attempt_at, due.c.id))
    chosen = [row.id for row in rows if row.turn + busy.get(row.tenant, 0) <= most_per_tenant]
    return await _claim(session, WebhookDelivery.id.in_(chosen[:count]), now, claim_s)


async def delivered(
    session: AsyncSession, call: Claimed, outcome: str, now: datetime, next_claim_s: float | None = None
) -> Claimed | None:
    """The call was taken. Its job's next one goes to the end of the queue or, with `next_claim_s`, is claimed."""
    if not await _settle(session, call, DeliveryState.DELIVERED, outcome):
        return None
    return await _next(session, call.job_id, now, next_claim_s)


async def failed(session: AsyncSession, call: Claimed, outcome: str, next_attempt_at: datetime) -> None:
    """The call is made again then; what follows it waits."""
    await _settle(session, call, DeliveryState.WAITING, outcome, next_attempt_at)


async def give_up(
    session: AsyncSession, call: Claimed, outcome: str, now: datetime, *, whole_job: bool = False
) -> None:
    """The call is not made again, nor, with `whole_job`, any that its job has waiting."""
    if not await _settle(session, call, DeliveryState.GIVEN_UP, outcome):
        return
    if whole_job:
        await session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.job_id == call.job_id, WebhookDelivery.state == DeliveryState.WAITING)
            .values(state=DeliveryState.GIVEN_UP, last_outcome=outcome)
            .execution_options(synchronize_session=False)
        )
    else:
        await _next(session, call.job_id, now, None)


async def forget_ended(session: AsyncSession, before: datetime, limit: int) -> int:
    """Removes the oldest `limit` calls that were made, or given up, before then; how many."""
    ended = select(WebhookDelivery.id).where(
        WebhookDelivery.state.in_((DeliveryState.DELIVERED, DeliveryState.GIVEN_UP)),
        WebhookDelivery.next_attempt_at < before,  # of a call that has ended: when its last claim would have run out
    )
    oldest = (await session.scalars(ended.order_by(WebhookDelivery.next_attempt_at).limit(limit))).all()
    await session.execute(
        delete(WebhookDelivery).where(WebhookDelivery.id.in_(oldest)).execution_options(synchronize_session=False)
    )
    return len(oldest)


async def _settle(
    session: AsyncSession, call: Claimed, state: DeliveryState, outcome: str, next_attempt_at: datetime | None = None
) -> bool:
    """False when the call has been claimed anew, or has ended, meanwhile."""
    values: dict[str, object] = {"state": state, "last_outcome": outcome}
    if next_attempt_at is not None:
        values["next_attempt_at"] = next_attempt_at
    settled = await session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.id == call.delivery_id,
            WebhookDelivery.state == DeliveryState.WAITING,
            WebhookDelivery.attempts == call.attempts,
        )
        .values(**values)
        .returning(WebhookDelivery.id)
        .execution_options(synchronize_session=False)
    )
    return settled.first() is not None


async def _next(session: AsyncSession, job_id: str, now: datetime, claim_s: float | None) -> Claimed | None:
    first = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.job_id == job_id, WebhookDelivery.state == DeliveryState.WAITING)
        .order_by(WebhookDelivery.sequence)
        .limit(1)
        .scalar_subquery()
    )
    if claim_s is not None:
        claimed = await _claim(session, WebhookDelivery.id == first, now, claim_s)
        return claimed[0] if claimed else None
    await session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.id == first)
        .values(next_attempt_at=now)
        .execution_options(synchronize_session=False)
    )
    return None


async def _claim(session: AsyncSession, which: ColumnElement[bool], now: datetime, claim_s: float) -> list[Claimed]:
    """Those of the calls that nobody else has claimed in this moment."""
    claimed = await session.execute(
        update(WebhookDelivery)
        .where(which, WebhookDelivery.state == DeliveryState.WAITING, WebhookDelivery.next_attempt_at <= now)
        .values(attempts=WebhookDelivery.attempts + 1, next_attempt_at=now + timedelta(seconds=claim_s))
        .returning(WebhookDelivery.id)
        .execution_options(synchronize_session=False)
    )
    mine = [row.id for row in claimed]
    if not mine:
        return []
    rows = await session.execute(
        select(WebhookDelivery, JobEventRow.event, Tenant.webhook_secret)
        .join(
            JobEventRow,
            (JobEventRow.job_id == WebhookDelivery.job_id) & (JobEventRow.sequence == WebhookDelivery.sequence),
        )
        .join(Tenant, Tenant.name == WebhookDelivery.tenant)
        .where(WebhookDelivery.id.in_(mine))
        .execution_options(populate_existing=True)
    )
    return [
        Claimed(
            delivery_id=row.id,
            tenant=row.tenant,
            job_id=row.job_id,
            sequence=row.sequence,
            url=row.url,
            attempts=row.attempts,
            event=JobEvent.FromString(event),
            traceparent=row.traceparent,
            secret=secret,
        )
        for row, event, secret in rows
    ]
