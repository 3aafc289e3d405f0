"""Jobs and their items: made, listed, cancelled, queued again.

Whatever changes a job's counters or adds events holds the lock of the job's row (`lock`), so that counters are right
and event sequences have no gaps. Locks are taken in the order job, item, result.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, and_, func, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1 import jobs_pb2
from packshot.v1.jobs_pb2 import JobCounts
from services.gateway.state import events, proto, results
from services.gateway.state.errors import ConflictError, NotFoundError, RequestIdReusedError
from services.gateway.state.events import EventDraft
from services.gateway.state.insert import insert, insert_unless_there
from services.gateway.state.tables import DeadLetter, Item, ItemState, Job, JobState, Result, ResultFile

T = TypeVar("T")

_SLICE: Final = 1000
"""Items handled at once: keeps memory flat however many a job has."""
_OVER: Final = (JobState.COMPLETED, JobState.CANCELLED, JobState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be made.

    Attributes:
        job_id: job_ and 32 random hex digits.
        tenant: Must be in `tenants`.
        request_id: None: every call makes a job.
        request_sha256: Hex, of the request without its request_id.
        state: OPEN (takes uploads), READING (catalogue to be fetched) or RUNNING (all items are given).
        priority: 1 is worked on before 9.
        options: A serialised ProcessOptions.
        traceparent: W3C trace context of the call that makes it; empty without a trace.
    """

    job_id: str
    tenant: str
    request_id: str | None
    request_sha256: str
    label: str
    state: JobState
    priority: int
    options: bytes
    catalogue_url: str = ""
    catalogue_format: str = ""
    webhook_url: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to be added; with an `error_reason` (UPPER_SNAKE) it has failed already, e.g. a bad row of a catalogue.

    Attributes:
        key: Unique within the job; an item whose key is there already is read over.
        row_number: The catalogue's line from 1; 0 without a catalogue.
        source_url: Empty for an uploaded photo.
        photo_object: Where an uploaded photo is kept; empty for a URL.
        marketplaces: Empty means the job's.
    """

    key: str
    sku: str = ""
    row_number: int = 0
    source_url: str = ""
    photo_object: str = ""
    category: str = ""
    marketplaces: Sequence[str] = ()
    error_reason: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item and what was made of it; `files` is empty without a result."""

    item: Item
    result: Result | None
    files: Sequence[ResultFile]


async def create_job(session: AsyncSession, new: NewJob, items: Iterable[NewItem], now: datetime) -> tuple[Job, bool]:
    """Makes a job with its first items, and its events; (job, True), or (the job made before, False).

    Memory stays flat when `items` is a generator. A job in state RUNNING whose items all failed is completed at once.

    Raises:
        RequestIdReusedError: The tenant used the request id for other content.
    """
    made = await insert_unless_there(
        session,
        Job,
        id=new.job_id,
        tenant=new.tenant,
        request_id=new.request_id,
        request_sha256=new.request_sha256,
        label=new.label,
        state=new.state,
        priority=new.priority,
        options=new.options,
        catalogue_url=new.catalogue_url,
        catalogue_format=new.catalogue_format,
        webhook_url=new.webhook_url,
        traceparent=new.traceparent,
        last_sequence=0,
        total=0,
        succeeded=0,
        failed=0,
        cancelled=0,
        publish=0,
        review=0,
        reject=0,
        credits=0,
        created_at=now,
        error_reason="",
        error_message="",
    )
    if not made:
        return await _made_before(session, new), False
    job = await session.get_one(Job, new.job_id)
    await events.append(session, job, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_CREATED)], now)
    await _add(session, job, items, now)
    await settle(session, job, now)
    return job, True


async def add_items(
    session: AsyncSession, tenant: str, job_id: str, items: Iterable[NewItem], now: datetime
) -> tuple[int, int]:
    """Adds items to a job that is OPEN: (added, skipped because their keys were there).

    Raises:
        NotFoundError: The tenant has no such job.
        ConflictError: JOB_NOT_OPEN.
    """
    job = await lock(session, tenant, job_id)
    if job.state is not JobState.OPEN:
        raise ConflictError("JOB_NOT_OPEN", f"{job_id} is {job.state}: it takes no more items")
    return await _add(session, job, items, now)


