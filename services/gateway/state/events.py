"""What watchers see of a job: every change in order, numbered from 1 without gaps, kept with the job."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1 import jobs_pb2
from services.common.telemetry.traces import traceparent
from services.gateway.state import proto
from services.gateway.state.tables import Item, ItemState, Job, WebhookDelivery
from services.gateway.state.tables import JobEvent as JobEventRow

_WEBHOOK_TYPES: Final = frozenset(
    {
        jobs_pb2.JOB_EVENT_TYPE_ITEM_SUCCEEDED,
        jobs_pb2.JOB_EVENT_TYPE_ITEM_FAILED,
        jobs_pb2.JOB_EVENT_TYPE_ITEM_CANCELLED,
        jobs_pb2.JOB_EVENT_TYPE_REVIEW_DECIDED,
        jobs_pb2.JOB_EVENT_TYPE_COMPLETED,
        jobs_pb2.JOB_EVENT_TYPE_CANCELLED,
        jobs_pb2.JOB_EVENT_TYPE_FAILED,
    }
)
"""How items and jobs end; the steps on the way are for watchers only."""


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event without its number and counts; `item` for an item's event."""

    type: jobs_pb2.JobEventType.ValueType
    item: Item | None = None


async def append(session: AsyncSession, job: Job, drafts: Sequence[EventDraft], now: datetime) -> None:
    """Adds events to a job whose lock this transaction holds, and a webhook delivery each if the job has a webhook.

    The job's counters and the items must be as they are after the events.
    """
    if not drafts:
        return
    await session.flush()
    running = select(func.count()).select_from(Item).where(Item.job_id == job.id, Item.state == ItemState.RUNNING)
    counts = proto.counts_message(job, await session.scalar(running) or 0)
    occurred_at = proto.timestamp(now)
    rows, deliveries = [], []
    for sequence, draft in enumerate(drafts, job.last_sequence + 1):
        event = jobs_pb2.JobEvent(
            sequence=sequence,
            job_id=job.id,
            type=draft.type,
            occurred_at=occurred_at,
            counts=counts,
            item=proto.item_message(draft.item) if draft.item is not None else None,
        )
        rows.append({"job_id": job.id, "sequence": sequence, "tenant": job.tenant, "event": event.SerializeToString()})
        if job.webhook_url and draft.type in _WEBHOOK_TYPES:
            deliveries.append(
                {
                    "id": f"wh_{uuid.uuid4().hex}",
                    "tenant": job.tenant,
                    "job_id": job.id,
                    "sequence": sequence,
                    "url": job.webhook_url,
                    "state": "waiting",
                    "attempts": 0,
                    "next_attempt_at": now,
                    "last_outcome": "",
                    "traceparent": traceparent(),
                }
            )
    job.last_sequence += len(drafts)
    # RETURNING makes it one statement of many rows; without, PostgreSQL is asked row by row.
    await session.execute(insert(JobEventRow).returning(JobEventRow.sequence), rows)
    if deliveries:
        await session.execute(insert(WebhookDelivery).returning(WebhookDelivery.id), deliveries)


async def after(session: AsyncSession, tenant: str, job_id: str, sequence: int, limit: int) -> list[jobs_pb2.JobEvent]:
    """The job's next `limit` events after `sequence`, in order; none for another tenant's job.

    A job that was reopened has several of the events that end a watch: only one whose sequence is the job's
    `last_sequence` ends it.
    """
    rows = await session.scalars(
        select(JobEventRow.event)
        .where(JobEventRow.tenant == tenant, JobEventRow.job_id == job_id, JobEventRow.sequence > sequence)
        .order_by(JobEventRow.sequence)
        .limit(limit)
    )
    return [jobs_pb2.JobEvent.FromString(row) for row in rows]
