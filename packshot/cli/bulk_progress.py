"""How far a job has come, on stderr: a bar that lives, or a line now and then where nobody watches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from packshot.cli.console import plural
from packshot.v1.jobs_pb2 import JobCounts

_LINE_EVERY_S: Final = 10.0


def ended(counts: JobCounts) -> int:
    """Items that are done with, well or not."""
    return counts.succeeded + counts.failed + counts.cancelled


def counts_text(counts: JobCounts) -> str:
    """ "9 publish, 2 review, 1 failed"; empty while nothing has ended."""
    words = ("publish", "review", "reject", "failed", "cancelled")
    return ", ".join(f"{getattr(counts, word)} {word}" for word in words if getattr(counts, word))


class Progress:
    """What a run has seen of its job.

    Args:
        counts: As they were when the run began; its speed is that of what ended since.
        write: Gets a text (see `__str__`) and the counts whenever there is something new.
        clock: Seconds.
    """

    def __init__(
        self,
        counts: JobCounts,
        write: Callable[[str, JobCounts], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counts = counts
        self._ended_before = ended(counts)
        self._files = 0
        self._write = write
        self._clock = clock
        self._started_at = clock()

    def show(self, counts: JobCounts) -> None:
        """The job's counts have changed."""
        self._counts = counts
        self._write(str(self), counts)

    def fetched(self, files: int) -> None:
        """So many files have come."""
        self._files = files
        self._write(str(self), self._counts)

    def __str__(self) -> str:
        """ "12 of 100 done: 9 publish, 3 review; 31 a minute, about 3 min left; 12 files here"."""
        counts = self._counts
        of = f" of {counts.total}" if counts.total else ""
        text = f"{ended(counts)}{of} done"
        if outcome := counts_text(counts):
            text += f": {outcome}"
        seconds, new = self._clock() - self._started_at, ended(counts) - self._ended_before
        if new > 0 and seconds > 1:
            text += f"; {new / seconds * 60:.0f} a minute"
            if left := counts.total - ended(counts):
                text += f", about {_duration(left * seconds / new)} left"
        return f"{text}; {plural(self._files, 'file')} here" if self._files else text


@contextmanager
def showing_progress(counts: JobCounts, console: Console) -> Iterator[Progress]:
    """A bar that goes away afterwards; where no person watches, a line every ten seconds."""
    if not console.is_terminal:
        yield Progress(counts, _Lines(console).write)
        return
    with Bar(BarColumn(), TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("Waiting for the first items …", total=counts.total or None, completed=ended(counts))

        def write(text: str, counts: JobCounts) -> None:
            bar.update(task, description=text, total=counts.total or None, completed=ended(counts))

        yield Progress(counts, write)


class _Lines:
    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._next_at = clock()

    def write(self, text: str, _: JobCounts) -> None:
        if self._clock() >= self._next_at:
            self._next_at = self._clock() + _LINE_EVERY_S
            self._console.print(text, soft_wrap=True)


def _duration(seconds: float) -> str:
    """ "40 s", "3 min", "2.5 h"."""
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
