import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.v1.jobs_pb2 import CreateJobRequest, JobItemSource, JobItemSources
from packshot.v1.packshot_pb2 import (
    CheckImageRequest,
    CutOutImageRequest,
    ProcessImageRequest,
    ProcessImagesRequest,
    StreamItem,
)
from services.common.errors import ServiceError
from services.gateway import limits as module
from services.gateway.limits import TenantLimits, missing_s, refill
from services.gateway.state import tenants
from services.gateway.state.database import Database
from services.gateway.state.tenants import Limits
from tests.helpers.api_keys import as_caller, limit, new_database, new_key, opened
from tests.helpers.gateway import failure, running_gateway
from tests.helpers.job_service import running_jobs, upload
from tests.helpers.stages import PHOTO, Stages

RATES = st.integers(1, 10**12)
SHARES = st.floats(-3, 1)  # of a full bucket; below 0 what is owed
SECONDS = st.floats(0, 10**6)


@given(RATES, SHARES, SECONDS)
def test_a_bucket_fills_with_time_and_never_over_its_brim(rate: int, share: float, elapsed_s: float) -> None:
    left = share * rate
    later = refill(left, rate, elapsed_s)
    assert left <= later <= rate
    assert refill(left, rate, -elapsed_s) == left  # a replica whose clock is behind
    assert refill(left, rate, 240) == rate


@given(RATES, SHARES, st.floats(0, 2))
def test_who_waits_as_long_as_told_gets_it_and_not_much_sooner(rate: int, share: float, wanted: float) -> None:
    left, amount = share * rate, wanted * rate
    wait_s = missing_s(left, rate, amount)
    assert 0 <= wait_s <= 240 + 1e-6
    assert missing_s(refill(left, rate, wait_s), rate, amount) == 0
    if wait_s > 0.01:
        assert missing_s(refill(left, rate, wait_s - 0.01), rate, amount) > 0


@given(RATES, st.lists(st.tuples(st.floats(0, 30), st.floats(0, 2)), max_size=50))
def test_no_more_is_taken_than_a_full_bucket_and_what_flows_in(rate: int, tries: list[tuple[float, float]]) -> None:
    left, taken, time_s, largest = float(rate), 0.0, 0.0, 0.0
    for pause_s, share in tries:
        left, time_s, amount = refill(left, rate, pause_s), time_s + pause_s, share * rate
        if missing_s(left, rate, amount) == 0:
            left, taken, largest = left - amount, taken + amount, max(largest, amount)
    overdraft = max(largest - rate, 0)  # of one that is larger than the bucket
    assert taken <= (rate * (1 + time_s / 60) + overdraft) * (1 + 1e-4)


@pytest.fixture
async def replicas(database_url: str) -> AsyncIterator[list[TenantLimits]]:
    """The limits as two gateways see them, each over connections of its own."""
    async with AsyncExitStack() as stack:
        yield [TenantLimits(await stack.enter_async_context(opened(database_url))) for _ in range(2)]


async def refused(limits: TenantLimits, tenant: str, size_bytes: int = 1) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        async with limits.enter(tenant, size_bytes):
            pass
    return caught.value


async def test_photos_a_minute_are_counted_over_all_replicas(database: Database, replicas: list[TenantLimits]) -> None:
    await limit(database, "acme", Limits(photos_per_minute=6))
    await limit(database, "zeta", Limits(photos_per_minute=1000))
    started = monotonic()

    async def attempt(number: int) -> int:
        try:
            async with replicas[number % 2].enter("acme", 1):
                return 1
        except ServiceError as error:
            assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_LIMIT")
            assert error.metadata == {"limit": "photos_per_minute", "value": "6"}
            assert error.retry_after_s is not None and 0 < error.retry_after_s <= 10
            return 0

    entered = sum(await asyncio.gather(*(attempt(number) for number in range(30))))
    assert 6 <= entered <= 6 + (monotonic() - started) / 10
    async with replicas[0].enter("zeta", 1):
        pass


