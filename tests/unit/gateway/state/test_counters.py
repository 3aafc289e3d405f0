"""Whatever happens to a job in whatever order: counters, events and charges are right after every step."""

import asyncio
import uuid
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1 import jobs_pb2
from services.gateway.state import events, jobs, proto, reviews, work
from services.gateway.state.database import Database
from services.gateway.state.tables import Item, ItemState, Job, JobState, LedgerEntry, ReviewState
from services.gateway.state.work import Claimed
from tests.helpers.state import NOW, TENANT, make_job, new_items, new_result

ITEMS = 4
STEPS = (
    "claim",
    "finish publish",
    "finish review",
    "finish reject",
    "fail",
    "retry later",
    "lose worker",
    "cancel",
    "retry items",
    "approve",
    "redo",
)


class Story:
    """A job, the workers that hold (or believe to hold) its items, and what is done to it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.claimed: list[Claimed] = []
        self.now = NOW

    async def step(self, session: AsyncSession, name: str) -> None:
        self.now += timedelta(seconds=1)
        job_id, now = self.job.id, self.now
        if name == "claim":
            for message in await work.take_for_dispatch(session, job_id, 1, now):
                claimed = await work.claim(session, message.item_id, "worker", uuid.uuid4().hex, now, 60)
                assert claimed is not None
                self.claimed.append(claimed)
        elif name == "lose worker":
            self.now += timedelta(hours=1)
            await work.requeue_stale(session, self.now, self.now)
        elif name == "cancel":
            await jobs.cancel_job(session, TENANT, job_id, now)
        elif name == "retry items":
            await jobs.retry_items(session, TENANT, job_id, [], now)
        elif name in ("approve", "redo"):
            decision = ReviewState.APPROVED if name == "approve" else ReviewState.REDONE
            for view in await reviews.list_reviews(session, TENANT, job_id=job_id, limit=1):
                await reviews.decide(
                    session, TENANT, view.review.id, decision, note="", hints=b"", decided_by="key", now=now
                )
        elif self.claimed:
            # The worker that claimed first comes last but one: some of them have lost their lease.
            await self._end(session, self.claimed.pop(0), name, now)

    async def _end(self, session: AsyncSession, claimed: Claimed, name: str, now: datetime) -> None:
        if name == "fail":
            await work.fail(session, claimed, "STAGE_BROKE", "it broke", now, dead=True)
        elif name == "retry later":
            await work.retry_later(session, claimed, "STAGE_BROKE", "it broke", now, now)
        else:
            # Two items each show the same photo.
            result = new_result(f"{self.job.id} {claimed.item.position // 2}", verdict=name.removeprefix("finish "))
            await work.finish(session, claimed, result, now)

    async def check(self, session: AsyncSession) -> None:
        job = await jobs.get_job(session, TENANT, self.job.id)
        counts = await jobs.counts(session, job.id)
        items = list(await session.scalars(select(Item).where(Item.job_id == job.id)))
        states = [item.state for item in items]
        assert counts == jobs_pb2.JobCounts(
            total=ITEMS,
            queued=states.count(ItemState.QUEUED) + states.count(ItemState.DISPATCHED),
            running=states.count(ItemState.RUNNING),
            succeeded=states.count(ItemState.SUCCEEDED),
            failed=states.count(ItemState.FAILED),
            cancelled=states.count(ItemState.CANCELLED),
            publish=sum(item.verdict == "publish" for item in items),
            review=sum(item.verdict == "review" for item in items),
            reject=sum(item.verdict == "reject" for item in items),
            credits=sum(item.credits for item in items),
        )
        ended = counts.succeeded + counts.failed + counts.cancelled == ITEMS
        assert (job.ended_at is not None) is ended
        if job.state is not JobState.CANCELLED:
            assert (job.state is JobState.COMPLETED) is ended
        else:
            assert counts.queued == 0
        told = await events.after(session, TENANT, job.id, 0, 10_000)
        assert [event.sequence for event in told] == list(range(1, job.last_sequence + 1))
        # A person may decide about a job that is over; nothing else happens to it.
        last = [event.type for event in told if event.type != jobs_pb2.JOB_EVENT_TYPE_REVIEW_DECIDED][-1]
        assert ended is (last in (jobs_pb2.JOB_EVENT_TYPE_COMPLETED, jobs_pb2.JOB_EVENT_TYPE_CANCELLED))
        for item in items:
            of_item = [event.item for event in told if event.item.item_key == item.key]
            if of_item and item.state not in (ItemState.RUNNING, ItemState.QUEUED, ItemState.DISPATCHED):
                assert of_item[-1] == proto.item_message(item)
        charges = list(await session.scalars(select(LedgerEntry).where(LedgerEntry.item_id.in_([i.id for i in items]))))
        assert len({charge.result_id for charge in charges}) == len(charges) == counts.credits


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=5, max_size=15))
def test_counters_events_and_charges_agree_after_every_step(sqlite_url: str, steps: list[str]) -> None:
    async def live() -> None:
        database = Database(sqlite_url)
        try:
            story = Story(await make_job(database, items=new_items(ITEMS)))
            async with database.begin() as session:
                for name in steps:
                    await story.step(session, name)
                    await session.flush()
                    session.expire_all()
                    await story.check(session)
                await session.rollback()
        finally:
            await database.close()

    asyncio.run(live())
