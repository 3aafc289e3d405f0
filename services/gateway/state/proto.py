"""Rows as messages of jobs.proto and reviews.proto."""

from collections.abc import Collection, Sequence

from packshot.v1 import jobs_pb2, reviews_pb2
from services.gateway.state.tables import (
    DeadLetter,
    Item,
    ItemState,
    Job,
    JobState,
    Result,
    ResultFile,
    Review,
    ReviewState,
)


def job_message(job: Job, counts: jobs_pb2.JobCounts) -> jobs_pb2.Job:
    """A job with its counts."""
    raise NotImplementedError


def item_message(item: Item, result: Result | None = None, files: Sequence[jobs_pb2.JobFile] = ()) -> jobs_pb2.JobItem:
    """An item; with its result also the reports, and its files (see `file_message`)."""
    raise NotImplementedError


def file_message(file: ResultFile, url: str) -> jobs_pb2.JobFile:
    """A file and where to get it."""
    raise NotImplementedError


def dead_letter_message(dead_letter: DeadLetter, item: Item) -> jobs_pb2.DeadLetter:
    """A dead letter with its item."""
    raise NotImplementedError


def review_message(
    review: Review,
    item: Item,
    result: Result | None,
    audit_trail: Sequence[Review],
    files: Sequence[jobs_pb2.JobFile] = (),
    photo_url: str = "",
) -> reviews_pb2.Review:
    """A review with its item, reports and audit trail."""
    raise NotImplementedError


def job_states(states: Collection[jobs_pb2.JobState.ValueType]) -> frozenset[JobState]:
    """The states a caller asked for."""
    raise NotImplementedError


def item_states(states: Collection[jobs_pb2.JobItemState.ValueType]) -> frozenset[ItemState]:
    """The states a caller asked for: QUEUED is DISPATCHED, too."""
    raise NotImplementedError


def review_states(states: Collection[reviews_pb2.ReviewState.ValueType]) -> frozenset[ReviewState]:
    """The states a caller asked for."""
    raise NotImplementedError


def review_state(state: reviews_pb2.ReviewState.ValueType) -> ReviewState:
    """What a caller decided."""
    raise NotImplementedError