async def test_bytes_are_counted_and_a_photo_larger_than_a_minutes_is_owed(
    database: Database, replicas: list[TenantLimits]
) -> None:
    await limit(database, "acme", Limits(photos_per_minute=100, bytes_per_minute=6_000))
    async with replicas[0].enter("acme", 12_000):
        pass
    error = await refused(replicas[1], "acme", 100)
    assert error.metadata == {"limit": "bytes_per_minute", "value": "6000"}
    assert error.retry_after_s is not None and 50 < error.retry_after_s <= 61  # the debt and 100 bytes


async def test_what_is_refused_costs_nothing(database: Database, replicas: list[TenantLimits]) -> None:
    await limit(database, "acme", Limits(photos_per_minute=2, bytes_per_minute=1_000, max_concurrent_photos=1))
    async with replicas[0].enter("acme", 400):
        assert (await refused(replicas[1], "acme", 400)).metadata["limit"] == "max_concurrent_photos"
        assert (await refused(replicas[1], "acme", 900)).metadata["limit"] == "bytes_per_minute"
    async with replicas[1].enter("acme", 400):
        pass


async def test_places_are_shared_between_replicas_and_who_waits_gets_one(
    database: Database, replicas: list[TenantLimits]
) -> None:
    await limit(database, "acme", Limits(max_concurrent_photos=3))
    inside = most = 0

    async def photo(number: int) -> None:
        nonlocal inside, most
        async with replicas[number % 2].wait("acme", 1):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.02)
            inside -= 1

    await asyncio.gather(*(photo(number) for number in range(16)))
    assert most <= 3
    async with database.read() as session:
        assert await tenants.photos_in_work(session, "acme", datetime.now(UTC)) == 0


async def test_a_replica_that_dies_holds_no_place_for_long(database: Database, replicas: list[TenantLimits]) -> None:
    await limit(database, "acme", Limits(max_concurrent_photos=1))
    ends_at = datetime.now(UTC) + timedelta(seconds=1)
    await database.write(lambda session: tenants.add_lease(session, "of-the-dead", "acme", ends_at))
    error = await refused(replicas[0], "acme")
    assert (error.metadata["limit"], error.metadata["value"]) == ("max_concurrent_photos", "1")
    async with replicas[0].wait("acme", 1):
        assert datetime.now(UTC) >= ends_at


