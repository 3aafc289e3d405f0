import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from packshot.v1 import jobs_pb2, packshot_pb2, reviews_pb2, status_pb2
from packshot.v1.packshot_pb2 import ProcessImageRequest, ProcessImagesRequest, StreamItem
from packshot.v1.rules_pb2 import ListRulePacksRequest
from services.gateway.auth import SCOPE_OF_SERVICE
from services.gateway.caller import SCOPES
from tests.helpers.api_keys import as_caller, new_key, new_key_with_id, opened, revoke
from tests.helpers.gateway import Gateway, failure, running_gateway
from tests.helpers.stages import PHOTO, Stages, after, segmented

ONE_PHOTO = ProcessImageRequest(photo=PHOTO)
ANY = ListRulePacksRequest()


@pytest.fixture
async def gateway(stages: Stages, sqlite_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(stages, AUTH="api-key", DATABASE_URL=sqlite_url) as running:
        yield running


async def test_the_right_key_opens(gateway: Gateway, sqlite_url: str) -> None:
    key = await new_key(sqlite_url, "acme")
    response = await gateway.stub.ProcessImage(ONE_PHOTO, metadata=as_caller(key))
    assert len(response.results) == 1


async def test_a_key_opens_as_soon_as_it_is_made(gateway: Gateway, sqlite_url: str) -> None:
    for tenant in ("acme", "zeta"):
        await gateway.stub.ListRulePacks(ANY, metadata=as_caller(await new_key(sqlite_url, tenant)))


async def test_without_a_key_or_with_a_wrong_one_nothing_happens(
    gateway: Gateway, sqlite_url: str, stages: Stages
) -> None:
    await new_key(sqlite_url, "acme")
    missing = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
    assert (missing.code, missing.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING")
    assert "x-api-key" in missing.message
    wrong = await failure(gateway.stub.ProcessImage(ONE_PHOTO, metadata=as_caller("pk_wrong")))
    assert (wrong.code, wrong.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
    assert "pk_wrong" not in wrong.message
    assert stages.segmenter.segment.calls == []


async def test_a_strangers_request_is_not_even_looked_at(gateway: Gateway) -> None:
    error = await failure(gateway.stub.ProcessImage(ProcessImageRequest()))
    assert error.reason == "API_KEY_MISSING"


@pytest.mark.parametrize(
    "method", ["PackshotService/ProcessImage", "JobService/WatchJob", "PackshotService/ProcessImages"]
)
async def test_a_strangers_request_is_not_even_read(gateway: Gateway, method: str) -> None:
    """Nothing is sent but who calls; a call that was read first would wait for the rest."""
    call: Any = gateway.channel.stream_stream(f"/packshot.v1.{method}")()
    async with asyncio.timeout(10):
        error = await failure(call.read())
    assert error.reason == "API_KEY_MISSING"


async def test_a_request_above_the_limit_is_refused_as_such(stages: Stages, sqlite_url: str) -> None:
    key = await new_key(sqlite_url, "acme")
    limited = {"MAX_MESSAGE_BYTES": str(2**20)}
    async with running_gateway(stages, AUTH="api-key", DATABASE_URL=sqlite_url, **limited) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.stub.ProcessImage(ProcessImageRequest(photo=bytes(2**21)), metadata=as_caller(key))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await gateway.stub.ListRulePacks(ANY, metadata=as_caller(key))


async def test_a_call_without_a_request_is_told_so(gateway: Gateway, sqlite_url: str) -> None:
    key = await new_key(sqlite_url, "acme")
    call: Any = gateway.channel.stream_unary("/packshot.v1.PackshotService/ProcessImage")(metadata=as_caller(key))
    await call.done_writing()
    error = await failure(call)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MISSING")


async def test_bytes_that_are_no_message_are_the_senders_fault(gateway: Gateway, sqlite_url: str) -> None:
    key = await new_key(sqlite_url, "acme")
    call: Any = gateway.channel.unary_unary("/packshot.v1.PackshotService/ProcessImage")
    error = await failure(call(b"\xff\xff\xff", metadata=as_caller(key)))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_UNREADABLE")


async def test_streams_need_a_key_too(gateway: Gateway, sqlite_url: str) -> None:
    key = await new_key(sqlite_url, "acme")
    request = ProcessImagesRequest(item=StreamItem(item_id="a", photo=PHOTO))
    stranger: Any = gateway.stub.ProcessImages()
    error = await failure(stranger.read())
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING")
    answers = [r async for r in gateway.stub.ProcessImages(iter([request]), metadata=as_caller(key))]
    assert [answer.WhichOneof("outcome") for answer in answers] == ["result"]


@pytest.mark.parametrize("service", ["", "PackshotService", "JobService", "ReviewService", "StatusService"])
async def test_health_needs_no_key(gateway: Gateway, service: str) -> None:
    health: Any = health_pb2_grpc.HealthStub(gateway.channel)
    name = f"packshot.v1.{service}" if service else ""
    response = await health.Check(health_pb2.HealthCheckRequest(service=name))
    assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_key_without_the_services_scope_is_told_which(
    gateway: Gateway, sqlite_url: str, stages: Stages
) -> None:
    key = await new_key(sqlite_url, "acme", "jobs", "reviews")
    error = await failure(gateway.stub.ProcessImage(ONE_PHOTO, metadata=as_caller(key)))
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
    assert error.metadata == {"scope": "photos"}
    assert stages.segmenter.segment.calls == []


def test_every_public_service_has_a_scope() -> None:
    public = [
        service.full_name
        for file in (packshot_pb2, jobs_pb2, reviews_pb2, status_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
    ]
    assert sorted(SCOPE_OF_SERVICE) == sorted(public)
    assert set(SCOPE_OF_SERVICE.values()) == set(SCOPES)


async def refusal(gateway: Gateway, key: str) -> grpc.StatusCode:
    """Calls until the call is refused; how."""
    while True:
        try:
            await gateway.stub.ListRulePacks(ANY, metadata=as_caller(key))
        except grpc.aio.AioRpcError as error:
            return error.code()
        await asyncio.sleep(0.05)


async def test_a_revoked_key_fails_on_every_replica_and_ends_its_streams(
    stages: Stages, database_url: str, tmp_path: Path
) -> None:
    url = database_url
    key_id, key = await new_key_with_id(url, "acme")
    other = await new_key(url, "acme")
    stages.segmenter.segment.script = [after(30, segmented)]
    async with (
        running_gateway(stages, AUTH="api-key", DATABASE_URL=url, LISTEN=f"unix:{tmp_path}/1") as first,
        running_gateway(stages, AUTH="api-key", DATABASE_URL=url, LISTEN=f"unix:{tmp_path}/2") as second,
    ):
        streams: list[Any] = []
        for replica in (first, second):
            await replica.stub.ListRulePacks(ANY, metadata=as_caller(key))
            stream: Any = replica.stub.ProcessImages(metadata=as_caller(key))
            await stream.write(ProcessImagesRequest(item=StreamItem(item_id="a", photo=PHOTO)))
            streams.append(stream)
        await revoke(url, key_id)
        async with asyncio.timeout(5):
            for replica in (first, second):
                assert await refusal(replica, key) is grpc.StatusCode.UNAUTHENTICATED
            for stream in streams:
                error = await failure(stream.read())
                assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
        for replica in (first, second):
            await replica.stub.ListRulePacks(ANY, metadata=as_caller(other))


async def test_keys_that_cannot_be_checked_open_nothing_for_long(gateway: Gateway, sqlite_url: str) -> None:
    key = await new_key(sqlite_url, "acme")
    await gateway.stub.ListRulePacks(ANY, metadata=as_caller(key))
    async with opened(sqlite_url) as database, database.begin() as session:
        await (await session.connection()).exec_driver_sql("ALTER TABLE api_keys RENAME TO gone")
    async with asyncio.timeout(10):
        assert await refusal(gateway, key) is grpc.StatusCode.UNAVAILABLE
