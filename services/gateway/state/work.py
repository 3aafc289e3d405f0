"""The work queue's truth: which items wait, who runs which, and how each ends, once.

A message of the work queue is only a hint that an item may be worked on. `claim` decides, `finish`, `fail` and
`retry_later` take effect only for the lease that holds the item.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1 import jobs_pb2
from packshot.v1.packshot_pb2 import ProcessOptions
from packshot.v1.reviews_pb2 import RedoHints
from services.gateway.state import events, ledger
from services.gateway.state.events import EventDraft
from services.gateway.state.insert import insert_unless_there
from services.gateway.state.jobs import lock, settle, without_nul
from services.gateway.state.tables import (
    Attempt,
    DeadLetter,
    Item,
    ItemState,
    Job,
    JobState,
    Result,
    ResultFile,
    Review,
    ReviewState,
)

WORKER_LOST: Final = "WORKER_LOST"
"""Why an attempt failed of which nothing was heard again."""
_SWEEP_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job with items that may be dispatched.

    Attributes:
        waiting: How many items may be dispatched now, counted up to a limit.
        in_flight: How many are dispatched or running.
    """

    tenant: str
    job_id: str
    priority: int
    waiting: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Dispatched:
    """An item whose message is to be published.

    Attributes:
        position: Its place in the job, from 0.
        dispatches: Makes the message's id unique.
        traceparent: The job's.
    """

    item_id: int
    job_id: str
    tenant: str
    position: int
    dispatches: int
    traceparent: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item this worker runs, until its lease ends.

    Attributes:
        item: As it is after the claim; `item.attempts` counts this attempt.
        options: What to process it with: the job's options, over them the item's category and marketplaces, over
            them the hints of the person who had it done again.
        hints: Those hints; empty without.
    """

    item: Item
    job: Job
    options: ProcessOptions
    hints: RedoHints
    lease: str
    attempt_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file of a result, already in the object store."""

    marketplace: str
    output: int
    object: str
    sha256: str
    size_bytes: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResult:
    """What was made of a photo.

    Attributes:
        result_id: res_ and 32 random hex digits.
        key: Hex SHA-256; what is already there under it is used instead.
        response: A serialised ProcessImageResponse without the images' bytes.
        verdict: publish, review or reject.
        confidence: In [0, 1].
    """

    result_id: str
    key: str
    photo_sha256: str
    photo_object: str
    response: bytes
    verdict: str
    confidence: float
    files: Sequence[NewFile]


async def waiting_jobs(session: AsyncSession, now: datetime, limit: int = 1000) -> list[WaitingJob]:
    """The jobs, of all tenants, with items that may be dispatched now; `waiting` is counted up to `limit`."""
    waiting = (
        select(Item.id)
        .where(Item.job_id == Job.id, Item.state == ItemState.QUEUED, Item.available_at <= now)
        .correlate(Job)
        .limit(limit)
        .subquery()
    )
    in_flight = (
        select(func.count())
        .select_from(Item)
        .where(Item.job_id == Job.id, Item.state.in_((ItemState.DISPATCHED, ItemState.RUNNING)))
    )
    rows = await session.execute(
        select(
            Job.tenant,
            Job.id,
            Job.priority,
            select(func.count()).select_from(waiting).scalar_subquery().label("waiting"),
            in_flight.correlate(Job).scalar_subquery(),
        )
        .where(Job.state.in_((JobState.OPEN, JobState.RUNNING)))
        .order_by(Job.created_at, Job.id)
    )
    return [WaitingJob(*row) for row in rows if row.waiting]


async def take_for_dispatch(session: AsyncSession, job_id: str, count: int, now: datetime) -> list[Dispatched]:
    """The next `count` items of a job that may be dispatched, in order; they are DISPATCHED from now on."""
    chosen = (
        select(Item.id)
        .where(Item.job_id == job_id, Item.state == ItemState.QUEUED, Item.available_at <= now)
        .order_by(Item.position)
        .limit(count)
        .with_for_update(skip_locked=True, key_share=True)
    )
    ids = list(await session.scalars(chosen))
    taken = await session.execute(
        update(Item)
        .where(Item.id.in_(ids))
        .values(state=ItemState.DISPATCHED, dispatches=Item.dispatches + 1, dispatched_at=now)
        .returning(Item.id, Item.job_id, Item.tenant, Item.dispatches, Item.position)
        .execution_options(synchronize_session=False)
    )
    rows = sorted(taken, key=lambda row: row.position)
    traceparent = await session.scalar(select(Job.traceparent).where(Job.id == job_id)) or ""
    return [Dispatched(row.id, row.job_id, row.tenant, row.position, row.dispatches, traceparent) for row in rows]


