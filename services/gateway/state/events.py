"""What watchers see of a job: every change in order, numbered from 1 without gaps, kept with the job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1.jobs_pb2 import JobEvent, JobEventType
from services.gateway.state.tables import Item, Job


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event without its number and counts; `item` for an item's event."""

    type: JobEventType.ValueType
    item: Item | None = None


async def append(session: AsyncSession, job: Job, drafts: Sequence[EventDraft], now: datetime) -> None:
    """Adds events to a job whose lock this transaction holds, and a webhook delivery each if the job has a webhook.

    The job's counters and the items must be as they are after the events.
    """
    raise NotImplementedError


async def after(session: AsyncSession, tenant: str, job_id: str, sequence: int, limit: int) -> list[JobEvent]:
    """The job's next `limit` events after `sequence`, in order; none for another tenant's job.

    A job that was reopened has several of the events that end a watch: only one whose sequence is the job's
    `last_sequence` ends it.
    """
    raise NotImplementedError
