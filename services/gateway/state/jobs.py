"""Jobs and their items: made, listed, cancelled, queued again.

Whatever changes a job's counters or adds events holds the lock of the job's row (`lock`), so that counters are right
and event sequences have no gaps. Locks are taken in the order job, item, result.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1.jobs_pb2 import JobCounts
from services.gateway.state.tables import Item, ItemState, Job, JobState, Result, ResultFile


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
    raise NotImplementedError


async def add_items(
    session: AsyncSession, tenant: str, job_id: str, items: Iterable[NewItem], now: datetime
) -> tuple[int, int]:
    """Adds items to a job that is OPEN: (added, skipped because their keys were there).

    Raises:
        NotFoundError: The tenant has no such job.
        ConflictError: JOB_NOT_OPEN.
    """
    raise NotImplementedError


async def close_uploads(session: AsyncSession, tenant: str, job_id: str, now: datetime) -> Job:
    """No more items will come: OPEN becomes RUNNING, or COMPLETED when all have ended. Other states stay as they are.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


async def reading_jobs(session: AsyncSession, limit: int = 16) -> list[Job]:
    """The jobs, of all tenants, whose catalogue is to be fetched; oldest first."""
    raise NotImplementedError


async def set_catalogue(
    session: AsyncSession, tenant: str, job_id: str, catalogue_format: str, items: Iterable[NewItem], now: datetime
) -> bool:
    """The catalogue was read: READING becomes RUNNING with these items. False: it was not READING; nothing is done.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


async def fail_job(session: AsyncSession, tenant: str, job_id: str, reason: str, message: str, now: datetime) -> bool:
    """The catalogue cannot be read at all: READING becomes FAILED. False, and nothing done, when it is not READING.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


async def get_job(session: AsyncSession, tenant: str, job_id: str) -> Job:
    """The tenant's job.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


async def lock(session: AsyncSession, tenant: str, job_id: str) -> Job:
    """The tenant's job as it is now, locked until the transaction ends.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


async def list_jobs(
    session: AsyncSession,
    tenant: str,
    *,
    states: Collection[JobState] = (),
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> list[Job]:
    """The tenant's jobs, newest first; `after` is (created_at, id) of the last one of the page before."""
    raise NotImplementedError


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
    raise NotImplementedError


async def get_item(session: AsyncSession, tenant: str, job_id: str, key: str) -> ItemView:
    """One item.

    Raises:
        NotFoundError: The tenant has no such job, or the job no such item.
    """
    raise NotImplementedError


async def counts(session: AsyncSession, job_id: str) -> JobCounts:
    """The job's counts; quick however many items it has. QUEUED and DISPATCHED are both queued."""
    raise NotImplementedError


async def counts_of(session: AsyncSession, job_ids: Collection[str]) -> dict[str, JobCounts]:
    """The counts of several jobs by id."""
    raise NotImplementedError


async def cancel_job(session: AsyncSession, tenant: str, job_id: str, now: datetime) -> Job:
    """Items not begun end as cancelled, those in work are finished; a job that is over stays as it is.

    The state is CANCELLED at once; the event of it, and `ended_at`, come when the last item in work has ended.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


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
    raise NotImplementedError
