import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from packshot.v1 import jobs_pb2
from services.gateway.state import events, jobs, work
from services.gateway.state.database import Database
from services.gateway.state.errors import ConflictError, NotFoundError, RequestIdReusedError
from services.gateway.state.jobs import NewItem
from services.gateway.state.tables import Item, ItemState, Job, JobState
from tests.helpers.state import NOW, TENANT, claim_next, finish_next, make_job, new_items, new_job, new_result

LATER = NOW + timedelta(hours=1)
BAD_ROW = NewItem(key="bad", row_number=7, error_reason="ROW_WITHOUT_URL", error_message="row 7 has no image_url")


async def event_types(database: Database, job: Job) -> list[str]:
    async with database.read() as session:
        seen = await events.after(session, TENANT, job.id, 0, 10_000)
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    return [jobs_pb2.JobEventType.Name(event.type).removeprefix("JOB_EVENT_TYPE_") for event in seen]


async def listed(database: Database, job: Job, *states: ItemState) -> list[str]:
    async with database.read() as session:
        return [view.item.key for view in await jobs.list_items(session, TENANT, job.id, states=states, limit=10_000)]


class TestCreate:
    async def test_items_stand_in_the_order_they_came(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2500))
        assert (job.state, job.total, job.last_sequence) == (JobState.RUNNING, 2500, 2)
        assert await listed(database, job) == [item.key for item in new_items(2500)]
        assert await event_types(database, job) == ["CREATED", "ITEMS_ADDED"]

    async def test_the_same_request_gives_the_same_job(self, database: Database) -> None:
        first = await make_job(database, new_job(request_id="r1", content="a"), new_items(2))
        again = await make_job(database, new_job(request_id="r1", content="a"), new_items(2))
        assert (again.id, again.total) == (first.id, 2)
        assert (await make_job(database, new_job(content="a"), new_items(2))).id != first.id

    async def test_with_other_content_it_is_refused(self, database: Database) -> None:
        await make_job(database, new_job(request_id="r1", content="a"))
        with pytest.raises(RequestIdReusedError):
            await make_job(database, new_job(request_id="r1", content="b"))

    async def test_request_ids_are_a_tenants_own(self, database: Database) -> None:
        mine = await make_job(database, new_job(request_id="r1", content="a"))
        theirs = await make_job(database, new_job(request_id="r1", content="b", tenant="other"))
        assert mine.id != theirs.id

    async def test_of_the_same_request_many_times_at_once_one_job_is_made(self, database_url: str) -> None:
        replicas = [Database(database_url) for _ in range(4)]
        made = await asyncio.gather(
            *(make_job(replica, new_job(request_id="r1"), new_items(50)) for replica in replicas)
        )
        assert len({job.id for job in made}) == 1
        async with replicas[0].read() as session:
            assert await session.scalar(select(func.count()).select_from(Item)) == 50
        await asyncio.gather(*(replica.close() for replica in replicas))

    async def test_bad_rows_have_failed_and_the_job_goes_on(self, database: Database) -> None:
        job = await make_job(database, items=[*new_items(1), BAD_ROW])
        assert (job.state, job.failed) == (JobState.RUNNING, 1)
        async with database.read() as session:
            item = (await jobs.get_item(session, TENANT, job.id, "bad")).item
        assert (item.state, item.row_number, item.error_reason) == (ItemState.FAILED, 7, "ROW_WITHOUT_URL")
        assert await event_types(database, job) == ["CREATED", "ITEMS_ADDED", "ITEM_FAILED"]

    async def test_of_bad_rows_alone_it_is_completed_at_once(self, database: Database) -> None:
        job = await make_job(database, items=[BAD_ROW])
        assert (job.state, job.ended_at) == (JobState.COMPLETED, NOW)
        assert (await event_types(database, job))[-1] == "COMPLETED"

    async def test_a_key_that_comes_twice_is_one_item(self, database: Database) -> None:
        job = await make_job(database, items=[*new_items(3), *new_items(3)])
        assert job.total == 3


class TestUploads:
    async def test_items_that_are_there_are_read_over(self, database: Database) -> None:
        job = await make_job(database, new_job(state=JobState.OPEN))
        for first, expected in ((0, (3, 0)), (1, (1, 2)), (0, (0, 3))):
            added = await database.write(
                lambda s, f=first: jobs.add_items(s, TENANT, job.id, new_items(3, f), NOW)  # type: ignore[misc]
            )
            assert added == expected
        assert await listed(database, job) == [item.key for item in new_items(4)]
        assert await event_types(database, job) == ["CREATED", "ITEMS_ADDED", "ITEMS_ADDED"]

    async def test_it_is_not_completed_before_the_uploads_are_closed(self, database: Database) -> None:
        job = await make_job(database, new_job(state=JobState.OPEN), new_items(1))
        await finish_next(database, job)
        async with database.read() as session:
            assert (await jobs.get_job(session, TENANT, job.id)).state is JobState.OPEN
        for _ in range(2):
            closed = await database.write(lambda s: jobs.close_uploads(s, TENANT, job.id, LATER))
            assert (closed.state, closed.ended_at) == (JobState.COMPLETED, LATER)
        with pytest.raises(ConflictError):
            await database.write(lambda s: jobs.add_items(s, TENANT, job.id, new_items(1, 5), NOW))


