import asyncio
from typing import Any

import grpc
import pytest

from packshot.v1.jobs_pb2 import (
    JOB_EVENT_TYPE_CANCELLED,
    JOB_EVENT_TYPE_COMPLETED,
    JOB_EVENT_TYPE_CREATED,
    JOB_EVENT_TYPE_ITEM_FAILED,
    JOB_EVENT_TYPE_ITEM_SUCCEEDED,
    CancelJobRequest,
    JobEvent,
    RetryJobItemsRequest,
    WatchJobRequest,
)
from tests.helpers.gateway import eventually, failure
from tests.helpers.job_service import Jobs


async def watched(jobs: Jobs, job_id: str, after_sequence: int = 0) -> list[JobEvent]:
    """All events of a watch that ends."""
    async with asyncio.timeout(30):
        call = jobs.jobs.WatchJob(WatchJobRequest(job_id=job_id, after_sequence=after_sequence))
        return [response.event async for response in call]


def sequences(events: list[JobEvent]) -> list[int]:
    return [event.sequence for event in events]


async def test_the_past_is_told_and_the_last_event_ends_it(jobs: Jobs) -> None:
    job = await jobs.create("a", "b")
    await jobs.succeed(job.job_id)
    await jobs.fail(job.job_id)
    events = await watched(jobs, job.job_id)
    assert sequences(events) == list(range(1, len(events) + 1))
    assert events[0].type == JOB_EVENT_TYPE_CREATED
    ended = [(event.type, event.item.item_key) for event in events[-3:]]
    assert ended == [
        (JOB_EVENT_TYPE_ITEM_SUCCEEDED, "a"),
        (JOB_EVENT_TYPE_ITEM_FAILED, "b"),
        (JOB_EVENT_TYPE_COMPLETED, ""),
    ]
    assert (events[-1].counts.succeeded, events[-1].counts.failed) == (1, 1)


async def test_what_happens_meanwhile_is_told(jobs: Jobs) -> None:
    job = await jobs.create("a", "b")
    watching = asyncio.create_task(watched(jobs, job.job_id))
    await asyncio.sleep(0.1)
    assert not watching.done()
    await jobs.succeed(job.job_id)
    await jobs.succeed(job.job_id)
    events = await watching
    assert sequences(events) == list(range(1, len(events) + 1))
    assert events[-1].type == JOB_EVENT_TYPE_COMPLETED


async def test_resumed_from_any_sequence_it_misses_nothing(jobs: Jobs) -> None:
    job = await jobs.create("a", "b", "c")
    for _ in range(3):
        await jobs.succeed(job.job_id)
    everything = await watched(jobs, job.job_id)
    for event in everything:
        assert await watched(jobs, job.job_id, event.sequence) == everything[event.sequence :]


async def test_watchers_who_come_and_go_see_each_event_once(jobs: Jobs) -> None:
    keys = [f"k{number}" for number in range(12)]
    job = await jobs.create(*keys)

    async def work() -> None:
        for _ in keys:
            await jobs.succeed(job.job_id)

    working = asyncio.create_task(work())

    async def restless() -> list[int]:
        seen: list[int] = []
        while True:
            call = jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id, after_sequence=seen[-1] if seen else 0))
            async for response in call:
                seen.append(response.event.sequence)
                if response.event.type == JOB_EVENT_TYPE_COMPLETED:
                    return seen
                if len(seen) % 3 == 0:
                    call.cancel()
                    break

    async with asyncio.timeout(60):
        seen = await asyncio.gather(*(restless() for _ in range(4)))
        await working
    for sequence in seen:
        assert sequence == list(range(1, len(sequence) + 1))


