import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from packshot.client import (
    AsyncPackshotClient,
    DeadlineExceededError,
    InvalidArgumentError,
    PackshotError,
    Photo,
    Region,
    UnauthenticatedError,
    UnavailableError,
)
from packshot.v1.packshot_pb2 import ProcessImageResponse
from packshot.v1.report_pb2 import VERDICT_REVIEW, Report
from packshot.v1.rules_pb2 import RulePack
from services.common.errors import ServiceError, invalid_argument
from tests.helpers.scripted_gateway import ScriptedGateway, make_report, serving

NOT_AN_IMAGE = invalid_argument("photo", "PHOTO_NOT_AN_IMAGE", "the bytes are no image")


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway(outcomes={b"notes": NOT_AN_IMAGE})


@pytest.fixture
def address(gateway: ScriptedGateway) -> Iterator[str]:
    with serving(gateway) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncPackshotClient]:
    async with AsyncPackshotClient(address, timeout_s=20) as client:
        yield client


async def test_process(client: AsyncPackshotClient, tmp_path: Path) -> None:
    mug = tmp_path / "mug.jpg"
    mug.write_bytes(b"mug")
    answers = await asyncio.gather(client.process(mug, request_id="a"), client.process(b"cup", request_id="b"))
    assert [answer.request_id for answer in answers] == ["a", "b"]
    assert answers[0].results[0].images[0].content == b"OUTPUT_JPEG of mug"


async def test_a_photo_above_20_mib_travels_in_chunks(client: AsyncPackshotClient, gateway: ScriptedGateway) -> None:
    photo = bytes(20 * 2**20 + 1)
    gateway.outcomes = {photo: make_report(VERDICT_REVIEW)}
    answer = await client.process(photo)
    assert answer.results[0].report.verdict == VERDICT_REVIEW
    assert gateway.streams == 1


async def test_errors_are_typed_and_name_the_file(client: AsyncPackshotClient, tmp_path: Path) -> None:
    notes = tmp_path / "notes.jpg"
    notes.write_bytes(b"notes")
    with pytest.raises(InvalidArgumentError) as caught:
        await client.process(notes)
    assert caught.value.reason == "PHOTO_NOT_AN_IMAGE"
    assert caught.value.file == str(notes)


async def test_the_key_is_sent(address: str, gateway: ScriptedGateway) -> None:
    gateway.api_key = "secret"
    async with AsyncPackshotClient(address, api_key="secret") as client:
        await client.process(b"mug")
    async with AsyncPackshotClient(address) as client:
        with pytest.raises(UnauthenticatedError):
            await client.process(b"mug")


async def test_nobody_there() -> None:
    async with AsyncPackshotClient("127.0.0.1:1") as client:
        with pytest.raises(UnavailableError) as caught:
            await client.process(b"mug")
    assert caught.value.reason == "SERVER_UNREACHABLE"


async def test_many_photos_as_they_finish(client: AsyncPackshotClient, gateway: ScriptedGateway) -> None:
    photos: list[tuple[str, Photo]] = [("notes", b"notes"), ("missing", Path("missing.jpg"))]
    photos += [(str(i), b"mug") for i in range(10)]
    outcomes = {item_id: outcome async for item_id, outcome in client.process_many(photos, concurrency=3)}
    reasons = {key: value.reason for key, value in outcomes.items() if isinstance(value, PackshotError)}
    assert reasons == {"notes": "PHOTO_NOT_AN_IMAGE", "missing": "PHOTO_UNREADABLE"}
    assert len(outcomes) == 12
    assert gateway.max_unanswered <= 3


async def test_a_broken_stream_is_taken_up_again(client: AsyncPackshotClient, gateway: ScriptedGateway) -> None:
    gateway.answers_per_stream = 2
    photos = [(str(i), b"mug") for i in range(5)]
    outcomes = {item_id: outcome async for item_id, outcome in client.process_many(photos, concurrency=2)}
    assert len(outcomes) == 5
    assert all(isinstance(outcome, ProcessImageResponse) for outcome in outcomes.values())


async def test_silence_ends_a_stream(client: AsyncPackshotClient, gateway: ScriptedGateway) -> None:
    def slow() -> Report:
        gateway.ended_streams.get(timeout=30)
        return make_report()

    gateway.outcomes = {b"slow": slow}
    with pytest.raises(DeadlineExceededError):
        async for _ in client.process_many([("slow", b"slow")], timeout_s=0.2):
            pass


async def test_other_methods(client: AsyncPackshotClient, gateway: ScriptedGateway) -> None:
    gateway.packs = [RulePack(id="amazon-us", title="Amazon US")]
    assert (await client.check(b"mug", marketplaces=["amazon-jp"])).reports[0].marketplace == "amazon-jp"
    assert (await client.cut_out(b"mug", region_of_interest=Region(0, 0, 5, 5))).png == b"cutout of mug"
    assert [pack.id for pack in await client.list_rule_packs()] == ["amazon-us"]
    assert (await client.get_rule_pack("amazon-us")).title == "Amazon US"


async def test_a_gateway_that_is_full_is_asked_again_when_it_wants() -> None:
    full = ServiceError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "try later", retry_after_s=0.1)
    answers: list[ServiceError | Report] = [full, make_report()]

    def next_answer() -> Report:
        answer = answers.pop(0)
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    with serving(ScriptedGateway(outcomes={b"mug": next_answer})) as address:
        async with AsyncPackshotClient(address) as client:
            assert (await client.process(b"mug")).results
    assert not answers