async def test_a_photo_that_takes_long_keeps_its_place(
    database: Database, replicas: list[TenantLimits], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEASE_S", 2.0)
    monkeypatch.setattr(module, "_RENEW_S", 0.2)
    await limit(database, "acme", Limits(max_concurrent_photos=1))
    async with replicas[0].enter("acme", 1):
        await asyncio.sleep(2.5)
        await refused(replicas[1], "acme")


async def test_a_call_that_is_cancelled_gives_its_place_back(database: Database, replicas: list[TenantLimits]) -> None:
    await limit(database, "acme", Limits(max_concurrent_photos=1))

    async def forever() -> None:
        async with replicas[0].enter("acme", 1):
            await asyncio.Event().wait()

    call = asyncio.create_task(forever())
    await asyncio.sleep(0.3)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    async with asyncio.timeout(5), replicas[1].wait("acme", 1):
        pass


async def test_limits_that_are_raised_or_lifted_hold_within_seconds(
    database: Database, replicas: list[TenantLimits]
) -> None:
    await limit(database, "acme", Limits(bytes_per_minute=1))
    await replicas[0].wait_for_bytes("acme", 1_000_000)  # owed: for years
    waiting = asyncio.create_task(replicas[0].wait_for_bytes("acme", 1))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await limit(database, "acme", Limits())
    async with asyncio.timeout(8):
        await waiting


async def test_a_tenant_without_limits_costs_the_database_next_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(await new_database(tmp_path)) as database:
        await limit(database, "acme", Limits())
        limits, reads = TenantLimits(database), 0
        read = database.read

        @asynccontextmanager
        async def counted() -> AsyncIterator[Any]:
            nonlocal reads
            reads += 1
            async with read() as session:
                yield session

        monkeypatch.setattr(database, "read", counted)
        monkeypatch.setattr(database, "write", None)
        started = monotonic()
        for _ in range(200):
            async with limits.enter("acme", 10**9), limits.wait("acme", 10**9):
                await limits.wait_for_bytes("acme", 10**9)
        assert reads <= 1 + (monotonic() - started) / 3


async def test_who_owes_bytes_may_still_send_none(database: Database, replicas: list[TenantLimits]) -> None:
    await limit(database, "acme", Limits(bytes_per_minute=1_000))
    await replicas[0].spend_bytes("acme", 3_000)
    async with replicas[1].enter("acme", 0):
        pass
    with pytest.raises(ServiceError, match="bytes_per_minute=1000"):
        await replicas[1].spend_bytes("acme", 1)


async def test_photos_of_a_job_count_when_they_come_in(stages: Stages, tmp_path: Path) -> None:
    async with running_jobs(stages, tmp_path) as acme:
        await limit(acme.store.database, "acme", Limits(bytes_per_minute=6_000))
        job = await acme.open()
        started = monotonic()
        photos = [("a", b"a" * 6_000), ("b", b"b" * 200)]
        await acme.jobs.UploadJobItems(iter(upload(job.job_id, photos, chunk_bytes=1_000)))
        assert monotonic() - started > 1.5  # the second photo waited for its 200 bytes
        item = JobItemSource(item_key="c", content=b"c" * 3_000)
        error = await failure(acme.jobs.CreateJob(CreateJobRequest(items=JobItemSources(items=[item]))))
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_LIMIT")
        assert error.metadata == {"limit": "bytes_per_minute", "value": "6000"}
        await acme.create("by-url")


CALLS: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "ProcessImage": lambda stub, key: stub.ProcessImage(ProcessImageRequest(photo=PHOTO), metadata=key),
    "CheckImage": lambda stub, key: stub.CheckImage(CheckImageRequest(image=PHOTO), metadata=key),
    "CutOutImage": lambda stub, key: stub.CutOutImage(CutOutImageRequest(photo=PHOTO), metadata=key),
}


@pytest.mark.parametrize("method", CALLS)
async def test_callers_are_told_their_limit_and_when_to_come_back(stages: Stages, tmp_path: Path, method: str) -> None:
    url = await new_database(tmp_path)
    acme, zeta = as_caller(await new_key(url, "acme")), as_caller(await new_key(url, "zeta"))
    async with opened(url) as database:
        await limit(database, "acme", Limits(photos_per_minute=1))
    async with running_gateway(stages, AUTH="api-key", DATABASE_URL=url) as gateway:
        await CALLS[method](gateway.stub, acme)
        error = await failure(CALLS[method](gateway.stub, acme))
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_LIMIT")
        assert error.metadata == {"limit": "photos_per_minute", "value": "1"}
        assert error.retry_after_s is not None and 0 < error.retry_after_s <= 60
        await CALLS[method](gateway.stub, zeta)


async def test_photos_of_a_stream_wait_instead(stages: Stages, tmp_path: Path) -> None:
    url = await new_database(tmp_path)
    key = await new_key(url, "acme")
    async with opened(url) as database:
        await limit(database, "acme", Limits(photos_per_minute=60, max_concurrent_photos=1))
        async with database.begin() as session:
            (await tenants.lock_usage(session, "acme")).photos_left = 2.0
    requests = [ProcessImagesRequest(item=StreamItem(item_id=str(number), photo=PHOTO)) for number in range(4)]
    async with running_gateway(stages, AUTH="api-key", DATABASE_URL=url) as gateway:
        started = monotonic()
        answers = [r async for r in gateway.stub.ProcessImages(iter(requests), metadata=as_caller(key))]
        assert [answer.WhichOneof("outcome") for answer in answers] == ["result"] * 4
        assert {answer.item_id for answer in answers} == {"0", "1", "2", "3"}
        assert monotonic() - started > 1.0  # the third and fourth waited for a photo to be theirs
