"""The work queue as the dispatcher fills it and the workers empty it.

A message only says that an item may be worked on; the database decides. So a message may come twice, late or not at
all, and nothing is done twice or lost.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, get_current_span

from services.common.bus import Bus
from services.common.telemetry.traces import TRACEPARENT, incoming, outgoing, tracer
from services.common.topology import JOB_WORK, WORKERS, work_subject
from services.gateway.metrics import REDELIVERIES
from services.gateway.state.work import Dispatched

log = structlog.get_logger()

_PUBLISH_TIMEOUT_S: Final = 5.0
_ITEMS_IN_THE_JOBS_TRACE: Final = 100
"""The first items of a job go on the trace of the call that made it. Later ones have a trace each that links to it: one
of a million spans could not be looked at."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages nobody has yet, how many somebody has and has not acknowledged, and how many are asked for."""

    undelivered: int
    unacknowledged: int
    waiting_pulls: int


class QueueLostError(Exception):
    """NATS is there, but without the queue: it does not come back by itself."""

    def __init__(self) -> None:
        super().__init__(
            f"NATS has lost stream {JOB_WORK.name} or its consumer: run `python -m services.common.topology "
            "--nats-url URL`; no item is lost"
        )


class Delivery:
    """A message in this worker's hands, until it says what became of it.

    What is said while NATS is away is lost: the message then comes again, to whomever, and does no harm.

    Attributes:
        trace: The context it was sent in.
    """

    def __init__(self, message: Msg, item_id: int, job_id: str) -> None:
        self._message = message
        self.item_id = item_id
        self.job_id = job_id
        self.trace = incoming(message.headers or {})

    async def in_progress(self) -> None:
        """It is being worked on: nobody else gets it for another while."""
        await self._say(self._message.in_progress())

    async def done(self) -> None:
        """It is not needed any more."""
        await self._say(self._message.ack())

    async def give_back(self, delay_s: float) -> None:
        """Somebody should get it again, after so many seconds."""
        await self._say(self._message.nak(delay=delay_s))

    async def give_up(self) -> None:
        """Nobody should ever get it again."""
        await self._say(self._message.term())

    async def _say(self, saying: Any) -> None:
        try:
            await saying
        except (NatsError, OSError) as error:
            log.debug("a message comes again: NATS is away", item_id=self.item_id, error=repr(error))


class WorkQueue:
    """JOB_WORK and its shared consumer.

    Args:
        bus: Connected before the first use.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._pulling: JetStreamContext.PullSubscription | None = None

    async def publish(self, items: Sequence[Dispatched]) -> None:
        """Queues a message about each item, in order.

        Raises:
            NatsError: NATS is away. What was not published is found and dispatched again by the sweep.
        """
        jetstream = self._bus.client.jetstream()
        publishing = [
            jetstream.publish(
                work_subject(item.tenant),
                json.dumps({"item_id": item.item_id, "job_id": item.job_id, "tenant": item.tenant}).encode(),
                timeout=_PUBLISH_TIMEOUT_S,
                headers={"Nats-Msg-Id": f"item-{item.item_id}-{item.dispatches}", **trace_of(item)},
            )
            for item in items
        ]
        await asyncio.gather(*publishing)

    async def depth(self) -> Depth:
        """Of the queue.

        Raises:
            NatsError: NATS is away.
            QueueLostError: It is there, but the queue is not.
        """
        try:
            info = await self._bus.client.jetstream().consumer_info(JOB_WORK.name, WORKERS.name)
        except NotFoundError:
            raise QueueLostError from None
        return Depth(info.num_pending or 0, info.num_ack_pending or 0, info.num_waiting or 0)

    async def close(self) -> None:
        """Pulls no more. A message that was on its way comes again, to another."""
        if self._pulling is not None:
            with suppress(NatsError):
                await self._pulling.unsubscribe()
            self._pulling = None

    async def next(self, timeout_s: float) -> Delivery | None:
        """The next message; None when none came in time. Raises NatsError when NATS is away."""
        if self._pulling is None:
            self._pulling = await self._bus.client.jetstream().pull_subscribe_bind(
                durable=WORKERS.name, stream=JOB_WORK.name
            )
        try:
            (message,) = await self._pulling.fetch(1, timeout=timeout_s)
        except (NatsTimeoutError, TimeoutError):
            return None
        try:
            content = json.loads(message.data)
            delivery = Delivery(message, int(content["item_id"]), str(content["job_id"]))
        except (ValueError, KeyError, TypeError) as error:
            log.error("a message in the work queue cannot be read", subject=message.subject, error=repr(error))
            await message.term()
            return None
        if message.metadata.num_delivered > 1:
            REDELIVERIES.inc()
        return delivery


def trace_of(item: Dispatched) -> dict[str, str]:
    """The headers that carry the item's trace to its worker."""
    job = incoming({TRACEPARENT: item.traceparent})
    parent, links = job, []
    if item.position >= _ITEMS_IN_THE_JOBS_TRACE:
        parent, links = Context(), [Link(get_current_span(job).get_span_context())]
    about: dict[str, str | int] = {"packshot.job_id": item.job_id, "packshot.item_id": item.item_id}
    with tracer.start_as_current_span("send item", parent, SpanKind.PRODUCER, about, links):
        return outgoing()
