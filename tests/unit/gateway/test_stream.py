"""ProcessImages: many photos over one stream."""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.message import Message

from packshot.v1.compositor_pb2 import ComposeImageRequest, ComposeImageResponse
from packshot.v1.packshot_pb2 import (
    PhotoChunk,
    ProcessImagesRequest,
    ProcessImagesResponse,
    ProcessOptions,
    StreamItem,
)
from packshot.v1.segmenter_pb2 import SegmentImageRequest
from services.common.errors import ServiceError, from_status, invalid_argument
from tests.helpers.gateway import Gateway, eventually, failure, running_gateway
from tests.helpers.stages import PHOTO, Stages, after, composed, segmented


def item(item_id: str, photo: bytes = PHOTO, **options: Any) -> ProcessImagesRequest:
    return ProcessImagesRequest(item=StreamItem(item_id=item_id, photo=photo, options=ProcessOptions(**options)))


def upload(item_id: str, **options: Any) -> ProcessImagesRequest:
    """Announces an item whose photo comes in chunks."""
    return item(item_id, b"", **options)


def chunk(item_id: str, data: bytes = b"", *, last: bool = False) -> ProcessImagesRequest:
    return ProcessImagesRequest(chunk=PhotoChunk(item_id=item_id, data=data, last=last))


async def send(gateway: Gateway, *requests: ProcessImagesRequest) -> list[ProcessImagesResponse]:
    return [response async for response in gateway.stub.ProcessImages(iter(requests), timeout=30)]


def errors(responses: Iterable[ProcessImagesResponse]) -> dict[str, ServiceError]:
    return {r.item_id: from_status(r.error) for r in responses if r.HasField("error")}


def results(responses: Iterable[ProcessImagesResponse]) -> set[str]:
    return {response.item_id for response in responses if response.HasField("result")}


def slow_for(slow: bytes, seconds: float) -> Any:
    """A segmenter that takes its time for one photo."""

    async def answer(request: SegmentImageRequest) -> Message:
        if request.photo == slow:
            await asyncio.sleep(seconds)
        return segmented(request)

    return answer


def photos_segmented(stages: Stages) -> list[bytes]:
    return [call.request.photo for call in stages.segmenter.segment.calls]