async def test_a_long_past_comes_in_pages(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.jobs.watch._PAGE", 2)
    job = await jobs.create("a", "b", "c")
    for _ in range(3):
        await jobs.fail(job.job_id)
    events = await watched(jobs, job.job_id)
    assert sequences(events) == list(range(1, len(events) + 1))
    assert events[-1].type == JOB_EVENT_TYPE_COMPLETED


async def test_a_job_that_was_reopened_is_watched_to_its_new_end(jobs: Jobs) -> None:
    job = await jobs.create("a")
    await jobs.fail(job.job_id)
    first = await watched(jobs, job.job_id)
    await jobs.jobs.RetryJobItems(RetryJobItemsRequest(job_id=job.job_id))
    watching = asyncio.create_task(watched(jobs, job.job_id))
    await asyncio.sleep(0.1)
    await jobs.succeed(job.job_id)
    events = await watching
    assert events[: len(first)] == first
    assert [event.type for event in events].count(JOB_EVENT_TYPE_COMPLETED) == 2
    assert sequences(events) == list(range(1, len(events) + 1))


async def test_a_cancelled_job_ends_when_what_is_in_work_has(jobs: Jobs) -> None:
    job = await jobs.create("a", "b")
    await jobs.claim(job.job_id)
    await jobs.jobs.CancelJob(CancelJobRequest(job_id=job.job_id))
    call = jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id))
    types = [(await call.read()).event.type]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            while (response := await call.read()) is not grpc.aio.EOF:
                types.append(response.event.type)
    call.cancel()
    assert JOB_EVENT_TYPE_CANCELLED not in types


async def test_a_sequence_that_never_was(jobs: Jobs) -> None:
    job = await jobs.create("a")
    error = await failure(watched(jobs, job.job_id, 1000))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SEQUENCE_AHEAD")


async def test_a_job_that_is_not_there_or_anothers(jobs: Jobs) -> None:
    theirs = await (await jobs.for_tenant("zeta")).create("a")
    for job_id in (theirs.job_id, f"job_{'0' * 32}"):
        error = await failure(watched(jobs, job_id))
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")


async def test_a_request_is_checked_like_any_other(jobs: Jobs) -> None:
    error = await failure(watched(jobs, "not a job"))
    assert (error.code, error.violations[0].field) == (grpc.StatusCode.INVALID_ARGUMENT, "job_id")


class TestManyWatchers:
    async def test_who_leaves_leaves_nothing_behind(self, jobs: Jobs) -> None:
        job = await jobs.create("a")
        before = len(asyncio.all_tasks())
        calls: list[Any] = [jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id)) for _ in range(20)]
        for call in calls:
            await call.read()
        assert jobs.store.watches.count == 20
        for call in calls:
            call.cancel()
        await eventually(lambda: jobs.store.watches.count == 0)
        await eventually(lambda: len(asyncio.all_tasks()) <= before)

    async def test_a_deadline_ends_a_watch_and_leaves_nothing(self, jobs: Jobs) -> None:
        job = await jobs.create("a")
        call = jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id), timeout=0.3)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: jobs.store.watches.count == 0)

    async def test_they_read_together(self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
        """Fifty who watch the same cost the database about as much as one."""
        reads = 0
        page = jobs.store.watches._page

        async def counted(*place: Any) -> Any:
            nonlocal reads
            reads += 1
            return await page(*place)

        monkeypatch.setattr(jobs.store.watches, "_page", counted)
        job = await jobs.create("a")
        calls: list[Any] = [jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id)) for _ in range(50)]
        for call in calls:
            for _ in range(job.last_sequence):
                await call.read()
        await asyncio.sleep(0.3)
        reads = 0
        await jobs.succeed(job.job_id)
        jobs.store.changed(job.job_id)
        for call in calls:
            types = []
            while (response := await call.read()) is not grpc.aio.EOF:
                types.append(response.event.type)
            assert types[-1] == JOB_EVENT_TYPE_COMPLETED
        assert reads <= 10

    async def test_a_stop_ends_them_all_at_once(self, jobs: Jobs) -> None:
        job = await jobs.create("a")
        calls: list[Any] = [jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id)) for _ in range(3)]
        for call in calls:
            for _ in range(job.last_sequence):
                await call.read()
        stopping = asyncio.create_task(jobs.server.stop())
        for call in calls:
            error = await failure(call.read())
            assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
        await asyncio.wait_for(stopping, 3)
