"""Fetches the catalogues of jobs that were made with a URL of one, and makes items of their rows.

One replica at a time does it, by a lease in the database. Two at once, or one that dies, do no harm: the items come
with the job's step to RUNNING, in one transaction and only once, so whoever takes over begins anew.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import structlog
from opentelemetry.trace import SpanKind

from services.common.telemetry.traces import TRACEPARENT, incoming, tracer
from services.gateway.catalogue.reader import read_catalogue
from services.gateway.catalogue.rows import CatalogueError
from services.gateway.jobs.create import items_of_rows
from services.gateway.jobs.store import JobStore
from services.gateway.sources.errors import SourceError
from services.gateway.sources.fetcher import Fetcher
from services.gateway.state import jobs, leases
from services.gateway.state.errors import StateError
from services.gateway.state.tables import Job

TASK: Final = "catalogues"

_AT_ONCE: Final = 2
"""A catalogue may have tens of megabytes."""
_LEASE_S: Final = 15.0
_LOOK_S: Final = 1.0
_PATIENCE: Final = timedelta(minutes=10)
"""For this long after the job was made, a server that is busy or away is asked again."""
_ASK_AGAIN_S: Final = 15.0

log = structlog.get_logger()


class CatalogueReader:
    """Reads catalogues until it is cancelled.

    Args:
        store: Where the jobs are.
        fetcher: Fetches the files.
        owner: This process, unlike any other.
        look_s: How often it looks for jobs.
    """

    def __init__(self, store: JobStore, fetcher: Fetcher, owner: str, look_s: float = _LOOK_S) -> None:
        self._store = store
        self._fetcher = fetcher
        self._owner = owner
        self._look_s = look_s
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._ask_again_at: dict[str, float] = {}

    async def run(self) -> None:
        """Reads for ever.

        Raises:
            UnavailableError: The database is away.
        """
        try:
            while True:
                await self._begin()
                if self._reading:
                    await asyncio.wait(
                        self._reading.values(), timeout=self._look_s, return_when=asyncio.FIRST_COMPLETED
                    )
                else:
                    await asyncio.sleep(self._look_s)
        finally:
            await self._stop()

    async def _begin(self) -> None:
        """Starts reading what waits, if this process holds the task."""
        now = datetime.now(UTC)
        # What is being read now may have been read by the time the lease is held, and is not to be read again.
        begun = set(self._reading)
        async with self._store.database.read() as session:
            waiting = await jobs.reading_jobs(session)
        self._ask_again_at = {job.id: at for job in waiting if (at := self._ask_again_at.get(job.id)) is not None}
        if not waiting or not await self._store.database.write(
            lambda session: leases.hold(session, TASK, self._owner, now, _LEASE_S)
        ):
            return
        for job in waiting:
            if len(self._reading) >= _AT_ONCE:
                return
            if job.id not in begun and monotonic() >= self._ask_again_at.get(job.id, 0.0):
                self._reading[job.id] = asyncio.create_task(self._read(job))

    async def _read(self, job: Job) -> None:
        """Ends with the job RUNNING or FAILED, or to be asked after again."""
        made_by = incoming({TRACEPARENT: job.traceparent})
        try:
            with (
                structlog.contextvars.bound_contextvars(tenant=job.tenant, job_id=job.id),
                tracer.start_as_current_span("read catalogue", made_by, SpanKind.CONSUMER),
            ):
                await self._read_or_fail(job)
        except StateError as error:
            log.warning("a catalogue could not be kept yet", job_id=job.id, error=str(error))
        finally:
            del self._reading[job.id]
        self._store.changed(job.id)

    async def _read_or_fail(self, job: Job) -> None:
        try:
            catalogue = await asyncio.to_thread(read_catalogue, await self._fetcher.fetch_catalogue(job.catalogue_url))
        except SourceError as error:
            if not error.is_permanent and datetime.now(UTC) - job.created_at < _PATIENCE:
                self._ask_again_at[job.id] = monotonic() + (error.retry_after_s or _ASK_AGAIN_S)
                log.info("a catalogue is asked for again later", job_id=job.id, reason=error.reason)
                return
            await self._fail(job, error.reason, error.message)
        except CatalogueError as error:
            await self._fail(job, error.reason, error.message)
        except Exception:
            # Tried again it would end as before.
            log.exception("reading a catalogue failed", job_id=job.id)
            await self._fail(job, "INTERNAL", f"an internal error, please report it with {job.id}")
        else:
            now = datetime.now(UTC)
            await self._store.database.write(
                lambda session: jobs.set_catalogue(
                    session, job.tenant, job.id, catalogue.format, items_of_rows(catalogue.rows), now
                )
            )

    async def _fail(self, job: Job, reason: str, message: str) -> None:
        now = datetime.now(UTC)
        await self._store.database.write(
            lambda session: jobs.fail_job(session, job.tenant, job.id, reason, message, now)
        )

    async def _stop(self) -> None:
        reading = list(self._reading.values())
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        try:
            # So that another replica need not wait for the lease's end.
            await asyncio.wait_for(
                self._store.database.write(lambda session: leases.release(session, TASK, self._owner)), 2
            )
        except Exception as error:
            log.debug("the lease of the catalogues was not released", error=repr(error))