async def close_uploads(session: AsyncSession, tenant: str, job_id: str, now: datetime) -> Job:
    """No more items will come: OPEN becomes RUNNING, or COMPLETED when all have ended. Other states stay as they are.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    job = await lock(session, tenant, job_id)
    if job.state is JobState.OPEN:
        job.state = JobState.RUNNING
        await settle(session, job, now)
    return job


async def reading_jobs(session: AsyncSession, limit: int = 16) -> list[Job]:
    """The jobs, of all tenants, whose catalogue is to be fetched; oldest first."""
    rows = await session.scalars(
        select(Job).where(Job.state == JobState.READING).order_by(Job.created_at, Job.id).limit(limit)
    )
    return list(rows)


async def set_catalogue(
    session: AsyncSession, tenant: str, job_id: str, catalogue_format: str, items: Iterable[NewItem], now: datetime
) -> bool:
    """The catalogue was read: READING becomes RUNNING with these items. False: it was not READING; nothing is done.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    job = await lock(session, tenant, job_id)
    if job.state is not JobState.READING:
        return False
    job.state = JobState.RUNNING
    job.catalogue_format = catalogue_format
    await _add(session, job, items, now)
    await settle(session, job, now)
    return True


async def fail_job(session: AsyncSession, tenant: str, job_id: str, reason: str, message: str, now: datetime) -> bool:
    """The catalogue cannot be read at all: READING becomes FAILED. False, and nothing done, when it is not READING.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    job = await lock(session, tenant, job_id)
    if job.state is not JobState.READING:
        return False
    job.state = JobState.FAILED
    job.error_reason = reason
    job.error_message = without_nul(message)
    job.ended_at = now
    await events.append(session, job, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_FAILED)], now)
    return True


async def get_job(session: AsyncSession, tenant: str, job_id: str) -> Job:
    """The tenant's job.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    return await _job(session, tenant, job_id)


async def lock(session: AsyncSession, tenant: str, job_id: str) -> Job:
    """The tenant's job as it is now, locked until the transaction ends.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    return await _job(session, tenant, job_id, with_lock=True)


async def list_jobs(
    session: AsyncSession,
    tenant: str,
    *,
    states: Collection[JobState] = (),
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> list[Job]:
    """The tenant's jobs, newest first; `after` is (created_at, id) of the last one of the page before."""
    query = select(Job).where(Job.tenant == tenant)
    if states:
        query = query.where(Job.state.in_(states))
    if after is not None:
        created_at, job_id = after
        query = query.where(or_(Job.created_at < created_at, and_(Job.created_at == created_at, Job.id < job_id)))
    return list(await session.scalars(query.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit)))


async def list_items(
    session: AsyncSession,
    tenant: str,
    job_id: str,
    *,
    states: Collection[ItemState] = (),
    after_position: int = -1,
    limit: int,
) -> list[ItemView]:
    """The job's items in the order of the catalogue, from the one after `after_position`.

    Callers' QUEUED is QUEUED and DISPATCHED here: see `proto.item_states`.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    await get_job(session, tenant, job_id)
    query = select(Item).where(Item.job_id == job_id, Item.position > after_position)
    if states:
        # The first of each state by themselves: each is read in order from the index, whatever the job's size.
        firsts = [
            select(
                select(Item.id, Item.position)
                .where(Item.job_id == job_id, Item.state == state, Item.position > after_position)
                .order_by(Item.position)
                .limit(limit)
                .subquery()
            )
            for state in sorted(states)
        ]
        ids = (await session.execute(union_all(*firsts).order_by("position").limit(limit))).scalars()
        query = select(Item).where(Item.id.in_(list(ids)))
    items = list(await session.scalars(query.order_by(Item.position).limit(limit)))
    return await view(session, items)


async def get_item(session: AsyncSession, tenant: str, job_id: str, key: str) -> ItemView:
    """One item.

    Raises:
        NotFoundError: The tenant has no such job, or the job no such item.
    """
    await get_job(session, tenant, job_id)
    item = await session.scalar(select(Item).where(Item.job_id == job_id, Item.key == key))
    if item is None:
        raise NotFoundError("item", key)
    return (await view(session, [item]))[0]


async def counts(session: AsyncSession, job_id: str) -> JobCounts:
    """The job's counts; quick however many items it has. QUEUED and DISPATCHED are both queued."""
    return (await counts_of(session, [job_id]))[job_id]


