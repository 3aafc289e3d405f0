"""How the gateway calls its stages: deadlines, request ids, retries, overload, a stage that is away."""

import asyncio
import time

import grpc
import pytest

from packshot.v1.packshot_pb2 import CheckImageRequest, ProcessImageRequest
from services.common.errors import ServiceError
from services.gateway.stages import Call, renamed_field
from services.gateway.stages import Stages as Clients
from tests.helpers.gateway import Gateway, eventually, failure, running_gateway
from tests.helpers.stages import PHOTO, Rule, Stages, after, composed, evaluated, segmented

ONE_PHOTO = ProcessImageRequest(photo=PHOTO)


def overloaded(retry_after_s: float = 0.1) -> ServiceError:
    return ServiceError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "too much waits", retry_after_s=retry_after_s)


class TestRequestId:
    async def test_the_callers_id_reaches_every_stage_and_the_answer(self, gateway: Gateway, stages: Stages) -> None:
        response = await gateway.stub.ProcessImage(ProcessImageRequest(photo=PHOTO, request_id="order-17"))
        assert response.request_id == "order-17"
        assert _request_ids(stages) == {"order-17"}

    async def test_metadata_names_a_request_that_does_not_name_itself(self, gateway: Gateway, stages: Stages) -> None:
        response = await gateway.stub.ProcessImage(ONE_PHOTO, metadata=(("x-request-id", "trace-9"),))
        assert response.request_id == "trace-9"
        assert _request_ids(stages) == {"trace-9"}

    async def test_a_nameless_request_gets_an_id(self, gateway: Gateway, stages: Stages) -> None:
        response = await gateway.stub.ProcessImage(ONE_PHOTO)
        assert len(response.request_id) >= 16
        assert _request_ids(stages) == {response.request_id}


def _request_ids(stages: Stages) -> set[str]:
    methods = [stages.segmenter.segment, stages.compositor.compose, stages.validator.validate]
    return {call.request_id for method in methods for call in method.calls}


class TestDeadline:
    async def test_each_stage_gets_what_is_left(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(0.3, segmented)]
        await gateway.stub.ProcessImage(ONE_PHOTO, timeout=20)
        at_segmenter = stages.segmenter.segment.calls[0].remaining_s
        at_compositor = stages.compositor.compose.calls[0].remaining_s
        assert at_segmenter is not None
        assert at_compositor is not None
        assert at_segmenter <= 20.5  # the wire rounds deadlines up
        assert at_compositor <= at_segmenter - 0.25

    async def test_a_call_without_deadline_gets_the_default(self, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(30, segmented)]
        async with running_gateway(stages, DEFAULT_DEADLINE_MS="300") as gateway:
            error = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.reason == "DEADLINE_EXCEEDED"

    async def test_stage_work_stops_when_the_caller_goes(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(30, segmented)]
        call = gateway.stub.ProcessImage(ONE_PHOTO)
        await eventually(lambda: stages.segmenter.segment.running == 1)
        call.cancel()
        await eventually(lambda: stages.segmenter.segment.cancelled == 1)


