import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from packshot.v1.jobs_pb2 import (
    JOB_EVENT_TYPE_FAILED,
    JOB_ITEM_STATE_FAILED,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JOB_STATE_READING,
    JOB_STATE_RUNNING,
    CancelJobRequest,
    CreateJobRequest,
    GetJobRequest,
    Job,
    JobState,
    WatchJobRequest,
)
from services.gateway.jobs.catalogue_reader import TASK, CatalogueReader
from services.gateway.sources.fetcher import Fetcher
from services.gateway.sources.settings import SourceSettings
from services.gateway.state import leases
from services.gateway.state.tables import Job as JobRow
from tests.helpers.https_server import Exchange, HttpServer, http_server
from tests.helpers.job_service import Jobs

CATALOGUE = b"sku,image_url\nMUG,https://shop.example/mug.jpg\nCUP,\n"
PATH = "/catalogue.csv"


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with http_server() as running:
        running.always(PATH, 200, CATALOGUE)
        yield running


@asynccontextmanager
async def reading(jobs: Jobs, server: HttpServer, owner: str = "one") -> AsyncIterator[asyncio.Task[None]]:
    """A reader that may fetch from the server."""
    settings = SourceSettings(internal_hosts=frozenset({f"localhost:{server.port}"}), attempts=1, timeout_s=5)
    fetcher = Fetcher(settings)
    task = asyncio.create_task(CatalogueReader(jobs.store, fetcher, owner, look_s=0.05).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await fetcher.close()


async def create(jobs: Jobs, server: HttpServer) -> Job:
    """Made with an https URL, as callers have to; this one's is then replaced by the test server's."""
    request = CreateJobRequest(catalogue_url="https://shop.example/catalogue.csv")
    job: Job = (await jobs.jobs.CreateJob(request)).job
    url = f"http://localhost:{server.port}{PATH}"
    await jobs.store.database.write(
        lambda session: session.execute(update(JobRow).where(JobRow.id == job.job_id).values(catalogue_url=url))
    )
    return job


async def get(jobs: Jobs, job: Job) -> Job:
    found: Job = (await jobs.jobs.GetJob(GetJobRequest(job_id=job.job_id))).job
    return found


async def until(jobs: Jobs, job: Job, state: JobState.ValueType) -> Job:
    async with asyncio.timeout(30):
        while (found := await get(jobs, job)).state != state:  # noqa: ASYNC110 - the reader changes it
            await asyncio.sleep(0.02)
    return found


async def test_a_catalogue_becomes_items(jobs: Jobs, server: HttpServer) -> None:
    job = await create(jobs, server)
    async with reading(jobs, server):
        found = await until(jobs, job, JOB_STATE_RUNNING)
    assert (found.catalogue_format, found.counts.total, found.counts.failed) == ("generic", 2, 1)
    mug, cup = await jobs.items(job.job_id)
    assert (mug.item_key, mug.source) == ("2-MUG", "https://shop.example/mug.jpg")
    assert (cup.state, cup.error_reason) == (JOB_ITEM_STATE_FAILED, "ROW_URL_MISSING")
    assert len(server.exchanges) == 1


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"", "SOURCE_NOT_FOUND"),
        (200, b"weight,height\n1,2\n", "CATALOGUE_COLUMNS_MISSING"),
        (200, b"\x89PNG\r\n\x1a\n\x00\x00", "CATALOGUE_NOT_TEXT"),
    ],
)
async def test_one_that_cannot_be_read_fails_the_job(
    jobs: Jobs, server: HttpServer, status: int, body: bytes, reason: str
) -> None:
    server.always(PATH, status, body)
    job = await create(jobs, server)
    async with reading(jobs, server):
        found = await until(jobs, job, JOB_STATE_FAILED)
    assert (found.error_reason, found.counts.total) == (reason, 0)
    assert found.error_message
    call = jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id))
    assert [response.event.type async for response in call][-1] == JOB_EVENT_TYPE_FAILED


async def test_our_own_network_is_not_read_from(jobs: Jobs, server: HttpServer) -> None:
    request = CreateJobRequest(catalogue_url="https://127.0.0.1/catalogue.csv")
    job = (await jobs.jobs.CreateJob(request)).job
    async with reading(jobs, server):
        assert (await until(jobs, job, JOB_STATE_FAILED)).error_reason == "SOURCE_ADDRESS_REFUSED"
    assert not server.exchanges


async def test_a_server_that_is_busy_is_asked_again(
    jobs: Jobs, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.jobs.catalogue_reader._ASK_AGAIN_S", 0.1)
    server.always(PATH, 503)
    job = await create(jobs, server)
    async with reading(jobs, server):
        async with asyncio.timeout(30):
            while len(server.exchanges) < 2:  # noqa: ASYNC110 - the reader calls
                await asyncio.sleep(0.02)
        assert (await get(jobs, job)).state == JOB_STATE_READING
        server.always(PATH, 200, CATALOGUE)
        await until(jobs, job, JOB_STATE_RUNNING)


async def test_one_that_stays_away_fails_the_job_in_the_end(jobs: Jobs, server: HttpServer) -> None:
    server.always(PATH, 503)
    job = await create(jobs, server)
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    await jobs.store.database.write(
        lambda session: session.execute(update(JobRow).where(JobRow.id == job.job_id).values(created_at=long_ago))
    )
    async with reading(jobs, server):
        assert (await until(jobs, job, JOB_STATE_FAILED)).error_reason == "SOURCE_SERVER_FAILED"


async def test_a_reader_that_dies_is_followed_by_another_that_begins_anew(jobs: Jobs, server: HttpServer) -> None:
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        asked.set()
        await let_go.wait()

    server.answers[PATH] = hang
    job = await create(jobs, server)
    async with reading(jobs, server):
        await asyncio.wait_for(asked.wait(), 30)
    let_go.set()
    assert (await get(jobs, job)).state == JOB_STATE_READING
    server.always(PATH, 200, CATALOGUE)
    async with reading(jobs, server, owner="two"):
        assert (await until(jobs, job, JOB_STATE_RUNNING)).counts.total == 2


async def test_one_reader_at_a_time(jobs: Jobs, server: HttpServer) -> None:
    job = await create(jobs, server)
    now = datetime.now(UTC)
    assert await jobs.store.database.write(lambda session: leases.hold(session, TASK, "another", now, 60))
    async with reading(jobs, server):
        await asyncio.sleep(0.5)
        assert not server.exchanges
        await jobs.store.database.write(lambda session: leases.release(session, TASK, "another"))
        await until(jobs, job, JOB_STATE_RUNNING)


async def test_a_job_that_was_cancelled_meanwhile_stays_so(jobs: Jobs, server: HttpServer) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def late(exchange: Exchange) -> None:
        asked.set()
        await go_on.wait()
        await exchange.answer(200, CATALOGUE)

    server.answers[PATH] = late
    job = await create(jobs, server)
    async with reading(jobs, server) as task:
        await asyncio.wait_for(asked.wait(), 30)
        await jobs.jobs.CancelJob(CancelJobRequest(job_id=job.job_id))
        go_on.set()
        await asyncio.sleep(0.5)
        assert not task.done()
    found = await get(jobs, job)
    assert (found.state, found.counts.total) == (JOB_STATE_CANCELLED, 0)