class TestCatalogue:
    async def test_it_is_set_once(self, database: Database) -> None:
        job = await make_job(database, new_job(state=JobState.READING))
        async with database.read() as session:
            assert [waiting.id for waiting in await jobs.reading_jobs(session)] == [job.id]
        for expected in (True, False):
            done = await database.write(
                lambda s: jobs.set_catalogue(s, TENANT, job.id, "shopify", [*new_items(2), BAD_ROW], NOW)
            )
            assert done is expected
        async with database.read() as session:
            read = await jobs.get_job(session, TENANT, job.id)
            assert (read.state, read.catalogue_format, read.total) == (JobState.RUNNING, "shopify", 3)
            assert await jobs.reading_jobs(session) == []

    async def test_that_cannot_be_read_fails_the_job(self, database: Database) -> None:
        job = await make_job(database, new_job(state=JobState.READING))
        for expected in (True, False):
            failed = await database.write(lambda s: jobs.fail_job(s, TENANT, job.id, "HTTP_404", "gone", NOW))
            assert failed is expected
        async with database.read() as session:
            read = await jobs.get_job(session, TENANT, job.id)
        assert (read.state, read.error_reason, read.ended_at) == (JobState.FAILED, "HTTP_404", NOW)
        assert await event_types(database, job) == ["CREATED", "FAILED"]

    async def test_of_a_cancelled_job_is_left(self, database: Database) -> None:
        job = await make_job(database, new_job(state=JobState.READING))
        cancelled = await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))
        assert (cancelled.state, cancelled.ended_at) == (JobState.CANCELLED, NOW)
        assert not await database.write(lambda s: jobs.set_catalogue(s, TENANT, job.id, "shopify", new_items(2), NOW))


class TestLists:
    async def test_jobs_come_newest_first_in_pages(self, database: Database) -> None:
        made = [await make_job(database, now=NOW + timedelta(minutes=number // 2)) for number in range(5)]
        await make_job(database, new_job(tenant="other"))
        after, pages = None, []
        while True:
            async with database.read() as session:
                page = await jobs.list_jobs(session, TENANT, after=after, limit=2)
            if not page:
                break
            pages.append([job.id for job in page])
            after = (page[-1].created_at, page[-1].id)
        expected = sorted(made, key=lambda job: (job.created_at, job.id), reverse=True)
        assert [job_id for page in pages for job_id in page] == [job.id for job in expected]
        assert [len(page) for page in pages] == [2, 2, 1]

    async def test_jobs_by_state(self, database: Database) -> None:
        running = await make_job(database, items=new_items(1))
        await make_job(database)
        async with database.read() as session:
            found = await jobs.list_jobs(session, TENANT, states=[JobState.RUNNING, JobState.OPEN], limit=10)
        assert [job.id for job in found] == [running.id]

    async def test_items_come_in_pages_by_state(self, database: Database) -> None:
        job = await make_job(database, items=[*new_items(4), BAD_ROW])
        await finish_next(database, job)
        await claim_next(database, job)
        await database.write(lambda s: work.take_for_dispatch(s, job.id, 1, NOW))
        assert await listed(database, job, ItemState.QUEUED, ItemState.DISPATCHED) == ["item-00002", "item-00003"]
        assert await listed(database, job, ItemState.FAILED, ItemState.SUCCEEDED) == ["item-00000", "bad"]
        async with database.read() as session:
            page = await jobs.list_items(session, TENANT, job.id, states=list(ItemState), after_position=1, limit=2)
        assert [view.item.position for view in page] == [2, 3]


class TestCounts:
    async def test_they_follow_every_step(self, database: Database) -> None:
        job = await make_job(database, items=[*new_items(6), BAD_ROW])
        for verdict in ("publish", "review", "reject"):
            await finish_next(database, job, new_result(verdict, verdict=verdict))
        await claim_next(database, job)
        await database.write(lambda s: work.take_for_dispatch(s, job.id, 1, NOW))
        async with database.read() as session:
            counts = await jobs.counts(session, job.id)
        assert counts == jobs_pb2.JobCounts(
            total=7, queued=2, running=1, succeeded=3, failed=1, publish=1, review=1, reject=1, credits=1
        )
        async with database.read() as session:
            last = (await events.after(session, TENANT, job.id, 0, 100))[-1]
        assert (last.counts.succeeded, last.item.verdict) == (3, 3)


class TestCancel:
    async def test_items_not_begun_end_at_once_and_those_in_work_are_finished(self, database: Database) -> None:
        job = await make_job(database, items=new_items(2503))
        await finish_next(database, job)
        running = await claim_next(database, job)
        await database.write(lambda s: work.take_for_dispatch(s, job.id, 10, NOW))
        cancelled = await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))
        assert (cancelled.state, cancelled.cancelled, cancelled.ended_at) == (JobState.CANCELLED, 2501, None)
        await database.write(lambda s: work.finish(s, running, new_result(), LATER))
        async with database.read() as session:
            ended = await jobs.get_job(session, TENANT, job.id)
        assert (ended.state, ended.succeeded, ended.ended_at) == (JobState.CANCELLED, 2, LATER)
        types = await event_types(database, job)
        assert types.count("ITEM_CANCELLED") == 2501
        assert types[-2:] == ["ITEM_SUCCEEDED", "CANCELLED"]

    async def test_a_job_that_is_over_stays_as_it_is(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        await finish_next(database, job)
        assert (await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, LATER))).state is JobState.COMPLETED

    async def test_while_workers_claim_every_item_ends_once(self, database_url: str) -> None:
        replicas = [Database(database_url) for _ in range(4)]
        job = await make_job(replicas[0], items=new_items(40))
        taken = await replicas[0].write(lambda s: work.take_for_dispatch(s, job.id, 30, NOW))

        async def run(replica: Database, number: int) -> None:
            for message in taken[number::3]:
                claimed = await replica.write(
                    lambda s, m=message: work.claim(s, m.item_id, "w", f"{m.item_id:032}", NOW, 60.0)  # type: ignore[misc]
                )
                if claimed is not None:
                    result = new_result(claimed.item.key)
                    await replica.write(lambda s, c=claimed, r=result: work.finish(s, c, r, NOW))  # type: ignore[misc]

        async def cancel() -> None:
            await asyncio.sleep(0.1)
            await replicas[3].write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))

        await asyncio.gather(*(run(replica, number) for number, replica in enumerate(replicas[:3])), cancel())
        async with replicas[0].read() as session:
            ended = await jobs.get_job(session, TENANT, job.id)
        assert (ended.state, ended.succeeded + ended.cancelled) == (JobState.CANCELLED, 40)
        assert ended.ended_at is not None
        assert (await event_types(replicas[0], job))[-1] == "CANCELLED"
        await asyncio.gather(*(replica.close() for replica in replicas))


