"""Watching jobs: what has happened is read from the database, and so is what happens next.

However many watch, one query asks after all their jobs, and those who stand at the same event share its reading. A
nudge (`Watches.wake`) only saves the wait for that query; a nudge that is lost costs a moment and no event.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import select

from packshot.v1.jobs_pb2 import JobEvent
from services.common.errors import invalid_argument
from services.gateway.jobs.errors import as_service_errors, stopping
from services.gateway.state import events, jobs
from services.gateway.state.database import Database
from services.gateway.state.tables import Job

POLL_S: Final = 1.0
_PAGE: Final = 500
_IDS_A_QUERY: Final = 500

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Watcher:
    """Stands at the event `sequence` of a job."""

    sequence: int
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class _Page:
    """Events, and what the job's row said just before they were read."""

    last_sequence: int
    ended: bool
    events: list[JobEvent]


class Watches:
    """All watches of this process.

    Args:
        database: Where the events are.
        poll_s: How often watched jobs are asked after without a nudge.
    """

    def __init__(self, database: Database, poll_s: float = POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._watchers: dict[str, set[_Watcher]] = {}
        self._reads: dict[tuple[str, str, int], asyncio.Task[_Page]] = {}
        self._polling: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def wake(self, job_id: str) -> None:
        """The job has changed, or may have."""
        for watcher in self._watchers.get(job_id, ()):
            watcher.changed.set()

    def stop(self) -> None:
        """Every watch ends; its caller may go on where it was, elsewhere."""
        self._stopping.set()
        for job_id in self._watchers:
            self.wake(job_id)

    async def close(self) -> None:
        """Stops, and waits until nothing asks the database any more."""
        self.stop()
        left = [*self._reads.values(), *([self._polling] if self._polling is not None else ())]
        await asyncio.gather(*left, return_exceptions=True)

    @property
    def count(self) -> int:
        """Of those who watch now."""
        return sum(map(len, self._watchers.values()))

    async def events(self, tenant: str, job_id: str, after_sequence: int) -> AsyncGenerator[JobEvent, None]:
        """Yields every event after the sequence, in order; ends when the job has and all were yielded.

        Raises:
            ServiceError: NOT_FOUND; INVALID_ARGUMENT when the job has no such event yet; UNAVAILABLE when this
                process stops or the database does not answer.
        """
        with self._watcher(job_id, after_sequence) as watcher:
            while True:
                if self._stopping.is_set():
                    raise stopping("watch on after the last sequence you have seen")
                watcher.changed.clear()
                page = await self._read(tenant, job_id, watcher.sequence)
                for event in page.events:
                    watcher.sequence = event.sequence
                    yield event
                if page.events and watcher.sequence != page.last_sequence:
                    continue
                if watcher.sequence > page.last_sequence:
                    raise invalid_argument(
                        "after_sequence", "SEQUENCE_AHEAD", f"the job's latest event is {page.last_sequence}"
                    )
                if page.ended:
                    return
                await watcher.changed.wait()

    @contextmanager
    def _watcher(self, job_id: str, sequence: int) -> Iterator[_Watcher]:
        watcher = _Watcher(sequence)
        self._watchers.setdefault(job_id, set()).add(watcher)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(), context=Context())  # nobody's in particular
        try:
            yield watcher
        finally:
            self._watchers[job_id].discard(watcher)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def _poll(self) -> None:
        """Wakes those whose job went on, as long as there is anybody."""
        while self._watchers:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._poll_s)
                return
            try:
                latest = await self._latest(list(self._watchers))
            except Exception as error:  # whatever it is, whoever watches waits for its end
                log.warning("watched jobs could not be asked after", error=repr(error))
                continue
            for job_id, sequence in latest.items():
                for watcher in self._watchers.get(job_id, ()):
                    if watcher.sequence < sequence:
                        watcher.changed.set()

    async def _read(self, tenant: str, job_id: str, sequence: int) -> _Page:
        place = (tenant, job_id, sequence)
        reading = self._reads.get(place)
        if reading is None:
            reading = self._reads[place] = asyncio.create_task(self._page(*place))
            reading.add_done_callback(lambda done: self._forget(place, done))
        return await asyncio.shield(reading)

    def _forget(self, place: tuple[str, str, int], reading: asyncio.Task[_Page]) -> None:
        del self._reads[place]
        if not reading.cancelled():
            reading.exception()  # seen, even if everybody has left

    async def _latest(self, job_ids: list[str]) -> dict[str, int]:
        """The sequence of each job's latest event."""
        latest: dict[str, int] = {}
        async with self._database.read() as session:
            for begin in range(0, len(job_ids), _IDS_A_QUERY):
                some = Job.id.in_(job_ids[begin : begin + _IDS_A_QUERY])
                rows = await session.execute(select(Job.id, Job.last_sequence).where(some))
                latest.update((row.id, row.last_sequence) for row in rows)
        return latest

    async def _page(self, tenant: str, job_id: str, sequence: int) -> _Page:
        with as_service_errors():
            async with self._database.read() as session:
                # The row first: events that come in between are then more than it says, never less.
                job = await jobs.get_job(session, tenant, job_id)
                last_sequence, ended = job.last_sequence, job.ended_at is not None
                found = await events.after(session, tenant, job_id, sequence, _PAGE)
        return _Page(last_sequence, ended, found)
