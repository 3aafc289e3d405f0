"""Follows a job to its end: photos go out, events come in, and files are fetched as items end."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import sleep
from typing import Any, Final, TypeVar

from packshot.cli.bulk_files import JobItems, ResultFile
from packshot.cli.bulk_progress import Progress
from packshot.cli.failures import CommandError
from packshot.cli.outputs import write_atomically
from packshot.client import JobPhoto, Jobs, PackshotError, Reconnects
from packshot.v1.jobs_pb2 import (
    JOB_EVENT_TYPE_ITEM_SUCCEEDED,
    JOB_STATE_OPEN,
    Job,
    JobEvent,
)

T = TypeVar("T")

_GATHER_S: Final = 0.3
"""A page of items is asked for at once; a moment later more of them have ended."""


@dataclass(slots=True)
class Fetched:
    """What became of the files.

    Attributes:
        new, kept: How many were downloaded, and were there already.
        failures: What could not be downloaded, and why.
    """

    new: int = 0
    kept: int = 0
    failures: list[tuple[str, PackshotError]] = field(default_factory=list)


class Follower:
    """One run of `packshot bulk` after its job is made.

    Threads wait for the gateway and put what is to be done about its answers into `_news`; all of that is done by the
    one thread that called `run`, so nothing here needs a lock and Ctrl-C comes through at once.
    """

    def __init__(self, jobs: Jobs, job: Job, folder: Path, concurrency: int, progress: Progress) -> None:
        self._jobs = jobs
        self._job = job
        self._items = JobItems(jobs, job.job_id, folder)
        self._progress = progress
        self._news: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting = ThreadPoolExecutor(3, thread_name_prefix="bulk")  # for events, upload and lists
        self._downloading = ThreadPoolExecutor(concurrency, thread_name_prefix="download")
        self._running = 0
        self._ended_items: set[str] = set()
        self._listing = False
        self._seen: set[tuple[Path, str]] = set()  # with their digests
        self._fetched = Fetched()

    def run(self, photos: Sequence[JobPhoto] | None) -> Fetched:
        """Returns when the job has ended and every file is here.

        Args:
            photos: To upload; those the job has already are not sent again.

        Raises:
            PackshotError: The connection is lost for good.
            CommandError: A file cannot be written.
        """
        try:
            self._start(self._waiting, self._watch)
            if photos is not None and self._job.state == JOB_STATE_OPEN:
                self._start(self._waiting, partial(self._jobs.upload, self._job.job_id, photos))
            if self._job.counts.succeeded:
                self._listing = True
                self._start(self._waiting, lambda: _looked_at(self._items.files()), self._listed)
            while self._running:
                self._news.get()()
            return self._fetched
        finally:
            # After Ctrl-C nothing is waited for: closing the client ends the calls that still run.
            for pool in (self._waiting, self._downloading):
                pool.shutdown(wait=False, cancel_futures=True)

    def _start(
        self, pool: ThreadPoolExecutor, call: Callable[[], T], then: Callable[[T], Any] = lambda _: None
    ) -> None:
        def ended(future: "Future[T]") -> None:
            self._running -= 1
            then(future.result())

        self._running += 1
        pool.submit(call).add_done_callback(lambda future: self._news.put(partial(ended, future)))

    def _watch(self) -> None:
        for event in self._jobs.watch(self._job.job_id, after_sequence=self._job.last_sequence):
            self._news.put(partial(self._happened, event))

    def _happened(self, event: JobEvent) -> None:
        self._progress.show(event.counts)
        if event.type == JOB_EVENT_TYPE_ITEM_SUCCEEDED:
            self._ended_items.add(event.item.item_key)
            self._list()

    def _list(self) -> None:
        if self._ended_items and not self._listing:
            self._listing = True
            keys, self._ended_items = self._ended_items, set()
            self._start(self._waiting, partial(self._list_some, keys), self._listed)

    def _list_some(self, keys: set[str]) -> list[tuple[ResultFile, bool]]:
        sleep(_GATHER_S)
        return _looked_at(self._items.files_of(keys))

    def _listed(self, files: list[tuple[ResultFile, bool]]) -> None:
        for file, here in files:
            if (file.path, file.file.digest) in self._seen:
                continue
            self._seen.add((file.path, file.file.digest))
            if here:
                self._fetched.kept += 1
            else:
                self._start(self._downloading, partial(self._download, file), partial(self._downloaded, file))
        self._listing = False
        self._list()

    def _download(self, wanted: ResultFile) -> PackshotError | None:
        reconnects = Reconnects(answered=True)
        while True:
            try:
                content = self._jobs.download(self._job.job_id, wanted.item_key, wanted.file)
                break
            except PackshotError as error:
                try:
                    reconnects.wait(error)
                except PackshotError:
                    return error
        try:
            write_atomically(wanted.path, content)
        except OSError as error:
            raise CommandError(f"cannot write {wanted.path}: {(error.strerror or str(error)).lower()}") from error
        return None

    def _downloaded(self, wanted: ResultFile, error: PackshotError | None) -> None:
        if error is None:
            self._fetched.new += 1
            self._progress.fetched(self._fetched.new)
        else:
            self._fetched.failures.append((str(wanted.path), error))


def _looked_at(files: Iterable[ResultFile]) -> list[tuple[ResultFile, bool]]:
    """Each file, and whether it is here."""
    return [(file, file.is_here()) for file in files]