class TestRetry:
    async def test_failed_and_cancelled_items_run_again_and_so_does_the_job(self, database: Database) -> None:
        job = await make_job(database, items=[*new_items(3), BAD_ROW])
        await finish_next(database, job)
        failing = await claim_next(database, job)
        await database.write(lambda s: work.fail(s, failing, "HTTP_404", "gone", NOW, dead=True))
        await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))
        running, retried = await database.write(lambda s: jobs.retry_items(s, TENANT, job.id, [], LATER))
        assert (retried, running.state, running.ended_at) == (2, JobState.RUNNING, None)
        assert (running.failed, running.cancelled, running.succeeded) == (1, 0, 1)
        assert await listed(database, job, ItemState.QUEUED) == ["item-00001", "item-00002"]
        await finish_next(database, job, now=LATER)
        await finish_next(database, job, now=LATER)
        assert (await event_types(database, job))[-1] == "COMPLETED"

    async def test_only_the_items_named(self, database: Database) -> None:
        job = await make_job(database, items=new_items(3))
        await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))
        _, retried = await database.write(lambda s: jobs.retry_items(s, TENANT, job.id, ["item-00001"], LATER))
        assert retried == 1
        assert await listed(database, job, ItemState.QUEUED) == ["item-00001"]

    async def test_an_unknown_item_is_an_error_and_nothing_is_done(self, database: Database) -> None:
        job = await make_job(database, items=new_items(1))
        await database.write(lambda s: jobs.cancel_job(s, TENANT, job.id, NOW))
        with pytest.raises(NotFoundError, match="there is no item typo"):
            await database.write(lambda s: jobs.retry_items(s, TENANT, job.id, ["item-00000", "typo"], LATER))
        assert await listed(database, job, ItemState.QUEUED) == []


async def test_another_tenants_job_is_not_there(database: Database) -> None:
    job = await make_job(database, new_job(state=JobState.OPEN), new_items(1))
    for ask in (
        lambda s: jobs.get_job(s, "other", job.id),
        lambda s: jobs.list_items(s, "other", job.id, limit=1),
        lambda s: jobs.get_item(s, "other", job.id, "item-00000"),
        lambda s: jobs.add_items(s, "other", job.id, new_items(1), NOW),
        lambda s: jobs.close_uploads(s, "other", job.id, NOW),
        lambda s: jobs.set_catalogue(s, "other", job.id, "generic", [], NOW),
        lambda s: jobs.fail_job(s, "other", job.id, "X", "x", NOW),
        lambda s: jobs.cancel_job(s, "other", job.id, NOW),
        lambda s: jobs.retry_items(s, "other", job.id, [], NOW),
    ):
        with pytest.raises(NotFoundError):
            await database.write(ask)
    async with database.read() as session:
        assert await events.after(session, "other", job.id, 0, 10) == []
        assert await jobs.list_jobs(session, "other", limit=10) == []


async def test_another_tenants_request_cannot_open_a_job_by_its_id(database: Database) -> None:
    job = await make_job(database, items=new_items(1))
    with pytest.raises(ConflictError):
        await make_job(database, replace(new_job(tenant="other"), job_id=job.id))
