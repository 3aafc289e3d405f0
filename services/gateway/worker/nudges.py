"""Says between the gateway's processes that a job has changed, so that nobody has to wait for the next look.

Only a nudge: what has changed stands in the database, and one that gets lost costs a moment.
"""

import asyncio
from collections.abc import Callable

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.bus import Bus
from services.common.topology import job_changed_subject

log = structlog.get_logger()


class Nudges:
    """Sends nudges, and calls those who listen.

    Args:
        bus: Connected before `start`.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._listeners: list[Callable[[str], None]] = []
        self._sending: set[asyncio.Task[None]] = set()

    def listen(self, listener: Callable[[str], None]) -> None:
        """`listener` is called with the id of every job that has changed, wherever it was changed."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Begins to hear the nudges of all processes."""
        await self._bus.client.subscribe(job_changed_subject("*"), cb=self._heard)

    def tell(self, job_id: str) -> None:
        """The job has changed; returns at once."""
        sending = asyncio.get_running_loop().create_task(self._send(job_id))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send(self, job_id: str) -> None:
        try:
            await self._bus.client.publish(job_changed_subject(job_id), b"")
        except (NatsError, OSError) as error:
            log.debug("a nudge was lost", job_id=job_id, error=repr(error))

    async def _heard(self, message: Msg) -> None:
        job_id = message.subject.rsplit(".", 1)[-1]
        for listener in self._listeners:
            listener(job_id)
