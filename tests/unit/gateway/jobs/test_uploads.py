import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import grpc
import pytest

from packshot.v1.jobs_pb2 import (
    JOB_EVENT_TYPE_ITEMS_ADDED,
    JOB_ITEM_STATE_FAILED,
    JOB_STATE_OPEN,
    JOB_STATE_RUNNING,
    GetJobRequest,
    UploadChunk,
    UploadItem,
    UploadJobItemsRequest,
    UploadStart,
    WatchJobRequest,
)
from services.gateway.objects import digest_of, photo_key
from tests.helpers.gateway import eventually, failure
from tests.helpers.job_service import Jobs, running_jobs, upload
from tests.helpers.stages import Stages

PHOTO = b"0123456789" * 25
ITEM = UploadJobItemsRequest(item=UploadItem(item_key="a"))
CHUNK = UploadJobItemsRequest(chunk=UploadChunk(data=b"x", last=True))


class Wire:
    """A connection between two unix sockets that can be cut."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix:{path}"
        self._ends: list[asyncio.StreamWriter] = []

    @classmethod
    @asynccontextmanager
    async def to(cls, target: Path, path: Path) -> AsyncIterator[Self]:
        wire = cls(path)

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there_reader, there_writer = await asyncio.open_unix_connection(target)
            wire._ends += [writer, there_writer]
            await asyncio.gather(wire._carry(reader, there_writer), wire._carry(there_reader, writer))

        async with await asyncio.start_unix_server(connect, path):
            yield wire
            wire.cut()

    def cut(self) -> None:
        """At once, without a word to either side."""
        for end in self._ends:
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)


async def send(jobs: Jobs, messages: Sequence[UploadJobItemsRequest]) -> Any:
    return await jobs.jobs.UploadJobItems(iter(messages))


async def slowly(messages: Sequence[UploadJobItemsRequest], silence: asyncio.Event) -> AsyncIterator[Any]:
    """The messages, and then silence."""
    for message in messages:
        yield message
    await silence.wait()


@pytest.fixture
async def silence() -> AsyncIterator[asyncio.Event]:
    """Ends with the test: a request that nobody ends would outlive it."""
    event = asyncio.Event()
    yield event
    event.set()
    await asyncio.sleep(0.01)


async def test_photos_come_in_chunks_and_end_with_the_stream(jobs: Jobs) -> None:
    job = await jobs.open()
    response = await send(jobs, upload(job.job_id, [("a", PHOTO), ("b", b"small")], complete=True))
    assert (response.added, response.skipped) == (2, 0)
    assert (response.job.state, response.job.counts.total) == (JOB_STATE_RUNNING, 2)
    assert [(item.item_key, item.source) for item in await jobs.items(job.job_id)] == [("a", "upload"), ("b", "upload")]
    digest = digest_of(PHOTO)
    assert await jobs.store.objects.get(photo_key("acme", digest), digest) == PHOTO


async def test_a_job_stays_open_until_it_is_told(jobs: Jobs) -> None:
    job = await jobs.open()
    assert (await send(jobs, upload(job.job_id, [("a", PHOTO)]))).job.state == JOB_STATE_OPEN
    # All has been sent: a stream of nothing says so.
    assert (await send(jobs, upload(job.job_id, [], complete=True))).job.state == JOB_STATE_RUNNING
    # The answer may have been lost: saying it again is no error, and what is there is still read over.
    again = await send(jobs, upload(job.job_id, [("a", PHOTO)], complete=True))
    assert (again.added, again.skipped) == (0, 1)
    error = await failure(send(jobs, upload(job.job_id, [("b", PHOTO)])))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_OPEN")
    error = await failure(send(jobs, upload(job.job_id, [("b", PHOTO)], complete=True)))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_OPEN")


async def test_what_is_there_is_read_over(jobs: Jobs) -> None:
    job = await jobs.open()
    await send(jobs, upload(job.job_id, [("a", PHOTO)]))
    response = await send(jobs, upload(job.job_id, [("a", b"another"), ("b", b"b"), ("b", b"twice")]))
    assert (response.added, response.skipped) == (1, 2)
    assert response.job.counts.total == 2


async def test_an_interrupted_upload_keeps_what_was_whole_and_is_simply_repeated(
    jobs: Jobs, silence: asyncio.Event
) -> None:
    job = await jobs.open()
    whole, broken = upload(job.job_id, [("a", PHOTO), ("b", b"b")]), upload(job.job_id, [("c", PHOTO)])[1:3]
    call = jobs.jobs.UploadJobItems(slowly([*whole, *broken], silence))
    await jobs.until_items(job.job_id, 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    response = await send(jobs, upload(job.job_id, [("a", PHOTO), ("b", b"b"), ("c", PHOTO)], complete=True))
    assert (response.added, response.skipped, response.job.counts.total) == (1, 2, 3)


async def test_a_connection_that_breaks_is_no_end_of_the_uploads(
    jobs: Jobs, stages: Stages, silence: asyncio.Event
) -> None:
    job = await jobs.open()
    messages = upload(job.job_id, [("a", PHOTO)], complete=True)
    async with (
        Wire.to(stages.folder / "gateway", stages.folder / "wire") as wire,
        grpc.aio.insecure_channel(wire.address, options=[("grpc.enable_retries", 0)]) as channel,
    ):
        other = Jobs(jobs.server, jobs.store, channel, jobs.database_url, jobs.key)
        call = other.jobs.UploadJobItems(slowly(messages, silence))
        await jobs.until_items(job.job_id, 1)
        wire.cut()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    await asyncio.sleep(0.2)
    assert (await jobs.jobs.GetJob(GetJobRequest(job_id=job.job_id))).job.state == JOB_STATE_OPEN


async def test_a_service_that_stops_ends_the_upload_and_keeps_what_was_whole(
    stages: Stages, tmp_path: Path, silence: asyncio.Event
) -> None:
    async with running_jobs(stages, tmp_path) as jobs:
        job = await jobs.open()
        call = jobs.jobs.UploadJobItems(slowly(upload(job.job_id, [("a", PHOTO)]), silence))
        await jobs.until_items(job.job_id, 1)
        stopping = asyncio.create_task(jobs.server.stop())
        error = await failure(call)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
        await stopping
    async with running_jobs(stages, tmp_path) as jobs:
        assert len(await jobs.items(job.job_id)) == 1


async def test_many_photos_are_few_events(jobs: Jobs) -> None:
    job = await jobs.open()
    await send(jobs, upload(job.job_id, [(f"k{number}", str(number).encode()) for number in range(60)], complete=True))
    call = jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id))
    types = [(await call.read()).event.type for _ in range(2)]
    call.cancel()
    added = (await jobs.jobs.GetJob(GetJobRequest(job_id=job.job_id))).job
    assert added.counts.total == 60
    assert added.last_sequence < 15
    assert JOB_EVENT_TYPE_ITEMS_ADDED in types


class TestBadPhotos:
    async def test_one_too_large_fails_by_itself(self, stages: Stages, tmp_path: Path) -> None:
        async with running_jobs(stages, tmp_path, MAX_UPLOAD_BYTES="249") as jobs:
            job = await jobs.open()
            await send(jobs, upload(job.job_id, [("a", PHOTO), ("b", b"small")]))
            large, small = await jobs.items(job.job_id)
        assert (large.state, large.error_reason) == (JOB_ITEM_STATE_FAILED, "PHOTO_TOO_LARGE")
        assert "249" in large.error_message
        assert not small.error_reason

    async def test_an_empty_one_fails_by_itself(self, jobs: Jobs) -> None:
        job = await jobs.open()
        await send(jobs, upload(job.job_id, [("a", b"")]))
        (item,) = await jobs.items(job.job_id)
        assert (item.state, item.error_reason) == (JOB_ITEM_STATE_FAILED, "PHOTO_EMPTY")


async def test_a_job_has_no_more_photos_than_a_catalogue_may_have_rows(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.jobs.uploads.MAX_ROWS", 3)
    job = await jobs.open()
    await send(jobs, upload(job.job_id, [("a", PHOTO), ("b", PHOTO)]))
    error = await failure(send(jobs, upload(job.job_id, [("a", PHOTO), ("c", PHOTO), ("d", PHOTO)])))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_FULL")
    assert [item.item_key for item in await jobs.items(job.job_id)] == ["a", "b", "c"]


class TestOrder:
    """Messages that make no sense end the stream and say which field is wrong."""

    @pytest.mark.parametrize(
        ("wrong", "reason"),
        [
            ([CHUNK], "UPLOAD_NOT_ANNOUNCED"),
            ([ITEM, ITEM], "UPLOAD_INCOMPLETE"),
            ([ITEM], "UPLOAD_INCOMPLETE"),
            ([UploadJobItemsRequest(start=UploadStart(job_id=f"job_{'0' * 32}"))], "UPLOAD_STARTED"),
            ([UploadJobItemsRequest()], "INVALID_FIELD"),
            ([UploadJobItemsRequest(item=UploadItem(item_key="what?"))], "INVALID_FIELD"),
        ],
    )
    async def test_after_the_start(self, jobs: Jobs, wrong: list[UploadJobItemsRequest], reason: str) -> None:
        job = await jobs.open()
        error = await failure(send(jobs, [*upload(job.job_id, [("whole", PHOTO)], complete=True), *wrong]))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
        assert [item.item_key for item in await jobs.items(job.job_id)] == ["whole"]
        assert (await jobs.jobs.GetJob(GetJobRequest(job_id=job.job_id))).job.state == JOB_STATE_OPEN

    @pytest.mark.parametrize("first", [[], [ITEM], [CHUNK]])
    async def test_without_a_start(self, jobs: Jobs, first: list[UploadJobItemsRequest]) -> None:
        error = await failure(send(jobs, first))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UPLOAD_NOT_STARTED")

    async def test_for_a_job_that_is_not_there_or_anothers(self, jobs: Jobs) -> None:
        theirs = await (await jobs.for_tenant("zeta")).open()
        for job_id in (f"job_{'0' * 32}", theirs.job_id):
            error = await failure(send(jobs, upload(job_id, [("a", PHOTO)])))
            assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")


async def test_an_upload_that_is_left_leaves_nothing_behind(jobs: Jobs, silence: asyncio.Event) -> None:
    job = await jobs.open()
    before = len(asyncio.all_tasks())
    calls = [jobs.jobs.UploadJobItems(slowly(upload(job.job_id, [(f"k{n}", PHOTO)]), silence)) for n in range(5)]
    await asyncio.sleep(0.2)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await eventually(lambda: len(asyncio.all_tasks()) <= before)
