"""Where jobs are kept, and who is told when one changes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from services.gateway.jobs.watch import Watches
from services.gateway.objects import Objects
from services.gateway.state.database import Database

Notify = Callable[[str], Awaitable[None]]
"""Tells other replicas that a job (by its id) has changed; best effort."""

log = structlog.get_logger()


async def tell_nobody(job_id: str) -> None:
    """The Notify of a single replica."""


@dataclass(frozen=True, slots=True)
class JobStore:
    """What the servicers of jobs and reviews work on.

    Args:
        database: Jobs, items, results.
        objects: Photos and files.
        watches: Of this process; other replicas' news come in by `watches.wake`.
        notify: Tells the other replicas.
        url_lifetime_s: How long the URLs of files may be used.
    """

    database: Database
    objects: Objects
    watches: Watches
    notify: Notify = tell_nobody
    url_lifetime_s: float = 3600.0

    async def changed(self, job_id: str) -> None:
        """Wakes whoever watches the job. Nobody depends on it: watches also look by themselves."""
        self.watches.wake(job_id)
        try:
            await self.notify(job_id)
        except Exception as error:
            log.warning("the other replicas could not be told", job_id=job_id, error=repr(error))