async def counts_of(session: AsyncSession, job_ids: Collection[str]) -> dict[str, JobCounts]:
    """The counts of several jobs by id."""
    running = (
        select(func.count())
        .select_from(Item)
        .where(Item.job_id == Job.id, Item.state == ItemState.RUNNING)
        .correlate(Job)
        .scalar_subquery()
    )
    # One statement, so that counters and running items are of one moment; and the job as it is at that moment.
    rows = await session.execute(
        select(Job, running).where(Job.id.in_(job_ids)).execution_options(populate_existing=True)
    )
    return {job.id: proto.counts_message(job, count) for job, count in rows}


async def cancel_job(session: AsyncSession, tenant: str, job_id: str, now: datetime) -> Job:
    """Items not begun end as cancelled, those in work are finished; a job that is over stays as it is.

    The state is CANCELLED at once; the event of it, and `ended_at`, come when the last item in work has ended.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    job = await lock(session, tenant, job_id)
    if job.state in _OVER:
        return job
    job.state = JobState.CANCELLED
    for state in (ItemState.DISPATCHED, ItemState.QUEUED):
        async for items in _change(session, job, Item.state == state, state=ItemState.CANCELLED, ended_at=now):
            job.cancelled += len(items)
            drafts = [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_CANCELLED, item) for item in items]
            await events.append(session, job, drafts, now)
    await settle(session, job, now)
    return job


async def retry_items(
    session: AsyncSession, tenant: str, job_id: str, keys: Collection[str], now: datetime
) -> tuple[Job, int]:
    """Queues failed and cancelled items again with all attempts before them; a job that was over is RUNNING again.

    Bad rows of a catalogue, which have no photo, stay failed. Items that did not fail are read over.

    Args:
        keys: Empty means all.

    Returns:
        The job, and how many items were queued again.

    Raises:
        NotFoundError: The tenant has no such job, or the job no item of that key.
    """
    job = await lock(session, tenant, job_id)
    retried = 0
    if not keys:
        return job, await queue_again(session, job, Item.job_id == job.id, now)
    for some in slices(keys):
        there = set(await session.scalars(select(Item.key).where(Item.job_id == job_id, Item.key.in_(some))))
        for key in some:
            if key not in there:
                raise NotFoundError("item", key)
        retried += await queue_again(session, job, Item.key.in_(some), now)
    return job, retried


async def queue_again(session: AsyncSession, job: Job, which: ColumnElement[bool], now: datetime) -> int:
    """Queues those of the job's failed and cancelled items, with the job's lock held; see `retry_items`."""
    queued = 0
    for state in (ItemState.FAILED, ItemState.CANCELLED):
        chosen = and_(Item.state == state, or_(Item.source_url != "", Item.photo_object != ""), which)
        async for items in _change(
            session,
            job,
            chosen,
            state=ItemState.QUEUED,
            available_at=now,
            attempts=0,
            error_reason="",
            error_message="",
            ended_at=None,
        ):
            queued += len(items)
            if state is ItemState.FAILED:
                job.failed -= len(items)
            else:
                job.cancelled -= len(items)
            reopen(job)
            await session.execute(
                update(DeadLetter)
                .where(DeadLetter.item_id.in_([item.id for item in items]), DeadLetter.requeued_at.is_(None))
                .values(requeued_at=now)
            )
            drafts = [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_REQUEUED, item) for item in items]
            await events.append(session, job, drafts, now)
    return queued


def reopen(job: Job) -> None:
    """One of its items is queued again."""
    if job.state in (JobState.COMPLETED, JobState.CANCELLED):
        job.state = JobState.RUNNING
        job.ended_at = None


async def settle(session: AsyncSession, job: Job, now: datetime) -> None:
    """Ends the job, with its lock held, if its last item has ended and no more can come."""
    if job.ended_at is not None or job.succeeded + job.failed + job.cancelled < job.total:
        return
    if job.state is JobState.RUNNING:
        job.state = JobState.COMPLETED
        ended = EventDraft(jobs_pb2.JOB_EVENT_TYPE_COMPLETED)
    elif job.state is JobState.CANCELLED:
        ended = EventDraft(jobs_pb2.JOB_EVENT_TYPE_CANCELLED)
    else:
        return
    job.ended_at = now
    await events.append(session, job, [ended], now)


async def view(session: AsyncSession, items: Sequence[Item]) -> list[ItemView]:
    """Items with what was made of them."""
    result_ids = {item.result_id for item in items if item.result_id is not None}
    if not result_ids:
        return [ItemView(item, None, ()) for item in items]
    found = {result.id: result for result in await session.scalars(select(Result).where(Result.id.in_(result_ids)))}
    files = await results.files_of(session, result_ids)
    return [
        ItemView(item, found[item.result_id], files.get(item.result_id, ()))
        if item.result_id is not None
        else ItemView(item, None, ())
        for item in items
    ]


def slices(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in lists short enough for one statement."""
    left = iter(values)
    while some := list(islice(left, _SLICE)):
        yield some


