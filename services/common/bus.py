"""Events to NATS JetStream, beside the calls they tell about: a slow NATS never slows a photo down."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from services.common import topology
from services.common.nats_access import connect, without_password
from services.common.server import StartError
from services.common.telemetry.metrics import EVENTS_DROPPED, EVENTS_PUBLISHED, EVENTS_WAITING
from services.common.telemetry.traces import outgoing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Message:
    subject: str
    payload: bytes
    headers: dict[str, str]


class Bus:
    """Publishes in the order given, with acknowledgement and retries, from a bounded queue.

    When NATS is away longer than the queue lasts, the newest events are dropped, counted and logged.

    Args:
        nats_url: e.g. "nats://127.0.0.1:4222".
        streams: The streams that must exist.
        queue_size: Events that may wait.
        ca_file: PEM: the connection is encrypted, and these authorities have signed for NATS.
    """

    def __init__(
        self, nats_url: str, *streams: topology.Stream, queue_size: int = 10_000, ca_file: Path | None = None
    ) -> None:
        self._url = nats_url
        self._ca_file = ca_file
        self._streams = streams
        self._queue: asyncio.Queue[_Message] = asyncio.Queue(queue_size)
        self._client: Client | None = None
        self._publisher: asyncio.Task[None] | None = None
        self.dropped = 0

    @property
    def client(self) -> Client:
        """The connection, for what is more than publishing. Once connected it mends itself."""
        if self._client is None:
            raise RuntimeError("the bus is used before it is connected")
        return self._client

    async def connect(self) -> None:
        """Raises StartError when NATS or one of the streams is not there."""
        client: Client | None = None
        missing = ""
        try:
            client = await connect(
                self._url,
                self._ca_file,
                error_cb=_log_error,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.5,
                drain_timeout=5,
                name="packshot-gateway",
            )
            for stream in self._streams:
                missing = stream.name
                await client.jetstream().stream_info(stream.name)
        except NotFoundError:
            await _close(client)
            raise StartError(
                f"NATS at {without_password(self._url)} has no stream {missing}: "
                f"run `python -m services.common.topology --nats-url {without_password(self._url)}`"
            ) from None
        except (NatsError, OSError, TimeoutError) as error:
            await _close(client)
            raise StartError(
                f"NATS at {without_password(self._url)} does not answer ({error!r}): start it, or unset it"
            ) from error
        self._client = client
        self._publisher = asyncio.create_task(self._publish_all(client))

    def publish(self, subject: str, payload: bytes, message_id: str) -> None:
        """Queues an event, with the trace it belongs to; returns at once. `message_id` removes duplicates within the
        stream's window."""
        try:
            self._queue.put_nowait(_Message(subject, payload, {"Nats-Msg-Id": message_id, **outgoing()}))
            EVENTS_WAITING.inc()
        except asyncio.QueueFull:
            self.dropped += 1
            EVENTS_DROPPED.inc()
            log.warning("event dropped: NATS is away for too long", subject=subject, dropped=self.dropped)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Publishes what is queued, then drains the connection."""
        if self._client is None or self._publisher is None:
            return
        try:
            await asyncio.wait_for(self._queue.join(), timeout_s)
        except TimeoutError:
            # One more has left the queue and waits for its acknowledgement.
            log.warning("events lost at the stop: NATS does not answer", lost=self._queue.qsize() + 1)
        self._publisher.cancel()
        await asyncio.gather(self._publisher, return_exceptions=True)
        if self._client.is_connected:
            await self._client.drain()
        else:
            await self._client.close()

    async def _publish_all(self, client: Client) -> None:
        jetstream = client.jetstream()
        while True:
            message = await self._queue.get()
            delay_s = 0.1
            while True:
                try:
                    await jetstream.publish(message.subject, message.payload, timeout=2, headers=message.headers)
                    break
                except (NatsError, OSError, TimeoutError) as error:
                    log.warning("event not acknowledged, trying again", subject=message.subject, error=repr(error))
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, 5.0)
            self._queue.task_done()
            EVENTS_WAITING.dec()
            EVENTS_PUBLISHED.inc()


async def _close(client: Client | None) -> None:
    if client is not None:
        await client.close()


async def _log_error(error: Exception) -> None:
    log.warning("nats", error=repr(error))
