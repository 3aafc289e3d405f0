"""`packshot serve`, as a person runs it: NATS and four processes, one event for every step, a clean stop."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest

from packshot.client import PackshotClient
from services.common.topology import IMAGE_EVENTS
from tests.helpers import product_photos

PACKSHOT = Path(sys.executable).with_name("packshot")
ADDRESS = re.compile(r"\b(gateway|nats)\b.*?(127\.0\.0\.1:\d+)")
START_TIMEOUT_S = 90


@dataclass(frozen=True)
class Served:
    gateway: str
    nats: str


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    said = tmp_path / "stdout"
    with said.open("w") as stdout:
        process = subprocess.Popen([PACKSHOT, "serve", "--port", "0", "--log-dir", tmp_path], stdout=stdout)
    try:
        yield Served(**addresses(process, said))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def addresses(process: "subprocess.Popen[bytes]", said: Path) -> dict[str, str]:
    """What the command prints once all are ready."""
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        assert process.poll() is None, "packshot serve ended"
        found = dict(ADDRESS.findall(said.read_text()))
        if len(found) == 2:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no addresses within {START_TIMEOUT_S} s")


async def test_a_photo_through_the_served_stack_tells_its_steps_over_nats(served: Served) -> None:
    with PackshotClient(served.gateway, timeout_s=100) as client:
        answer = client.process(product_photos.mug_jpeg(), request_id="order-17")

    bus = await nats.connect(f"nats://{served.nats}")
    reader = await bus.jetstream().pull_subscribe("packshot.v1.image.>", stream=IMAGE_EVENTS.name)
    messages = await reader.fetch(5, timeout=10)
    await bus.close()
    events = [json.loads(message.data) for message in messages]
    steps = ["received", "segmented", "composed", "validated", "completed"]
    assert answer.results[0].images
    assert [message.subject for message in messages] == [f"packshot.v1.image.{step}.default" for step in steps]
    assert {event["request_id"] for event in events} == {"order-17"}
    assert events[-1]["verdicts"][0]["marketplace"] == "amazon-us"
