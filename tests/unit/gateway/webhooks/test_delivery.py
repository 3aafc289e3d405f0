"""Webhook calls to a real HTTPS receiver that verifies them as packshot.webhooks does for everyone."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from packshot.v1 import jobs_pb2
from packshot.webhooks import Delivery, SeenDeliveries, verify
from services.gateway.sources import SourceSettings, pinned_transport
from services.gateway.state import events, tenants
from services.gateway.state.database import Database
from services.gateway.state.events import EventDraft
from services.gateway.state.tables import Job, JobState, WebhookDelivery
from services.gateway.webhooks.delivery import WebhookDeliverer
from tests.helpers.authority import Authority
from tests.helpers.https_server import Exchange, HttpServer, http_server
from tests.helpers.state import TENANT, make_job, new_job

Answer = Callable[[Exchange], Awaitable[None]]


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.webhooks.delivery._POLL_S", 0.05)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


class Receiver:
    """Believes only what verifies, and answers by script: a list of statuses a path, the last for all after it."""

    def __init__(self, server: HttpServer, settings: SourceSettings) -> None:
        self.server = server
        self.settings = settings
        self.secret = ""
        self.came: list[tuple[str, Delivery]] = []
        self.handled: list[int] = []
        self._seen = SeenDeliveries()

    def url(self, path: str = "/hook") -> str:
        return f"https://localhost:{self.server.port}{path}"

    def answers(self, *statuses: int, path: str = "/hook", **headers: str) -> None:
        script = list(statuses)

        async def answer(exchange: Exchange) -> None:
            self.take(exchange)
            await exchange.answer(script.pop(0) if len(script) > 1 else script[0], b"", **headers)

        self.server.answers[path] = answer

    def hangs(self, path: str = "/hook") -> None:
        async def answer(exchange: Exchange) -> None:
            self.take(exchange)
            await asyncio.sleep(60)

        self.server.answers[path] = answer

    def take(self, exchange: Exchange) -> None:
        delivery = verify(self.secret, exchange.headers, exchange.body)
        self.came.append((exchange.path, delivery))
        if self._seen.first_time(delivery.delivery_id):
            self.handled.append(delivery.event["sequence"])


@pytest.fixture
async def receiver(authority: Authority) -> AsyncIterator[Receiver]:
    async with http_server(authority.server_context("localhost")) as server:
        hosts = frozenset({f"localhost:{server.port}"})
        yield Receiver(server, SourceSettings(internal_hosts=hosts, ca_file=authority.ca_file))


async def job_with_calls(
    database: Database, receiver: Receiver, count: int, url: str = "", at: datetime | None = None
) -> Job:
    now = at or datetime.now(UTC)
    new = new_job(webhook_url=url or receiver.url(), state=JobState.OPEN)
    job = await make_job(database, new)
    async with database.begin() as session:
        row = (await session.scalars(select(Job).where(Job.id == job.id))).one()
        await events.append(session, row, [EventDraft(jobs_pb2.JOB_EVENT_TYPE_COMPLETED)] * count, now)
        tenant = await tenants.find(session, TENANT)
        assert tenant is not None
        receiver.secret = tenant.webhook_secret
    return job


@asynccontextmanager
async def delivering(database: Database, receiver: Receiver, concurrency: int = 16) -> AsyncIterator[None]:
    deliverer = WebhookDeliverer(
        database,
        pinned_transport(receiver.settings),
        concurrency=concurrency,
        retry_for_s=3600,
        first_retry_s=0.01,
        claim_s=20,
    )
    running = asyncio.create_task(deliverer.run())
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await deliverer.close()


async def states(database: Database, job: Job) -> list[tuple[str, int, str]]:
    """State, attempts and last outcome of the job's calls, in order."""
    async with database.read() as session:
        query = select(WebhookDelivery).where(WebhookDelivery.job_id == job.id).order_by(WebhookDelivery.sequence)
        return [(row.state, row.attempts, row.last_outcome) for row in await session.scalars(query)]


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - the condition is another party's
            await asyncio.sleep(0.02)


async def ended(database: Database, job: Job) -> list[tuple[str, int, str]]:
    async def all_ended() -> bool:
        return all(state != "waiting" for state, *_ in await states(database, job))

    await until(all_ended)
    return await states(database, job)


async def test_calls_are_signed_and_come_in_order(database: Database, receiver: Receiver) -> None:
    receiver.answers(200)
    job = await job_with_calls(database, receiver, 30)
    async with delivering(database, receiver):
        assert await ended(database, job) == [("delivered", 1, "200")] * 30
    assert [delivery.event["sequence"] for _, delivery in receiver.came] == list(range(2, 32))
    first = receiver.server.exchanges[0]
    assert (first.method, first.headers["content-type"]) == ("POST", "application/json")
    assert receiver.came[0][1].event["job_id"] == job.id
    assert receiver.came[0][1].event["type"] == "completed"


