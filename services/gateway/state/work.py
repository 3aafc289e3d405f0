"""The work queue's truth: which items wait, who runs which, and how each ends, once.

A message of the work queue is only a hint that an item may be worked on. `claim` decides, `finish`, `fail` and
`retry_later` take effect only for the lease that holds the item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1.packshot_pb2 import ProcessOptions
from packshot.v1.reviews_pb2 import RedoHints
from services.gateway.state.tables import Item, Job, Result


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
    """An item whose message is to be published; `dispatches` makes the message's id unique."""

    item_id: int
    job_id: str
    tenant: str
    dispatches: int


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
    raise NotImplementedError


async def take_for_dispatch(session: AsyncSession, job_id: str, count: int, now: datetime) -> list[Dispatched]:
    """The next `count` items of a job that may be dispatched, in order; they are DISPATCHED from now on."""
    raise NotImplementedError


async def requeue_stale(session: AsyncSession, now: datetime, dispatched_before: datetime) -> int:
    """Queues again what was dispatched before then and never claimed, or is run by a worker whose lease has ended.

    Items of a cancelled job end as cancelled instead. An attempt that was lost this way counts.

    Returns:
        How many.
    """
    raise NotImplementedError


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
    raise NotImplementedError


async def renew(session: AsyncSession, item_id: int, lease: str, now: datetime, lease_s: float) -> bool:
    """Makes the lease last until `lease_s` from now; False when another worker has taken over or the item has ended."""
    raise NotImplementedError


async def finish(session: AsyncSession, claimed: Claimed, result: NewResult | Result, now: datetime) -> bool:
    """It succeeded: result, files, charge, review and events in one go. False: the lease is lost, nothing is done.

    Args:
        result: One from `results.find` was in the store already and is not charged again; nor is a new one whose key
            another item was quicker to use.
    """
    raise NotImplementedError


async def fail(
    session: AsyncSession, claimed: Claimed, reason: str, message: str, now: datetime, *, dead: bool
) -> bool:
    """The item failed for good. False: the lease is lost, nothing is done.

    Args:
        reason: UPPER_SNAKE.
        dead: It was given up after too many attempts and becomes a dead letter.
    """
    raise NotImplementedError


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
    raise NotImplementedError
