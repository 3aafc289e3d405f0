"""Events to a real NATS."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client

from services.common.bus import Bus
from services.common.server import StartError
from services.common.topology import IMAGE_EVENTS, image_subject
from tests.helpers.nats_messages import stored, stored_count
from tests.helpers.nats_server import NatsServer

SUBJECT = image_subject("received", "acme")


@asynccontextmanager
async def connected(nats_server: NatsServer, queue_size: int = 1000) -> AsyncIterator[Bus]:
    bus = Bus(nats_server.url, IMAGE_EVENTS, queue_size=queue_size)
    await bus.connect()
    try:
        yield bus
    finally:
        await bus.close()


async def test_events_are_stored_in_the_order_they_were_given(events: Client, nats_server: NatsServer) -> None:
    async with connected(nats_server) as bus:
        for number in range(50):
            bus.publish(SUBJECT, str(number).encode(), f"id-{number}")
    assert [message.data for message in await stored(events)] == [str(number).encode() for number in range(50)]


async def test_an_event_published_twice_is_stored_once(events: Client, nats_server: NatsServer) -> None:
    async with connected(nats_server) as bus:
        for _ in range(3):
            bus.publish(SUBJECT, b"once", "same-id")
        bus.publish(SUBJECT, b"other", "other-id")
    assert [message.data for message in await stored(events)] == [b"once", b"other"]


async def test_publishing_never_waits(events: Client, nats_server: NatsServer) -> None:
    async with connected(nats_server) as bus:
        nats_server.stop()
        started = time.monotonic()
        for number in range(100):
            bus.publish(SUBJECT, b"event", f"wait-{number}")
        assert time.monotonic() - started < 2
        nats_server.start()
        await _until_stored(events, 100)


async def test_nothing_is_lost_or_doubled_when_nats_restarts(events: Client, nats_server: NatsServer) -> None:
    async with connected(nats_server) as bus:
        for number in range(30):
            bus.publish(SUBJECT, str(number).encode(), f"restart-{number}")
            if number == 10:
                await _until_stored(events, 5)
                nats_server.stop()
            if number == 20:
                await asyncio.sleep(0.2)
                nats_server.start()
        await _until_stored(events, 30)
    assert [message.data for message in await stored(events)] == [str(number).encode() for number in range(30)]
    assert bus.dropped == 0


async def test_a_full_queue_drops_the_newest_and_counts_them(events: Client, nats_server: NatsServer) -> None:
    async with connected(nats_server, queue_size=5) as bus:
        for number in range(8):
            bus.publish(SUBJECT, str(number).encode(), f"full-{number}")
        assert bus.dropped == 3
    assert [message.data for message in await stored(events)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_closing_publishes_what_is_queued(events: Client, nats_server: NatsServer) -> None:
    bus = Bus(nats_server.url, IMAGE_EVENTS)
    await bus.connect()
    for number in range(20):
        bus.publish(SUBJECT, b"event", f"close-{number}")
    await bus.close()
    assert await stored_count(events) == 20


async def test_closing_gives_up_on_a_nats_that_is_away(events: Client, nats_server: NatsServer) -> None:
    bus = Bus(nats_server.url, IMAGE_EVENTS)
    await bus.connect()
    nats_server.stop()
    bus.publish(SUBJECT, b"lost", "lost")
    async with asyncio.timeout(20):
        await bus.close(timeout_s=0.2)
    nats_server.start()


async def test_closing_what_never_connected_is_fine() -> None:
    await Bus("nats://127.0.0.1:1", IMAGE_EVENTS).close()


async def test_a_missing_stream_stops_the_start_with_the_command_to_run(
    client: Client, nats_server: NatsServer
) -> None:
    with pytest.raises(StartError) as caught:
        await Bus(nats_server.url, IMAGE_EVENTS).connect()
    assert f"python -m services.common.topology --nats-url {nats_server.url}" in str(caught.value)


async def test_a_nats_that_is_away_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.nats_access.CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(StartError, match=r"NATS at nats://127\.0\.0\.1:1 does not answer"):
        await Bus("nats://127.0.0.1:1", IMAGE_EVENTS).connect()


async def _until_stored(client: Client, count: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if await stored_count(client) >= count:
                    return
            except Exception:  # noqa: S110 - the test's own client is reconnecting
                pass
            await asyncio.sleep(0.1)
