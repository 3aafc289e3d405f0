"""Keeps the work queue filled, and short: what waits in the database can still change its order, the queue cannot.

One replica at a time does it, by a lease in the database. Two at once would do no harm but to fairness.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state import leases, work
from services.gateway.state.database import Database
from services.gateway.state.work import Dispatched
from services.gateway.worker.allowances import allowances
from services.gateway.worker.fairness import Turns
from services.gateway.worker.queue import WorkQueue

log = structlog.get_logger()

TASK: Final = "dispatch"

_LEASE_S: Final = 6.0
_RENEW_S: Final = 2.0
_BUSY_PAUSE_S: Final = 0.1
_IDLE_PAUSE_S: Final = 0.5
_SWEEP_S: Final = 2.0
_MESSAGE_LOST_AFTER_S: Final = 3.0
"""With an empty queue. With messages in it an item's may still be among them: then much later."""
_MESSAGE_LATE_AFTER_S: Final = 120.0


class Dispatcher:
    """Moves waiting items into the work queue, fairly, and queues again what got lost.

    Args:
        database: Where the items are.
        queue: Where messages about them go.
        owner: This process, unlike any other.
        window: Messages that may lie in the queue.
    """

    def __init__(self, database: Database, queue: WorkQueue, owner: str, window: int) -> None:
        self._database = database
        self._queue = queue
        self._owner = owner
        self._window = window
        self._turns = Turns()
        self._nudged = asyncio.Event()
        self._held_until = 0.0
        self._renew_at = 0.0
        self._sweep_at = 0.0

    def wake(self, job_id: str) -> None:
        """There may be something to dispatch."""
        self._nudged.set()

    async def run(self) -> None:
        """Dispatches for ever. Raises what the database and NATS raise when they are away."""
        try:
            while True:
                dispatched = await self._dispatch() if await self._holds_task() else 0
                await self._pause(_BUSY_PAUSE_S if dispatched else _IDLE_PAUSE_S)
        finally:
            await self._release()

    async def _holds_task(self) -> bool:
        now_s = monotonic()
        if now_s >= self._renew_at or now_s >= self._held_until:
            held = await self._database.write(lambda session: leases.hold(session, TASK, self._owner, _now(), _LEASE_S))
            self._held_until = now_s + _LEASE_S if held else 0.0
            self._renew_at = now_s + _RENEW_S
        return monotonic() < self._held_until

    async def _dispatch(self) -> int:
        """Tops the queue up; how many items."""
        seen = _now()
        depth = await self._queue.depth()
        if monotonic() >= self._sweep_at:
            empty = depth.undelivered == depth.unacknowledged == 0
            await self._sweep(seen, _MESSAGE_LOST_AFTER_S if empty else _MESSAGE_LATE_AFTER_S)
            self._sweep_at = monotonic() + _SWEEP_S
        room = self._window - depth.undelivered
        if room <= 0:
            return 0
        async with self._database.read() as session:
            waiting = await work.waiting_jobs(session, _now(), limit=room)
            allowed = await allowances(session, waiting, _now())
        chosen = self._turns.choose(waiting, room, allowed)
        if not chosen:
            return 0
        taken = await self._take(Counter(chosen))
        await self._queue.publish(_in_order(chosen, taken))
        return len(taken)

    async def _take(self, wanted: Counter[str]) -> list[Dispatched]:
        async def take(session: AsyncSession) -> list[Dispatched]:
            taken = []
            for job_id in sorted(wanted):
                taken += await work.take_for_dispatch(session, job_id, wanted[job_id], _now())
            return taken

        return await self._database.write(take)

    async def _sweep(self, seen: datetime, after_s: float) -> None:
        dispatched_before = seen - timedelta(seconds=after_s)
        requeued = await self._database.write(lambda session: work.requeue_stale(session, _now(), dispatched_before))
        if requeued:
            log.warning("items queued again: their message or their worker was lost", items=requeued)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._nudged.wait(), seconds)
        except TimeoutError:
            return
        self._nudged.clear()
        await asyncio.sleep(0.02)  # nudges come in swarms

    async def _release(self) -> None:
        """So that another replica need not wait for the lease's end."""
        try:
            await asyncio.wait_for(self._database.write(lambda session: leases.release(session, TASK, self._owner)), 2)
        except Exception as error:  # the lease ends by itself
            log.debug("the dispatcher's lease was not released", error=repr(error))
        self._held_until = self._renew_at = 0.0


def _in_order(chosen: Iterable[str], taken: Iterable[Dispatched]) -> list[Dispatched]:
    """The items in the order their jobs were chosen in; a job may have had fewer than it was asked for."""
    by_job: defaultdict[str, list[Dispatched]] = defaultdict(list)
    for item in taken:
        by_job[item.job_id].append(item)
    return [by_job[job_id].pop(0) for job_id in chosen if by_job[job_id]]


def _now() -> datetime:
    return datetime.now(UTC)