def without_nul(text: str) -> str:
    """PostgreSQL cannot keep U+0000 in a text."""
    return text.replace("\0", "")


async def _job(session: AsyncSession, tenant: str, job_id: str, *, with_lock: bool = False) -> Job:
    query = select(Job).where(Job.id == job_id, Job.tenant == tenant)
    if with_lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    job = await session.scalar(query)
    if job is None:
        raise NotFoundError("job", job_id)
    return job


async def _made_before(session: AsyncSession, new: NewJob) -> Job:
    same = Job.id == new.job_id
    if new.request_id is not None:
        same = or_(same, Job.request_id == new.request_id)
    job = await session.scalar(select(Job).where(Job.tenant == new.tenant, same))
    if job is None:
        raise ConflictError("JOB_ID_IN_USE", f"{new.job_id} is in use")
    if job.request_sha256 != new.request_sha256:
        raise RequestIdReusedError(new.request_id or "", job.id)
    return job


async def _add(session: AsyncSession, job: Job, items: Iterable[NewItem], now: datetime) -> tuple[int, int]:
    """Adds items with the job's lock held: (added, skipped)."""
    last = await session.scalar(select(func.max(Item.position)).where(Item.job_id == job.id))
    first = position = 0 if last is None else last + 1
    added = skipped = 0
    for some in slices(items):
        rows = [_row(job, item, number, now) for number, item in enumerate(some, position)]
        position += len(rows)
        # RETURNING makes it one statement of many rows; without, PostgreSQL is asked row by row.
        unless_there = insert(session, Item).on_conflict_do_nothing(index_elements=["job_id", "key"])
        states = list(await session.scalars(unless_there.returning(Item.state), rows))
        added += len(states)
        skipped += len(some) - len(states)
        job.total += len(states)
        job.failed += states.count(ItemState.FAILED)
    if added:
        await events.append(session, job, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEMS_ADDED)], now)
        await _tell_failed(session, job, first, now)
    return added, skipped


def _row(job: Job, item: NewItem, position: int, now: datetime) -> dict[str, Any]:
    failed = item.error_reason != ""
    return {
        "job_id": job.id,
        "tenant": job.tenant,
        "position": position,
        "key": item.key,
        "sku": without_nul(item.sku),
        "row_number": item.row_number,
        "source_url": without_nul(item.source_url),
        "photo_object": item.photo_object,
        "category": item.category,
        "marketplaces": ",".join(item.marketplaces),
        "hints": b"",
        "state": ItemState.FAILED if failed else ItemState.QUEUED,
        "available_at": now,
        "dispatches": 0,
        "attempts": 0,
        "lease": "",
        "error_reason": item.error_reason,
        "error_message": without_nul(item.error_message),
        "repeated": False,
        "verdict": "",
        "confidence": 0.0,
        "review_id": "",
        "credits": 0,
        "ended_at": now if failed else None,
    }


async def _tell_failed(session: AsyncSession, job: Job, position: int, now: datetime) -> None:
    """Adds the events of the items, from `position` on, that came in failed."""
    while True:
        query = select(Item).where(Item.job_id == job.id, Item.state == ItemState.FAILED, Item.position >= position)
        items = list(await session.scalars(query.order_by(Item.position).limit(_SLICE)))
        if not items:
            return
        drafts = [EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_FAILED, item) for item in items]
        await events.append(session, job, drafts, now)
        position = items[-1].position + 1


async def _change(
    session: AsyncSession, job: Job, which: ColumnElement[bool], **values: object
) -> AsyncIterator[list[Item]]:
    """Sets `values`, which must make `which` false, on those of the job's items; yields them changed, in slices."""
    while True:
        query = select(Item.id).where(Item.job_id == job.id, which).order_by(Item.position).limit(_SLICE)
        ids = list(await session.scalars(query))
        if not ids:
            return
        # `which` again: another transaction may have changed the item since.
        changed = await session.scalars(
            update(Item)
            .where(Item.id.in_(ids), which)
            .values(**values)
            .returning(Item)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        yield sorted(changed, key=lambda item: item.position)
