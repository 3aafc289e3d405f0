"""Work is done once: whoever dies, comes late, or comes twice."""

import asyncio
import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from packshot.v1 import jobs_pb2
from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.packshot_pb2 import ProcessOptions
from packshot.v1.reviews_pb2 import RedoHints
from services.gateway.state import dead_letters, events, jobs, ledger, results, work
from services.gateway.state.database import Database
from services.gateway.state.jobs import NewItem
from services.gateway.state.tables import (
    Attempt,
    DeadLetter,
    Item,
    ItemState,
    Job,
    JobState,
    LedgerEntry,
    Result,
    Review,
)
from services.gateway.state.work import Claimed
from tests.helpers.state import NOW, TENANT, claim_next, finish_next, make_job, new_items, new_job, new_result

LATER = NOW + timedelta(minutes=5)


async def item_of(database: Database, claimed: Claimed) -> Item:
    async with database.read() as session:
        return (await jobs.get_item(session, TENANT, claimed.job.id, claimed.item.key)).item


async def job_of(database: Database, job: Job) -> Job:
    async with database.read() as session:
        return await jobs.get_job(session, TENANT, job.id)


async def event_types(database: Database, job: Job) -> list[str]:
    async with database.read() as session:
        seen = await events.after(session, TENANT, job.id, 0, 1000)
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    return [jobs_pb2.JobEventType.Name(event.type).removeprefix("JOB_EVENT_TYPE_") for event in seen]


async def rows(database: Database, table: type[Result | LedgerEntry | Review | DeadLetter | Attempt]) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def claim(database: Database, item_id: int, now: datetime = NOW) -> Claimed | None:
    lease = uuid.uuid4().hex
    return await database.write(lambda session: work.claim(session, item_id, "worker", lease, now, 60.0))


class TestWaiting:
    async def test_a_job_waits_with_what_is_queued_and_says_what_is_in_flight(self, database: Database) -> None:
        job = await make_job(database, items=new_items(5))
        await claim_next(database, job)
        await database.write(lambda session: work.take_for_dispatch(session, job.id, 1, NOW))
        async with database.read() as session:
            (waiting,) = await work.waiting_jobs(session, NOW)
        assert waiting == work.WaitingJob(TENANT, job.id, 5, waiting=3, in_flight=2)

    async def test_it_is_counted_up_to_a_limit(self, database: Database) -> None:
        await make_job(database, items=new_items(20))
        async with database.read() as session:
            (waiting,) = await work.waiting_jobs(session, NOW, limit=7)
        assert waiting.waiting == 7

    async def test_a_job_being_uploaded_is_worked_on_already(self, database: Database) -> None:
        await make_job(database, new_job(state=JobState.OPEN), new_items(1))
        async with database.read() as session:
            assert len(await work.waiting_jobs(session, NOW)) == 1

    async def test_nothing_waits_for_later_or_in_an_ended_job(self, database: Database) -> None:
        backing_off, cancelled = [await make_job(database, items=new_items(1)) for _ in range(2)]
        claimed = await claim_next(database, backing_off)
        await database.write(lambda s: work.retry_later(s, claimed, "STAGE_BROKE", "it broke", LATER, NOW))
        await database.write(lambda s: jobs.cancel_job(s, TENANT, cancelled.id, NOW))
        async with database.read() as session:
            assert await work.waiting_jobs(session, NOW) == []
            assert [job.job_id for job in await work.waiting_jobs(session, LATER)] == [backing_off.id]

    async def test_items_are_taken_in_order_and_once(self, database: Database) -> None:
        job = await make_job(database, items=new_items(5))
        first = await database.write(lambda session: work.take_for_dispatch(session, job.id, 3, NOW))
        second = await database.write(lambda session: work.take_for_dispatch(session, job.id, 3, NOW))
        async with database.read() as session:
            listed = await jobs.list_items(session, TENANT, job.id, limit=10)
        assert [taken.item_id for taken in first + second] == [view.item.id for view in listed]
        assert {taken.dispatches for taken in first + second} == {1}