class TestAnswers:
    async def test_every_item_is_answered_under_its_own_id(self, gateway: Gateway) -> None:
        responses = await send(gateway, *(item(f"shop/mug {i}.jpg") for i in range(5)))
        assert results(responses) == {f"shop/mug {i}.jpg" for i in range(5)}
        assert len(responses) == 5

    async def test_an_empty_stream_ends_well(self, gateway: Gateway) -> None:
        assert await send(gateway) == []

    async def test_a_slow_photo_holds_no_other_back(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [slow_for(b"slow", 2)]
        responses = await send(gateway, item("first", b"slow"), item("second", b"fast"))
        assert [response.item_id for response in responses] == ["second", "first"]

    async def test_answers_come_while_the_caller_still_sends(self, gateway: Gateway) -> None:
        call: Any = gateway.stub.ProcessImages()
        for item_id in ("a", "b"):
            await call.write(item(item_id))
            response = await call.read()
            assert response.item_id == item_id
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF

    async def test_an_id_is_free_again_once_answered(self, gateway: Gateway) -> None:
        call: Any = gateway.stub.ProcessImages()
        for _ in range(2):
            await call.write(item("same"))
            response = await call.read()
            assert response.HasField("result")
        await call.done_writing()


class TestBadItems:
    async def test_each_gets_its_error_and_the_stream_goes_on(self, gateway: Gateway, stages: Stages) -> None:
        async def refuse_junk(request: SegmentImageRequest) -> Message:
            if request.photo == b"junk":
                raise ValueError("a bug in the segmenter")
            return segmented(request)

        stages.segmenter.segment.script = [refuse_junk]
        responses = await send(
            gateway,
            ProcessImagesRequest(),
            item("bad id \n"),
            item("bad options", marketplaces=["NOT-A-PACK"]),
            item("bad category", category="groceries"),
            item("bad date", as_of_date="2026-02-30"),
            item("bad photo", b"junk"),
            chunk("never announced", b"data"),
            item("good"),
        )
        found = errors(responses)
        assert results(responses) == {"good"}
        assert found[""].violations[0].field == "message"
        assert found["bad id \n"].violations[0].field == "item_id"
        assert found["bad options"].violations[0].field == "options.marketplaces[0]"
        assert found["bad category"].violations[0].field == "options.category"
        assert found["bad date"].reason == "INVALID_DATE"
        assert found["bad photo"].metadata["stage"] == "segmenter"
        assert found["never announced"].reason == "UNKNOWN_ITEM"
        assert len(responses) == 8

    async def test_the_stages_reason_is_passed_on(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [invalid_argument("photo", "PHOTO_NOT_AN_IMAGE", "no image format known")]
        error = errors(await send(gateway, item("a")))["a"]
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PHOTO_NOT_AN_IMAGE")
        assert error.violations[0].field == "photo"

    async def test_an_id_in_use_is_refused(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [slow_for(b"slow", 2)]
        responses = await send(gateway, item("same", b"slow"), item("same", b"other"))
        assert [response.WhichOneof("outcome") for response in responses] == ["error", "result"]
        assert errors(responses)["same"].reason == "ITEM_ID_IN_USE"
        assert photos_segmented(stages) == [b"slow"]

    async def test_an_overloaded_segmenter_is_waited_for(self, gateway: Gateway, stages: Stages) -> None:
        full = ServiceError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "too much waits", retry_after_s=0.1)
        stages.segmenter.segment.script = [full, full, segmented]
        assert results(await send(gateway, item("a"))) == {"a"}

    async def test_an_item_has_the_default_deadline_not_the_streams(self, stages: Stages) -> None:
        stages.segmenter.segment.script = [slow_for(b"slow", 20)]
        async with running_gateway(stages, DEFAULT_DEADLINE_MS="2000") as gateway:
            responses = await send(gateway, item("slow", b"slow"), item("fast", b"fast"))
        assert results(responses) == {"fast"}
        assert errors(responses)["slow"].code is grpc.StatusCode.DEADLINE_EXCEEDED


class TestUploads:
    async def test_interleaved_chunks_find_their_photos(self, gateway: Gateway, stages: Stages) -> None:
        responses = await send(
            gateway,
            upload("a"),
            upload("b"),
            chunk("a", b"one "),
            chunk("b", b"three "),
            chunk("a", b"two"),
            item("whole", b"five"),
            chunk("b", b"four", last=True),
            chunk("a", last=True),
        )
        assert results(responses) == {"a", "b", "whole"}
        assert sorted(photos_segmented(stages)) == [b"five", b"one two", b"three four"]

    async def test_a_photo_above_the_unary_limit_goes_through(self, gateway: Gateway, stages: Stages) -> None:
        large = bytes(2**20)
        responses = await send(gateway, upload("a"), *[chunk("a", large)] * 21, chunk("a", last=True))
        assert results(responses) == {"a"}
        assert len(photos_segmented(stages)[0]) == 21 * 2**20

    async def test_an_upload_without_its_last_chunk_is_incomplete(self, gateway: Gateway) -> None:
        error = errors(await send(gateway, upload("a"), chunk("a", b"half a photo")))["a"]
        assert (error.reason, error.violations[0].field) == ("UPLOAD_INCOMPLETE", "chunk.last")

    async def test_an_upload_of_nothing_is_an_empty_photo(self, gateway: Gateway) -> None:
        error = errors(await send(gateway, upload("a"), chunk("a", last=True)))["a"]
        assert (error.reason, error.violations[0].field) == ("PHOTO_EMPTY", "photo")

    async def test_a_too_large_upload_gets_one_error(self, stages: Stages) -> None:
        async with running_gateway(stages, MAX_UPLOAD_BYTES="10") as gateway:
            responses = await send(
                gateway,
                upload("large"),
                *[chunk("large", b"12345")] * 5,
                chunk("large", last=True),
                upload("just right"),
                chunk("just right", b"1234567890", last=True),
            )
        assert results(responses) == {"just right"}
        error = errors(responses)["large"]
        assert (error.reason, error.metadata["limit_bytes"]) == ("PHOTO_TOO_LARGE", "10")
        assert len(responses) == 2

    async def test_a_fifth_open_upload_gets_one_error(self, gateway: Gateway) -> None:
        five = [str(number) for number in range(5)]
        responses = await send(
            gateway,
            *(upload(name) for name in five),
            *(chunk(name, b"data") for name in five),
            *(chunk(name, last=True) for name in five),
            upload("4"),
            chunk("4", b"again", last=True),
        )
        assert results(responses) == {*five}
        refused = [response for response in responses if response.HasField("error")]
        assert [(r.item_id, from_status(r.error).reason) for r in refused] == [("4", "TOO_MANY_UPLOADS")]

    async def test_chunks_of_an_unknown_item_get_one_error(self, gateway: Gateway) -> None:
        responses = await send(gateway, *[chunk("nobody", b"data")] * 10, chunk("nobody", last=True), item("a"))
        assert errors(responses)["nobody"].reason == "UNKNOWN_ITEM"
        assert len(responses) == 2

    async def test_a_photo_with_a_bad_chunk_is_not_processed_with_a_hole(
        self, gateway: Gateway, stages: Stages
    ) -> None:
        responses = await send(
            gateway,
            upload("a"),
            chunk("a", b"start"),
            chunk("a", bytes(2**20 + 1)),
            chunk("a", b"end", last=True),
        )
        assert [response.WhichOneof("outcome") for response in responses] == ["error"]
        assert errors(responses)["a"].violations[0].field == "chunk.data"
        assert stages.segmenter.segment.calls == []

    async def test_the_chunks_of_a_refused_item_are_ignored(self, gateway: Gateway) -> None:
        responses = await send(
            gateway, upload("a", category="NO CATEGORY"), chunk("a", b"data"), chunk("a", last=True), item("b")
        )
        assert errors(responses)["a"].violations[0].field == "options.category"
        assert len(responses) == 2

    async def test_two_uploads_under_one_id_both_fail(self, gateway: Gateway, stages: Stages) -> None:
        """Their chunks could not be told apart."""
        responses = await send(
            gateway, upload("a"), chunk("a", b"first"), upload("a"), chunk("a", b"second"), chunk("a", last=True)
        )
        assert [from_status(response.error).reason for response in responses] == ["ITEM_ID_IN_USE"] * 2
        assert stages.segmenter.segment.calls == []


class TestBackpressure:
    async def test_no_more_photos_are_in_work_than_allowed(self, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(0.05, segmented)]
        async with running_gateway(stages, MAX_STREAM_ITEMS="3") as gateway:
            responses = await send(gateway, *(item(str(number)) for number in range(12)))
        assert len(results(responses)) == 12
        assert stages.segmenter.segment.most_running == 3

    async def test_streams_share_the_gateways_places(self, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(0.05, segmented)]
        async with running_gateway(stages, MAX_CONCURRENT_PHOTOS="2") as gateway:
            answered = await asyncio.gather(
                *(send(gateway, *(item(str(number)) for number in range(4))) for _ in range(3))
            )
        assert [len(results(responses)) for responses in answered] == [4, 4, 4]
        assert stages.segmenter.segment.most_running == 2

    async def test_a_caller_who_does_not_read_is_not_worked_for(self, stages: Stages) -> None:
        """Answers of megabytes would pile up; two are in work or unread, the rest fills the transport's window."""
        large = b"x" * 2**20
        stages.compositor.compose.script = [_large_jpegs]
        async with running_gateway(stages, MAX_STREAM_ITEMS="2") as gateway:
            call: Any = gateway.stub.ProcessImages()
            writer = asyncio.create_task(_write_all(call, (item(str(number), large) for number in range(40))))
            await eventually(lambda: len(stages.segmenter.segment.calls) >= 2)
            await asyncio.sleep(0.5)
            assert len(stages.segmenter.segment.calls) < 10
            answered = 0
            while await call.read() is not grpc.aio.EOF:
                answered += 1
            await writer
        assert answered == 40


def _large_jpegs(request: ComposeImageRequest) -> ComposeImageResponse:
    """3 MiB each, more than a connection holds in flight."""
    response = composed(request)
    response.compositions[0].images[0].content = bytes(3 * 2**20)
    return response


async def _write_all(call: Any, requests: Iterable[ProcessImagesRequest]) -> None:
    for request in requests:
        await call.write(request)
    await call.done_writing()


class TestTheEnd:
    async def test_work_stops_when_the_caller_goes(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(30, segmented)]
        call: Any = gateway.stub.ProcessImages()
        for number in range(3):
            await call.write(item(str(number)))
        await eventually(lambda: stages.segmenter.segment.running == 3)
        call.cancel()
        await eventually(lambda: stages.segmenter.segment.cancelled == 3)

    async def test_a_stopping_gateway_answers_what_is_in_work_and_takes_no_more(self, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(1, segmented)]
        async with running_gateway(stages, GRACE_S="60") as gateway:
            call: Any = gateway.stub.ProcessImages()
            await call.write(item("in work"))
            await eventually(lambda: stages.segmenter.segment.running == 1)
            stopping = asyncio.create_task(gateway.server.stop())
            response = await call.read()
            assert response.item_id == "in work"
            assert response.HasField("result")
            error = await failure(call.read())
            assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
            async with asyncio.timeout(30):
                await stopping
