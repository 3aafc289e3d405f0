"""`packshot serve`, as a person runs it: NATS and four processes, one event for every step, a clean stop."""

import json
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from packshot.client import PackshotClient
from services.common.topology import IMAGE_EVENTS
from tests.helpers import product_photos
from tests.helpers.packshot_serve import Served, packshot_serve


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with packshot_serve(tmp_path) as served:
        yield served


async def test_a_photo_through_the_served_stack_tells_its_steps_over_nats(served: Served) -> None:
    with PackshotClient(served.gateway, timeout_s=100) as client:
        answer = client.process(product_photos.mug_jpeg(), request_id="order-17")

    bus = await nats.connect(f"nats://{served.nats}")
    reader = await bus.jetstream().pull_subscribe("packshot.v1.image.>", stream=IMAGE_EVENTS.name)
    # One by one: the last may come after the answer, and a fetch of five is content with four.
    messages = [message for _ in range(5) for message in await reader.fetch(1, timeout=30)]
    await bus.close()
    events = [json.loads(message.data) for message in messages]
    steps = ["received", "segmented", "composed", "validated", "completed"]
    assert answer.results[0].images
    assert [message.subject for message in messages] == [f"packshot.v1.image.{step}.default" for step in steps]
    assert {event["request_id"] for event in events} == {"order-17"}
    assert events[-1]["verdicts"][0]["marketplace"] == "amazon-us"