async def test_a_failed_call_is_repeated_as_it_was_before_the_next_one(database: Database, receiver: Receiver) -> None:
    receiver.answers(500, 302, 200)
    job = await job_with_calls(database, receiver, 2)
    async with delivering(database, receiver):
        assert await ended(database, job) == [("delivered", 3, "200"), ("delivered", 1, "200")]
    assert [delivery.event["sequence"] for _, delivery in receiver.came] == [2, 2, 2, 3]
    repeated = receiver.server.exchanges[:3]
    assert len({exchange.body for exchange in repeated}) == 1
    assert len({exchange.headers["packshot-delivery"] for exchange in repeated}) == 1
    assert receiver.handled == [2, 3]


async def test_a_redirect_is_not_followed(database: Database, receiver: Receiver) -> None:
    receiver.answers(302, 200, Location=receiver.url("/elsewhere"))
    receiver.answers(200, path="/elsewhere")
    job = await job_with_calls(database, receiver, 1)
    async with delivering(database, receiver):
        await ended(database, job)
    assert {path for path, _ in receiver.came} == {"/hook"}


async def test_a_receiver_that_is_gone_is_not_called_again(database: Database, receiver: Receiver) -> None:
    receiver.answers(410)
    job = await job_with_calls(database, receiver, 3)
    async with delivering(database, receiver):
        assert await ended(database, job) == [("given-up", 1, "410"), ("given-up", 0, "410"), ("given-up", 0, "410")]
        await asyncio.sleep(0.3)
    assert len(receiver.came) == 1


async def test_retry_after_is_respected(database: Database, receiver: Receiver) -> None:
    receiver.answers(503, 200, Retry_After="1")
    job = await job_with_calls(database, receiver, 1)
    started = time.monotonic()
    async with delivering(database, receiver):
        assert await ended(database, job) == [("delivered", 2, "200")]
    assert time.monotonic() - started >= 1


async def test_an_event_that_is_too_old_is_given_up_and_the_next_one_sent(
    database: Database, receiver: Receiver
) -> None:
    receiver.answers(500, 200)
    job = await job_with_calls(database, receiver, 2, at=datetime.now(UTC) - timedelta(hours=2))
    async with delivering(database, receiver):
        assert await ended(database, job) == [("given-up", 1, "500"), ("delivered", 1, "200")]


async def test_a_receiver_that_hangs_is_in_nobodys_way(database: Database, receiver: Receiver) -> None:
    receiver.hangs("/slow")
    receiver.answers(200)
    slow = await job_with_calls(database, receiver, 2, receiver.url("/slow"))
    others = [await job_with_calls(database, receiver, 2) for _ in range(3)]
    async with delivering(database, receiver, concurrency=8):  # two for the tenant, one of them hangs
        for job in others:
            assert await ended(database, job) == [("delivered", 1, "200")] * 2
        assert (await states(database, slow))[0] == ("waiting", 1, "")


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("https://127.0.0.1/hook", "SOURCE_ADDRESS_REFUSED"),
        ("http://shop.example/hook", "SOURCE_SCHEME_REFUSED"),
        ("https://user:word@shop.example/hook", "SOURCE_USERINFO_REFUSED"),
    ],
)
async def test_our_own_network_is_not_called(database: Database, receiver: Receiver, url: str, outcome: str) -> None:
    job = await job_with_calls(database, receiver, 1, url)
    async with delivering(database, receiver):
        assert await ended(database, job) == [("given-up", 1, outcome)]


async def test_a_receiver_without_a_trusted_certificate_is_told_nothing(database: Database, receiver: Receiver) -> None:
    receiver.answers(200)
    receiver.settings = receiver.settings.model_copy(update={"ca_file": None})
    job = await job_with_calls(database, receiver, 1)

    async def tried_twice() -> bool:
        return (await states(database, job))[0][1] >= 2

    async with delivering(database, receiver):
        await until(tried_twice)
    assert not receiver.came
    assert (await states(database, job))[0][2] == "ConnectError"


WORKER = """
import asyncio, sys
from services.gateway.sources import SourceSettings, pinned_transport
from services.gateway.state.database import Database
from services.gateway.webhooks.delivery import WebhookDeliverer

async def main(url, host, ca_file):
    transport = pinned_transport(SourceSettings(internal_hosts=frozenset({host}), ca_file=ca_file))
    await WebhookDeliverer(Database(url), transport, concurrency=4, retry_for_s=3600, claim_s=1.0).run()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_worker_killed_before_it_has_noted_a_call_has_it_repeated(
    database: Database, receiver: Receiver, sqlite_url: str, authority: Authority
) -> None:
    job = await job_with_calls(database, receiver, 2)
    receiver.hangs()  # it has taken the call, and its answer is on the way
    command = [sys.executable, "-c", WORKER, sqlite_url, f"localhost:{receiver.server.port}", str(authority.ca_file)]
    worker = await asyncio.create_subprocess_exec(*command)

    async def called() -> bool:
        return bool(receiver.came)

    try:
        await until(called, 60)
    finally:
        worker.kill()
        await worker.wait()
    assert (await states(database, job))[0] == ("waiting", 1, "")

    receiver.answers(200)
    async with delivering(database, receiver):
        assert await ended(database, job) == [("delivered", 2, "200"), ("delivered", 1, "200")]
    first, second, _ = receiver.came
    assert first[1].delivery_id == second[1].delivery_id
    assert receiver.server.exchanges[0].body == receiver.server.exchanges[1].body
    assert receiver.handled == [2, 3]
