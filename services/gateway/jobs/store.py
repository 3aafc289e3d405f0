"""Where jobs are kept, and who is told when one changes."""

from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.jobs.watch import Watches
from services.gateway.objects import Objects
from services.gateway.state.database import Database

Notify = Callable[[str], None]
"""Tells the other processes that a job (by its id) has changed, as `worker.nudges.Nudges.tell` does; best effort."""


def tell_nobody(job_id: str) -> None:
    """The Notify of a single process."""


@dataclass(frozen=True, slots=True)
class JobStore:
    """What the servicers of jobs and reviews work on.

    Args:
        database: Jobs, items, results.
        objects: Photos and files.
        watches: Of this process; what others did comes in by `watches.wake`.
        notify: Tells the others.
        url_lifetime_s: How long the URLs of files may be used.
    """

    database: Database
    objects: Objects
    watches: Watches
    notify: Notify = tell_nobody
    url_lifetime_s: float = 3600.0

    def changed(self, job_id: str) -> None:
        """Wakes whoever watches the job. Nobody depends on it: watches also look by themselves."""
        self.watches.wake(job_id)
        self.notify(job_id)
