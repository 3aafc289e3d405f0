"""What the gateway tells over a real NATS while it works."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from packshot.v1.packshot_pb2 import ProcessImageRequest, ProcessImagesRequest, ProcessOptions, StreamItem
from packshot.v1.report_pb2 import RULE_STATUS_FAIL
from packshot.v1.segmenter_pb2 import SegmentImageResponse
from services.common.errors import invalid_argument
from tests.helpers.api_keys import as_caller, new_database, new_key
from tests.helpers.gateway import eventually, failure, running_gateway
from tests.helpers.nats_messages import stored
from tests.helpers.nats_server import NatsServer
from tests.helpers.stages import MATTE, PHOTO, Rule, Stages, after, evaluated, segmentation, segmented

ONE_PHOTO = ProcessImageRequest(photo=PHOTO, request_id="order-17")


async def told(client: Client) -> list[dict[str, Any]]:
    """The events in order, each with its subject."""
    return [{"subject": message.subject, **json.loads(message.data or b"")} for message in await stored(client)]


def steps(events: list[dict[str, Any]]) -> list[str]:
    return [event["subject"].split(".")[3] for event in events]


async def test_every_step_of_a_photo_is_told_in_order(events: Client, nats_server: NatsServer) -> None:
    async with Stages.running() as stages, running_gateway(stages, NATS_URL=nats_server.url) as gateway:
        await gateway.stub.ProcessImage(ONE_PHOTO)
    all_told = await told(events)
    assert [event["subject"] for event in all_told] == [
        f"packshot.v1.image.{step}.default" for step in ("received", "segmented", "composed", "validated", "completed")
    ]
    for event in all_told:
        assert event["tenant"] == "default"
        assert event["request_id"] == "order-17"
        assert event["photo_hash"] == f"sha256:{hashlib.sha256(PHOTO).hexdigest()}"
        assert event["occurred_at"].endswith("Z")
    assert len({event["event_id"] for event in all_told}) == 5
    elapsed = [event.get("elapsed_ms", 0.0) for event in all_told]
    assert all(earlier <= later for earlier, later in itertools.pairwise(elapsed))


async def test_the_verdicts_are_told(events: Client, nats_server: NatsServer) -> None:
    async with Stages.running() as stages, running_gateway(stages, NATS_URL=nats_server.url) as gateway:
        stages.validator.validate.script = [evaluated(lambda image: [Rule("white", RULE_STATUS_FAIL)])]
        options = ProcessOptions(marketplaces=["amazon-us", "amazon-de"])
        await gateway.stub.ProcessImage(ProcessImageRequest(photo=PHOTO, options=options))
    completed = (await told(events))[-1]
    assert [verdict["marketplace"] for verdict in completed["verdicts"]] == ["amazon-us", "amazon-de"]
    assert completed["verdicts"][0]["verdict"] == "VERDICT_REVIEW"


async def test_events_go_to_the_subject_of_the_keys_tenant(
    events: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    url = await new_database(tmp_path)
    key = await new_key(url, "acme")
    async with (
        Stages.running() as stages,
        running_gateway(stages, NATS_URL=nats_server.url, AUTH="api-key", DATABASE_URL=url) as gateway,
    ):
        await gateway.stub.ProcessImage(ONE_PHOTO, metadata=as_caller(key))
        await failure(gateway.stub.ProcessImage(ONE_PHOTO))
    all_told = await told(events)
    assert len(all_told) == 5
    assert all(event["subject"].endswith(".acme") and event["tenant"] == "acme" for event in all_told)


async def test_items_of_a_stream_carry_their_id_and_tenant(
    events: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    url = await new_database(tmp_path)
    key = await new_key(url, "acme")
    requests = [ProcessImagesRequest(item=StreamItem(item_id=name, photo=PHOTO)) for name in ("a", "b")]
    async with (
        Stages.running() as stages,
        running_gateway(stages, NATS_URL=nats_server.url, AUTH="api-key", DATABASE_URL=url) as gateway,
    ):
        async for _ in gateway.stub.ProcessImages(iter(requests), metadata=as_caller(key)):
            pass
    all_told = await told(events)
    for name in ("a", "b"):
        of_item = [event for event in all_told if event["item_id"] == name]
        assert steps(of_item) == ["received", "segmented", "composed", "validated", "completed"]
        assert {event["tenant"] for event in of_item} == {"acme"}


async def test_a_failure_is_told_with_the_reason_the_caller_sees(events: Client, nats_server: NatsServer) -> None:
    async with Stages.running() as stages, running_gateway(stages, NATS_URL=nats_server.url) as gateway:
        stages.segmenter.segment.script = [invalid_argument("photo", "PHOTO_NOT_AN_IMAGE", "no format we know")]
        error = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
    all_told = await told(events)
    assert steps(all_told) == ["received", "failed"]
    assert all_told[-1]["error_reason"] == error.reason == "PHOTO_NOT_AN_IMAGE"
    assert all_told[-1]["error_message"] == error.message


async def test_running_out_of_time_is_told_as_such(events: Client, nats_server: NatsServer) -> None:
    async with (
        Stages.running() as stages,
        running_gateway(stages, NATS_URL=nats_server.url, DEFAULT_DEADLINE_MS="300") as gateway,
    ):
        stages.segmenter.segment.script = [after(30, segmented)]
        await failure(gateway.stub.ProcessImage(ONE_PHOTO))
    assert (await told(events))[-1]["error_reason"] == "DEADLINE_EXCEEDED"


async def test_a_caller_who_goes_is_told_as_such(events: Client, nats_server: NatsServer) -> None:
    async with Stages.running() as stages, running_gateway(stages, NATS_URL=nats_server.url) as gateway:
        stages.segmenter.segment.script = [after(30, segmented)]
        call = gateway.stub.ProcessImage(ONE_PHOTO)
        await eventually(lambda: stages.segmenter.segment.running == 1)
        call.cancel()
        await eventually(lambda: stages.segmenter.segment.cancelled == 1)
    assert (await told(events))[-1]["error_reason"] == "CANCELLED"


async def test_wrong_options_fail_before_the_photo_counts_as_received(events: Client, nats_server: NatsServer) -> None:
    async with Stages.running() as stages, running_gateway(stages, NATS_URL=nats_server.url) as gateway:
        options = ProcessOptions(category="groceries")
        await failure(gateway.stub.ProcessImage(ProcessImageRequest(photo=PHOTO, options=options)))
    all_told = await told(events)
    assert steps(all_told) == ["failed"]
    assert all_told[0]["error_reason"] == "UNKNOWN_CATEGORY"


async def test_nothing_is_composed_without_a_product(events: Client, nats_server: NatsServer) -> None:
    async with Stages.running() as stages, running_gateway(stages, NATS_URL=nats_server.url) as gateway:
        empty = SegmentImageResponse(matte_png=MATTE, segmentation=segmentation(pieces=[]))
        stages.segmenter.segment.script = [lambda request: empty]
        await gateway.stub.ProcessImage(ONE_PHOTO)
    assert steps(await told(events)) == ["received", "segmented", "validated", "completed"]


async def test_photos_go_on_while_nats_is_away(events: Client, nats_server: NatsServer) -> None:
    async with Stages.running() as stages, running_gateway(stages, NATS_URL=nats_server.url) as gateway:
        nats_server.stop()
        await gateway.stub.ProcessImage(ONE_PHOTO, timeout=20)
        nats_server.start()