class TestClaim:
    async def test_of_many_workers_with_the_same_message_one_gets_the_item(self, database_url: str) -> None:
        workers = [Database(database_url) for _ in range(6)]
        try:
            job = await make_job(workers[0], items=new_items(1))
            (taken,) = await workers[0].write(lambda session: work.take_for_dispatch(session, job.id, 1, NOW))
            claims = await asyncio.gather(*(claim(worker, taken.item_id) for worker in workers))
            assert sum(claimed is not None for claimed in claims) == 1
            assert await rows(workers[0], Attempt) == 1
        finally:
            await asyncio.gather(*(worker.close() for worker in workers))

    async def test_an_item_that_ended_is_not_claimed(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await finish_next(database, job)
        assert await claim(database, claimed.item.id, LATER) is None

    async def test_an_item_that_waits_for_later_is_not_claimed_before(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        first = await claim_next(database, job)
        await database.write(lambda s: work.retry_later(s, first, "STAGE_BROKE", "it broke", LATER, NOW))
        assert await claim(database, first.item.id, NOW) is None
        second = await claim(database, first.item.id, LATER)
        assert second is not None
        assert second.item.attempts == 2

    async def test_a_dead_workers_item_is_taken_over_when_its_lease_ends(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        dead = await claim_next(database, job, lease_s=60)
        assert await claim(database, dead.item.id, NOW + timedelta(seconds=59)) is None
        heir = await claim(database, dead.item.id, NOW + timedelta(seconds=60))
        assert heir is not None
        assert not await database.write(lambda s: work.renew(s, dead.item.id, dead.lease, LATER, 60))
        assert not await database.write(lambda s: work.finish(s, dead, new_result(), LATER))
        assert await rows(database, Result) == 0
        assert await database.write(lambda s: work.finish(s, heir, new_result(), LATER))

    async def test_a_renewed_lease_keeps_others_away(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await claim_next(database, job, lease_s=60)
        soon = NOW + timedelta(seconds=50)
        assert await database.write(lambda s: work.renew(s, claimed.item.id, claimed.lease, soon, 60))
        assert await claim(database, claimed.item.id, NOW + timedelta(seconds=100)) is None

    async def test_claiming_again_with_the_same_lease_changes_nothing(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await claim_next(database, job)
        again = await database.write(lambda s: work.claim(s, claimed.item.id, "w", claimed.lease, NOW, 60.0))
        assert again is not None
        assert (again.item.attempts, again.attempt_id) == (1, claimed.attempt_id)

    async def test_the_items_own_options_go_over_the_jobs(self, database: Database) -> None:
        options = ProcessOptions(marketplaces=["amazon-us"], category="electronics")
        item = NewItem(key="1", source_url="https://shop.example/1.jpg", category="beauty", marketplaces=["amazon-de"])
        job = await make_job(database, new_job(options=options), [item])
        claimed = await claim_next(database, job)
        assert claimed.options == ProcessOptions(marketplaces=["amazon-de"], category="beauty")

    def test_hints_go_over_both(self) -> None:
        options = ProcessOptions(marketplaces=["amazon-us"], points=[PointHint(x=1, y=1)])
        hints = RedoHints(
            region_of_interest=BoundingBox(width=5), points=[PointHint(x=2, y=2)], marketplaces=["amazon-jp"]
        )
        laid = work._options(Job(options=options.SerializeToString()), Item(category="", marketplaces=""), hints)
        assert laid == ProcessOptions(
            marketplaces=["amazon-jp"], points=[PointHint(x=2, y=2)], region_of_interest=BoundingBox(width=5)
        )


class TestFinish:
    async def test_a_result_to_publish_is_kept_and_charged(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await finish_next(database, job, new_result("a photo", confidence=0.75))
        item = await item_of(database, claimed)
        assert (item.state, item.verdict, item.confidence) == (ItemState.SUCCEEDED, "publish", 0.75)
        assert (item.credits, ledger.price_tier(item), item.repeated) == (1, "standard", False)
        assert (item.lease, item.lease_expires_at, item.ended_at) == ("", None, NOW)
        async with database.read() as session:
            assert await ledger.balance(session, TENANT) == -1
            view = await jobs.get_item(session, TENANT, job.id, item.key)
            assert view.result == await results.find(session, TENANT, new_result("a photo").key)
            assert [file.marketplace for file in view.files] == ["amazon-us"]

    async def test_the_last_item_completes_the_job(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2))
        await finish_next(database, job)
        assert (await job_of(database, job)).state is JobState.RUNNING
        await finish_next(database, job)
        completed = await job_of(database, job)
        assert (completed.state, completed.ended_at) == (JobState.COMPLETED, NOW)
        assert await event_types(database, job) == [
            "CREATED",
            "ITEMS_ADDED",
            "ITEM_SUCCEEDED",
            "ITEM_SUCCEEDED",
            "COMPLETED",
        ]

    async def test_finishing_twice_changes_nothing(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await finish_next(database, job)
        assert not await database.write(lambda s: work.finish(s, claimed, new_result("other"), LATER))
        assert not await database.write(lambda s: work.fail(s, claimed, "LATE", "late", LATER, dead=True))
        assert not await database.write(lambda s: work.retry_later(s, claimed, "LATE", "late", LATER, LATER))
        assert (await rows(database, Result), await rows(database, DeadLetter)) == (1, 0)
        assert len(await event_types(database, job)) == 4

    async def test_a_result_to_review_waits_for_a_person_and_is_not_charged(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await finish_next(database, job, new_result(verdict="review"))
        item = await item_of(database, claimed)
        assert (item.verdict, item.credits) == ("review", 0)
        assert item.review_id.startswith("rev_")
        assert (await rows(database, Review), await rows(database, LedgerEntry)) == (1, 0)

    async def test_a_rejected_result_is_not_charged(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        await finish_next(database, job, new_result(verdict="reject"))
        assert (await rows(database, Review), await rows(database, LedgerEntry)) == (0, 0)

    async def test_the_same_photo_again_is_served_from_the_store(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2))
        await finish_next(database, job, new_result("a photo"))
        claimed = await claim_next(database, job)

        async def again() -> bool:
            async with database.read() as session:
                found = await results.find(session, TENANT, new_result("a photo").key)
            assert found is not None
            return await database.write(lambda s: work.finish(s, claimed, found, NOW))

        assert await again()
        item = await item_of(database, claimed)
        assert (item.repeated, item.credits, ledger.price_tier(item)) == (True, 0, "none")
        async with database.read() as session:
            assert await ledger.balance(session, TENANT) == -1

    async def test_the_same_photo_at_the_same_time_is_kept_and_charged_once(self, database_url: str) -> None:
        workers = [Database(database_url) for _ in range(6)]
        try:
            made = [await make_job(workers[0], items=new_items(2)) for _ in range(3)]
            claims = [await claim_next(workers[0], job) for job in made for _ in range(2)]
            outcomes = await asyncio.gather(
                *(
                    worker.write(lambda s, c=claimed: work.finish(s, c, new_result("the same"), NOW))  # type: ignore[misc]
                    for worker, claimed in zip(workers, claims, strict=True)
                )
            )
            assert outcomes == [True] * 6
            assert (await rows(workers[0], Result), await rows(workers[0], LedgerEntry)) == (1, 1)
            items = [await item_of(workers[0], claimed) for claimed in claims]
            assert sorted(item.repeated for item in items) == [False] + [True] * 5
            assert len({item.result_id for item in items}) == 1
        finally:
            await asyncio.gather(*(worker.close() for worker in workers))

    async def test_other_tenants_with_the_same_photo_have_results_of_their_own(self, database: Database) -> None:
        for tenant in (TENANT, "other"):
            job = await make_job(database, new_job(tenant=tenant), new_items(1))
            await finish_next(database, job, new_result("the same"))
        assert (await rows(database, Result), await rows(database, LedgerEntry)) == (2, 2)


class TestFail:
    async def test_it_keeps_the_reason_and_is_not_charged(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await claim_next(database, job)
        assert await database.write(
            lambda s: work.fail(s, claimed, "PHOTO_TRUNCATED", "ends too\0 early", NOW, dead=False)
        )
        item = await item_of(database, claimed)
        assert (item.state, item.error_reason, item.error_message) == (
            ItemState.FAILED,
            "PHOTO_TRUNCATED",
            "ends too early",
        )
        assert (await rows(database, LedgerEntry), await rows(database, DeadLetter)) == (0, 0)
        assert (await job_of(database, job)).state is JobState.COMPLETED

    async def test_given_up_after_too_many_attempts_it_is_a_dead_letter(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await claim_next(database, job)
        await database.write(lambda s: work.fail(s, claimed, "STAGE_BROKE", "it broke", NOW, dead=True))
        async with database.read() as session:
            (letter,) = await dead_letters.list_dead_letters(session, TENANT, limit=10)
        assert (letter.dead_letter.reason, letter.dead_letter.attempts, letter.item.key) == (
            "STAGE_BROKE",
            1,
            "item-00000",
        )


class TestRetryLater:
    async def test_the_attempt_counts(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await claim_next(database, job)
        await database.write(lambda s: work.retry_later(s, claimed, "STAGE_BROKE", "it broke", LATER, NOW))
        item = await item_of(database, claimed)
        assert (item.state, item.attempts, item.available_at) == (ItemState.QUEUED, 1, LATER)
        assert item.error_reason == "STAGE_BROKE"
        assert (await event_types(database, job))[-1] == "ITEM_RETRYING"

    async def test_waiting_for_a_stage_that_is_away_costs_nothing_and_is_not_told(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        claimed = await claim_next(database, job)
        await database.write(
            lambda s: work.retry_later(s, claimed, "STAGE_UNAVAILABLE", "away", LATER, NOW, counted=False)
        )
        assert (await item_of(database, claimed)).attempts == 0
        assert "ITEM_RETRYING" not in await event_types(database, job)

    async def test_in_a_cancelled_job_it_ends_as_cancelled_and_ends_the_job(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2))
        claimed = await claim_next(database, job)
        await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))
        assert (await job_of(database, job)).ended_at is None
        await database.write(lambda s: work.retry_later(s, claimed, "STAGE_BROKE", "it broke", LATER, LATER))
        assert (await item_of(database, claimed)).state is ItemState.CANCELLED
        assert (await job_of(database, job)).ended_at == LATER
        assert (await event_types(database, job))[-2:] == ["ITEM_CANCELLED", "CANCELLED"]


class TestSweep:
    async def test_what_was_dispatched_and_never_claimed_is_queued_again(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2))
        (old,) = await database.write(lambda s: work.take_for_dispatch(s, job.id, 1, NOW))
        await database.write(lambda s: work.take_for_dispatch(s, job.id, 1, LATER))
        assert await database.write(lambda s: work.requeue_stale(s, LATER, LATER)) == 1
        (again,) = await database.write(lambda s: work.take_for_dispatch(s, job.id, 5, LATER))
        assert (again.item_id, again.dispatches) == (old.item_id, 2)

    async def test_what_a_dead_worker_ran_is_queued_again_and_the_attempt_counts(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2))
        dead = await claim_next(database, job, lease_s=60)
        alive = await claim_next(database, job, lease_s=3600)
        assert await database.write(lambda s: work.requeue_stale(s, LATER, NOW)) == 1
        item = await item_of(database, dead)
        assert (item.state, item.attempts, item.error_reason) == (ItemState.QUEUED, 1, "WORKER_LOST")
        assert (await item_of(database, alive)).state is ItemState.RUNNING
        async with database.read() as session:
            attempt = await session.get_one(Attempt, dead.attempt_id)
        assert (attempt.reason, attempt.ended_at) == ("WORKER_LOST", LATER)
        assert not await database.write(lambda s: work.finish(s, dead, new_result(), LATER))

    async def test_in_a_cancelled_job_it_ends(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2))
        dead = await claim_next(database, job, lease_s=60)
        await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))
        await database.write(lambda s: work.requeue_stale(s, LATER, NOW))
        assert (await item_of(database, dead)).state is ItemState.CANCELLED
        assert (await job_of(database, job)).ended_at == LATER


@pytest.mark.parametrize("workers", [4])
async def test_many_workers_end_every_item_once_and_number_events_without_gaps(database_url: str, workers: int) -> None:
    """Items of 2 jobs, each message delivered to 2 workers; every third attempt fails, photos repeat across jobs."""
    databases = [Database(database_url) for _ in range(workers)]
    try:
        made = [await make_job(databases[0], items=new_items(12)) for _ in range(2)]

        async def run(database: Database, item_id: int, number: int) -> None:
            claimed = await claim(database, item_id)
            if claimed is None:
                return
            if number % 3 == 0 and claimed.item.attempts == 1:
                await database.write(lambda s: work.retry_later(s, claimed, "STAGE_BROKE", "it broke", NOW, NOW))
            else:
                result = new_result(claimed.item.key)
                await database.write(lambda s: work.finish(s, claimed, result, NOW))

        for _ in range(3):
            taken = []
            for job in made:
                taken += await databases[0].write(lambda s, j=job: work.take_for_dispatch(s, j.id, 100, NOW))  # type: ignore[misc]
            messages = [message.item_id for message in taken for _ in range(2)]
            await asyncio.gather(
                *(run(databases[number % workers], item_id, number) for number, item_id in enumerate(messages))
            )
        for job in made:
            ended = await job_of(databases[0], job)
            assert (ended.state, ended.succeeded) == (JobState.COMPLETED, 12)
            types = await event_types(databases[0], job)
            assert types.count("ITEM_SUCCEEDED") == 12
            assert types[-1] == "COMPLETED"
        assert (await rows(databases[0], Result), await rows(databases[0], LedgerEntry)) == (12, 12)
    finally:
        await asyncio.gather(*(opened.close() for opened in databases))