class TestStageAway:
    async def test_a_stage_that_is_down_is_named_and_back_without_a_restart(self, stages: Stages) -> None:
        async with running_gateway(stages, STAGE_AWAY_S="0.5") as gateway:
            await self._goes_down_and_comes_back(gateway, stages)

    async def _goes_down_and_comes_back(self, gateway: Gateway, stages: Stages) -> None:
        await gateway.stub.ProcessImage(ONE_PHOTO)
        await stages.stop("compositor")
        error = await failure(gateway.stub.ProcessImage(ONE_PHOTO, timeout=60))
        assert error.code is grpc.StatusCode.UNAVAILABLE
        assert error.reason == "STAGE_UNAVAILABLE"
        assert error.metadata["stage"] == "compositor"
        assert "compositor" in error.message
        assert error.retry_after_s is not None

        await stages.start("compositor")
        async with asyncio.timeout(60):
            while True:
                try:
                    await gateway.stub.ProcessImage(ONE_PHOTO)
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.1)

    async def test_no_photo_fails_while_a_stages_only_replica_restarts(self, gateway: Gateway, stages: Stages) -> None:
        await gateway.stub.ProcessImage(ONE_PHOTO)
        await stages.stop("compositor")
        photos = [asyncio.ensure_future(gateway.stub.ProcessImage(ONE_PHOTO, timeout=60)) for _ in range(8)]
        # Longer than the channel's own repeats last.
        await asyncio.wait(photos, timeout=3)
        assert not any(photo.done() for photo in photos)
        await stages.start("compositor")
        await asyncio.gather(*photos)

    async def test_a_hiccup_is_not_noticed(self, gateway: Gateway, stages: Stages) -> None:
        hiccup = ServiceError(grpc.StatusCode.UNAVAILABLE, "STOPPING", "another replica please")
        stages.segmenter.segment.script = [hiccup, hiccup, segmented]
        await gateway.stub.ProcessImage(ONE_PHOTO)
        assert len(stages.segmenter.segment.calls) == 3

    async def test_retries_are_bounded(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [ServiceError(grpc.StatusCode.UNAVAILABLE, "STOPPING", "going down")]
        error = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
        assert (error.reason, error.metadata["stage"]) == ("STOPPING", "segmenter")
        assert len(stages.segmenter.segment.calls) == 4

    async def test_other_errors_are_not_tried_again(self, gateway: Gateway, stages: Stages) -> None:
        stages.compositor.compose.script = [ServiceError(grpc.StatusCode.INTERNAL, "INTERNAL", "a bug")]
        error = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
        assert (error.code, error.metadata["stage"]) == (grpc.StatusCode.INTERNAL, "compositor")
        assert len(stages.compositor.compose.calls) == 1


class TestOverload:
    async def test_an_overloaded_segmenter_refuses_a_single_photo_at_once(
        self, gateway: Gateway, stages: Stages
    ) -> None:
        stages.segmenter.segment.script = [overloaded(retry_after_s=2.5)]
        error = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.retry_after_s == 2.5
        assert len(stages.segmenter.segment.calls) == 1

    async def test_an_overloaded_validator_refuses_a_check_at_once(self, gateway: Gateway, stages: Stages) -> None:
        stages.validator.validate.script = [overloaded()]
        error = await failure(gateway.stub.CheckImage(CheckImageRequest(image=b"finished")))
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(stages.validator.validate.calls) == 1

    async def test_later_stages_are_waited_for(self, gateway: Gateway, stages: Stages) -> None:
        stages.compositor.compose.script = [overloaded(), overloaded(), composed]
        stages.validator.validate.script = [overloaded(), evaluated(lambda image: [Rule("white")])]
        response = await gateway.stub.ProcessImage(ONE_PHOTO)
        assert response.results[0].report.compliant
        assert len(stages.compositor.compose.calls) == 3

    async def test_nobody_waits_past_the_deadline(
        self, gateway: Gateway, stages: Stages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.gateway.stages._LONGEST_PAUSE_S", 60.0)
        stages.compositor.compose.script = [overloaded(retry_after_s=60)]
        error = await failure(gateway.stub.ProcessImage(ONE_PHOTO, timeout=40))
        assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    async def test_past_its_bound_the_gateway_refuses_single_photos_at_once(self, stages: Stages) -> None:
        stages.segmenter.segment.script = [after(2, segmented)]
        async with running_gateway(stages, MAX_CONCURRENT_PHOTOS="2") as gateway:
            inside = [gateway.stub.ProcessImage(ONE_PHOTO) for _ in range(2)]
            await eventually(lambda: stages.segmenter.segment.running == 2)
            error = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
            assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert error.retry_after_s == 1.0
            assert error.metadata["limit"] == "2"
            for call in inside:
                await call
            await gateway.stub.ProcessImage(ONE_PHOTO)

    async def test_the_gateway_lets_in_fewer_when_photos_wait_long_for_a_stage(self, stages: Stages) -> None:
        refusal = overloaded()
        stages.segmenter.segment.script = [*(refusal for _ in range(10)), segmented]
        async with running_gateway(stages, MAX_CONCURRENT_PHOTOS="3") as gateway:
            for _ in range(5):
                errors = await asyncio.gather(*(failure(gateway.stub.ProcessImage(ONE_PHOTO)) for _ in range(2)))
                assert [error.metadata["stage"] for error in errors] == ["segmenter"] * 2
            stages.segmenter.segment.script[-1] = after(1, segmented)
            inside = [gateway.stub.ProcessImage(ONE_PHOTO) for _ in range(2)]
            await eventually(lambda: stages.segmenter.segment.running == 2)
            error = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
            assert (error.reason, error.metadata) == ("OVERLOADED", {"limit": "2"})
            for call in inside:
                await call


async def test_the_segmenter_says_what_it_segments_with(stages: Stages) -> None:
    clients = Clients(
        segmenter=stages.address("segmenter"),
        compositor=stages.address("compositor"),
        validator=stages.address("validator"),
        away_s=0,
    )
    try:
        described = await clients.describe_segmenter(Call("key-of-17", "acme", time.monotonic() + 10))
    finally:
        await clients.close()
    assert list(described.proposers) == ["classical"]
    assert described.digest.startswith("sha256:")
    assert [call.request_id for call in stages.segmenter.describe.calls] == ["key-of-17"]


def test_a_stages_fields_are_renamed_to_the_callers() -> None:
    error = ServiceError(
        grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN", "id: no such pack", metadata={"stage": "validator"}
    )
    renamed = renamed_field(error, {"id": "options.marketplaces[0]"})
    assert renamed.message == "options.marketplaces[0]: no such pack"
    assert renamed.metadata == {"stage": "validator"}