async def requeue_stale(session: AsyncSession, now: datetime, dispatched_before: datetime) -> int:
    """Queues again what was dispatched before then and never claimed, or is run by a worker whose lease has ended.

    Items of a cancelled job end as cancelled instead. An attempt that was lost this way counts.

    Returns:
        How many.
    """
    unclaimed = select(Item.id).where(Item.state == ItemState.DISPATCHED, Item.dispatched_at < dispatched_before)
    ids = list(await session.scalars(unclaimed.limit(_SWEEP_AT_ONCE)))
    # The state again: another transaction may have changed it since.
    queued = await session.scalars(
        update(Item)
        .where(Item.id.in_(ids), Item.state == ItemState.DISPATCHED)
        .values(state=ItemState.QUEUED)
        .returning(Item.id)
        .execution_options(synchronize_session=False)
    )
    count = len(queued.all())
    orphaned = and_(Item.state == ItemState.RUNNING, Item.lease_expires_at <= now)
    rows = await session.execute(select(Item.id, Item.job_id, Item.tenant).where(orphaned).limit(_SWEEP_AT_ONCE))
    by_job: dict[tuple[str, str], list[int]] = {}
    for item_id, job_id, tenant in rows:
        by_job.setdefault((job_id, tenant), []).append(item_id)
    for (job_id, tenant), item_ids in sorted(by_job.items()):
        job = await lock(session, tenant, job_id)
        query = select(Item).where(Item.id.in_(item_ids), orphaned).order_by(Item.position)
        items = list(await session.scalars(query.with_for_update(key_share=True)))
        await session.execute(
            update(Attempt)
            .where(Attempt.item_id.in_(item_ids), Attempt.ended_at.is_(None))
            .values(ended_at=now, reason=WORKER_LOST)
        )
        for item in items:
            await _back_to_queue(session, job, item, WORKER_LOST, "the worker that ran it is gone", now, now)
        count += len(items)
        await settle(session, job, now)
    return count


async def claim(
    session: AsyncSession, item_id: int, worker: str, lease: str, now: datetime, lease_s: float
) -> Claimed | None:
    """Makes this worker the one that runs the item; None when it has ended, waits for later, or another runs it.

    Counts an attempt: a worker should give an item up whose `item.attempts` is above its limit, since earlier ones
    may have killed their worker. The same lease may claim again (after a broken commit) and changes nothing.

    Args:
        worker: For people.
        lease: 32 random hex digits.
    """
    expires_at = now + timedelta(seconds=lease_s)
    free = or_(
        Item.state == ItemState.DISPATCHED,
        and_(Item.state == ItemState.QUEUED, Item.available_at <= now),
        and_(Item.state == ItemState.RUNNING, Item.lease_expires_at <= now, Item.lease != lease),
    )
    item = await session.scalar(
        update(Item)
        .where(Item.id == item_id, free)
        .values(state=ItemState.RUNNING, lease=lease, lease_expires_at=expires_at, attempts=Item.attempts + 1)
        .returning(Item)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if item is not None:
        attempt = Attempt(
            item_id=item.id, tenant=item.tenant, number=item.attempts, worker=worker[:64], started_at=now, reason=""
        )
        session.add(attempt)
        await session.flush()
        attempt_id = attempt.id
    else:
        # Perhaps this very claim was committed, and nobody was told because the connection broke.
        mine = and_(Item.id == item_id, Item.state == ItemState.RUNNING, Item.lease == lease)
        item = await session.scalar(select(Item).where(mine))
        if item is None:
            return None
        attempt_id = await session.scalar(select(func.max(Attempt.id)).where(Attempt.item_id == item_id)) or 0
    job = await session.get_one(Job, item.job_id)
    hints = RedoHints.FromString(item.hints)
    return Claimed(item, job, _options(job, item, hints), hints, lease, attempt_id)


async def renew(session: AsyncSession, item_id: int, lease: str, now: datetime, lease_s: float) -> bool:
    """Makes the lease last until `lease_s` from now; False when another worker has taken over or the item has ended."""
    renewed = await session.scalar(
        update(Item)
        .where(Item.id == item_id, Item.state == ItemState.RUNNING, Item.lease == lease)
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
        .returning(Item.id)
        .execution_options(synchronize_session=False)
    )
    return renewed is not None


async def finish(session: AsyncSession, claimed: Claimed, result: NewResult | Result, now: datetime) -> bool:
    """It succeeded: result, files, charge, review and events in one go. False: the lease is lost, nothing is done.

    Args:
        result: One from `results.find` was in the store already and is not charged again; nor is a new one whose key
            another item was quicker to use.
    """
    held = await _held(session, claimed)
    if held is None:
        return False
    job, item = held
    await _end_attempt(session, claimed, "", now)
    made = False
    if isinstance(result, NewResult):
        made, result = await _keep(session, item.tenant, result, now)
    _release(item, ItemState.SUCCEEDED, now)
    item.error_reason = item.error_message = ""
    item.result_id = result.id
    item.repeated = not made
    item.verdict = result.verdict
    item.confidence = result.confidence
    job.succeeded += 1
    if result.verdict == "publish":
        job.publish += 1
        if made:
            await ledger.charge(session, job, item, result.id, "published", now)
    elif result.verdict == "review":
        job.review += 1
        item.review_id = f"rev_{uuid.uuid4().hex}"
        session.add(_review(item, result, now))
    else:
        job.reject += 1
    await events.append(session, job, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_SUCCEEDED, item)], now)
    await settle(session, job, now)
    return True


