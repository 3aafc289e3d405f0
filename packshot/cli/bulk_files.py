"""The files of a job's results: what they are called here, and which of them are missing."""

import hashlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packshot.cli.outputs import SUFFIXES, comparable
from packshot.client import Jobs, PackshotError, Reconnects
from packshot.v1.jobs_pb2 import JobFile, JobItem

_ITEMS_A_PAGE: Final = 50
_MAX_STEM: Final = 120
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


class ResultFile(NamedTuple):
    """A file of the job, and where it belongs."""

    item_key: str
    file: JobFile
    path: Path

    def is_here(self) -> bool:
        """Whether the whole file is there: its size and digest are right."""
        try:
            if self.path.stat().st_size != self.file.size_bytes:
                return False
            with self.path.open("rb") as stream:
                return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}" == self.file.digest
        except FileNotFoundError:
            return False


class JobItems:
    """The items of a job, in the order of the catalogue; what was looked at and has no news is not asked for again.

    Names are given in that order, so that they are the same in every run: DIR/SKU.jpg, for the next item of the same
    SKU DIR/SKU-2.jpg; with several marketplaces DIR/SKU.MARKETPLACE.jpg.
    """

    def __init__(self, jobs: Jobs, job_id: str, folder: Path) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._folder = folder
        self._tokens = [""]  # of the pages known so far; the last one may not have been asked for
        self._page_of: dict[str, int] = {}
        self._stem_of: dict[str, str] = {}
        self._taken: set[str] = set()

    def files(self) -> Iterator[ResultFile]:
        """Of all items."""
        page = 0
        while page < len(self._tokens):
            for item in self._load(page):
                yield from self._files_of(item)
            page += 1

    def files_of(self, keys: Collection[str]) -> Iterator[ResultFile]:
        """Of certain items."""
        missing = set(keys)
        pages = sorted({self._page_of[key] for key in keys if key in self._page_of})
        while missing:
            if not pages:
                pages = [len(self._tokens) - 1]  # they are further on than we have looked
            page = pages.pop(0)
            for item in self._load(page):
                if item.item_key in missing:
                    missing.remove(item.item_key)
                    yield from self._files_of(item)
            if not pages and page == len(self._tokens) - 1:
                return

    def _load(self, page: int) -> list[JobItem]:
        reconnects = Reconnects(answered=True)
        while True:
            try:
                answer = self._jobs.item_page(self._job_id, page_size=_ITEMS_A_PAGE, page_token=self._tokens[page])
                break
            except PackshotError as error:
                reconnects.wait(error)
        for item in answer.items:
            self._page_of[item.item_key] = page
            if item.item_key not in self._stem_of:
                self._stem_of[item.item_key] = self._new_stem(item)
        if answer.next_page_token and page == len(self._tokens) - 1:
            self._tokens.append(answer.next_page_token)
        return list(answer.items)

    def _new_stem(self, item: JobItem) -> str:
        name = _NOT_IN_NAMES.sub("_", item.sku or item.item_key).strip(" .")[:_MAX_STEM] or "item"
        stem, number = name, 2
        while comparable(stem) in self._taken:
            stem, number = f"{name}-{number}", number + 1
        self._taken.add(comparable(stem))
        return stem

    def _files_of(self, item: JobItem) -> Iterator[ResultFile]:
        several = len({file.marketplace for file in item.files}) > 1
        for file in item.files:
            infix = f".{file.marketplace}" if several else ""
            path = self._folder / f"{self._stem_of[item.item_key]}{infix}{SUFFIXES[file.output]}"
            yield ResultFile(item.item_key, file, path)
