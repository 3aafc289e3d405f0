"""The table of streams, applied to a real NATS."""

import subprocess
import sys

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, RetentionPolicy, StorageType

from services.common import topology
from services.common.topology import IMAGE_EVENTS, JOB_WORK, WORKERS, image_subject
from tests.helpers.nats_server import NatsServer


async def test_applying_creates_every_stream_and_again_changes_nothing(client: Client, nats_server: NatsServer) -> None:
    jetstream = client.jetstream()
    assert await topology.apply(nats_server.url) == [
        "IMAGE_EVENTS: created for packshot.v1.image.*.*",
        "JOB_WORK: created for packshot.v1.work.item.*",
        "DEAD_LETTERS: created for packshot.v1.work.dead.*",
        "JOB_WORK/workers: created",
    ]
    streams = [(await jetstream.stream_info(stream.name)).config for stream in topology.STREAMS]
    workers = (await jetstream.consumer_info("JOB_WORK", "workers")).config
    assert await topology.apply(nats_server.url) == [
        "IMAGE_EVENTS: up to date for packshot.v1.image.*.*",
        "JOB_WORK: up to date for packshot.v1.work.item.*",
        "DEAD_LETTERS: up to date for packshot.v1.work.dead.*",
        "JOB_WORK/workers: up to date",
    ]
    assert [(await jetstream.stream_info(stream.name)).config for stream in topology.STREAMS] == streams
    assert (await jetstream.consumer_info("JOB_WORK", "workers")).config == workers


async def test_the_stream_is_as_the_table_says(events: Client) -> None:
    config = (await events.jetstream().stream_info(IMAGE_EVENTS.name)).config
    assert config.subjects == ["packshot.v1.image.*.*"]
    assert config.storage == StorageType.FILE
    assert config.max_age == 7 * 24 * 3600
    assert config.duplicate_window == 120


async def test_the_work_queue_forgets_what_was_acknowledged(events: Client) -> None:
    config = (await events.jetstream().stream_info(JOB_WORK.name)).config
    assert config.retention == RetentionPolicy.WORK_QUEUE
    workers = (await events.jetstream().consumer_info(JOB_WORK.name, WORKERS.name)).config
    assert (workers.ack_policy, workers.ack_wait, workers.max_deliver) == (AckPolicy.EXPLICIT, 30, -1)


async def test_applying_keeps_what_is_stored(events: Client, nats_server: NatsServer) -> None:
    await events.jetstream().publish(image_subject("received", "acme"), b"{}")
    await topology.apply(nats_server.url)
    assert (await events.jetstream().stream_info(IMAGE_EVENTS.name)).state.messages == 1


def test_the_command_says_what_it_did(nats_server: NatsServer) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.common.topology", "--nats-url", nats_server.url],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("IMAGE_EVENTS: ")


def test_the_command_says_that_nats_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("services.common.nats_access.CONNECT_TIMEOUT_S", 0.5)
    monkeypatch.setattr("sys.argv", ["topology", "--nats-url", "nats://127.0.0.1:1"])
    assert topology.main() == 1
    printed = capsys.readouterr().err
    assert printed.startswith("cannot apply the topology at nats://127.0.0.1:1")
    assert "Traceback" not in printed