async def fail(
    session: AsyncSession, claimed: Claimed, reason: str, message: str, now: datetime, *, dead: bool
) -> bool:
    """The item failed for good. False: the lease is lost, nothing is done.

    Args:
        reason: UPPER_SNAKE.
        dead: It was given up after too many attempts and becomes a dead letter.
    """
    held = await _held(session, claimed)
    if held is None:
        return False
    job, item = held
    await _end_attempt(session, claimed, reason, now)
    _release(item, ItemState.FAILED, now)
    item.error_reason = reason
    item.error_message = without_nul(message)
    job.failed += 1
    if dead:
        session.add(
            DeadLetter(
                id=f"dl_{uuid.uuid4().hex}",
                tenant=item.tenant,
                job_id=item.job_id,
                item_id=item.id,
                reason=reason,
                message=item.error_message,
                attempts=item.attempts,
                died_at=now,
            )
        )
    await events.append(session, job, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_FAILED, item)], now)
    await settle(session, job, now)
    return True


async def retry_later(
    session: AsyncSession,
    claimed: Claimed,
    reason: str,
    message: str,
    available_at: datetime,
    now: datetime,
    *,
    counted: bool = True,
) -> bool:
    """The attempt failed; the item is queued again for `available_at`. False: the lease is lost, nothing is done.

    An item of a cancelled job ends as cancelled instead.

    Args:
        counted: False gives the attempt back and tells no watcher: a stage was away, or this worker stops.
    """
    held = await _held(session, claimed)
    if held is None:
        return False
    job, item = held
    await _end_attempt(session, claimed, reason, now)
    if not counted:
        item.attempts -= 1
    await _back_to_queue(session, job, item, reason, message, available_at, now, tell=counted)
    await settle(session, job, now)
    return True


def _options(job: Job, item: Item, hints: RedoHints) -> ProcessOptions:
    options = ProcessOptions.FromString(job.options)
    if item.category:
        options.category = item.category
    marketplaces = list(hints.marketplaces) or [name for name in item.marketplaces.split(",") if name]
    if marketplaces:
        options.marketplaces[:] = marketplaces
    if hints.HasField("region_of_interest"):
        options.region_of_interest.CopyFrom(hints.region_of_interest)
    if hints.points:
        del options.points[:]
        options.points.extend(hints.points)
    return options


async def _held(session: AsyncSession, claimed: Claimed) -> tuple[Job, Item] | None:
    """Job and item, locked, if the lease still holds the item, be it past its end."""
    job = await lock(session, claimed.item.tenant, claimed.item.job_id)
    item = await session.scalar(
        select(Item)
        .where(Item.id == claimed.item.id, Item.state == ItemState.RUNNING, Item.lease == claimed.lease)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return None if item is None else (job, item)


async def _end_attempt(session: AsyncSession, claimed: Claimed, reason: str, now: datetime) -> None:
    await session.execute(update(Attempt).where(Attempt.id == claimed.attempt_id).values(ended_at=now, reason=reason))


def _release(item: Item, state: ItemState, ended_at: datetime | None) -> None:
    item.state = state
    item.ended_at = ended_at
    item.lease = ""
    item.lease_expires_at = None


async def _back_to_queue(
    session: AsyncSession,
    job: Job,
    item: Item,
    reason: str,
    message: str,
    available_at: datetime,
    now: datetime,
    *,
    tell: bool = True,
) -> None:
    """Queues an item that ran, or ends it if its job was cancelled meanwhile; with both locked."""
    item.error_reason = reason
    item.error_message = without_nul(message)
    if job.state is JobState.CANCELLED:
        _release(item, ItemState.CANCELLED, now)
        job.cancelled += 1
        await events.append(session, job, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_CANCELLED, item)], now)
        return
    _release(item, ItemState.QUEUED, None)
    item.available_at = available_at
    if tell:
        await events.append(session, job, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_RETRYING, item)], now)


async def _keep(session: AsyncSession, tenant: str, new: NewResult, now: datetime) -> tuple[bool, Result]:
    """(True, the new result), or (False, the one another item made of the same photo in the meantime)."""
    made = await insert_unless_there(
        session,
        Result,
        id=new.result_id,
        tenant=tenant,
        key=new.key,
        photo_sha256=new.photo_sha256,
        photo_object=new.photo_object,
        response=new.response,
        verdict=new.verdict,
        confidence=new.confidence,
        created_at=now,
    )
    if made and new.files:
        rows = [{"result_id": new.result_id, **asdict(file)} for file in new.files]
        await session.execute(insert(ResultFile), rows)
    query = select(Result).where(Result.tenant == tenant, Result.key == new.key)
    return made, (await session.scalars(query)).one()


def _review(item: Item, result: Result, now: datetime) -> Review:
    return Review(
        id=item.review_id,
        tenant=item.tenant,
        job_id=item.job_id,
        item_id=item.id,
        result_id=result.id,
        state=ReviewState.WAITING,
        created_at=now,
        decided_by="",
        note="",
        hints=b"",
    )
