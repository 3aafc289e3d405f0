"""Several calls at a time, for methods that have no stream."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from packshot.errors import PackshotError

T = TypeVar("T")


def call_each(call: Callable[[Path], T], photos: Sequence[Path], jobs: int) -> Iterator[tuple[int, T | PackshotError]]:
    """(index of the photo, answer or error) as they finish; a photo that fails does not stop the others."""
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="call")
    try:
        indices = {pool.submit(call, photo): i for i, photo in enumerate(photos)}
        for future in as_completed(indices):
            try:
                yield indices[future], future.result()
            except PackshotError as error:
                yield indices[future], error
    finally:
        # After Ctrl-C nothing is waited for: closing the client ends the calls that still run.
        pool.shutdown(wait=False, cancel_futures=True)
