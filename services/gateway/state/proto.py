"""Rows as messages of jobs.proto and reviews.proto."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from packshot.v1 import jobs_pb2, reviews_pb2
from packshot.v1.packshot_pb2 import Output, ProcessImageResponse, ProcessOptions
from packshot.v1.report_pb2 import VERDICT_PUBLISH, VERDICT_REJECT, VERDICT_REVIEW, VERDICT_UNSPECIFIED, Verdict
from services.gateway.state import ledger
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

_JOB_STATES: Final = {
    JobState.OPEN: jobs_pb2.JOB_STATE_OPEN,
    JobState.READING: jobs_pb2.JOB_STATE_READING,
    JobState.RUNNING: jobs_pb2.JOB_STATE_RUNNING,
    JobState.COMPLETED: jobs_pb2.JOB_STATE_COMPLETED,
    JobState.CANCELLED: jobs_pb2.JOB_STATE_CANCELLED,
    JobState.FAILED: jobs_pb2.JOB_STATE_FAILED,
}
_ITEM_STATES: Final = {
    ItemState.QUEUED: jobs_pb2.JOB_ITEM_STATE_QUEUED,
    ItemState.DISPATCHED: jobs_pb2.JOB_ITEM_STATE_QUEUED,
    ItemState.RUNNING: jobs_pb2.JOB_ITEM_STATE_RUNNING,
    ItemState.SUCCEEDED: jobs_pb2.JOB_ITEM_STATE_SUCCEEDED,
    ItemState.FAILED: jobs_pb2.JOB_ITEM_STATE_FAILED,
    ItemState.CANCELLED: jobs_pb2.JOB_ITEM_STATE_CANCELLED,
}
_REVIEW_STATES: Final = {
    ReviewState.WAITING: reviews_pb2.REVIEW_STATE_WAITING,
    ReviewState.APPROVED: reviews_pb2.REVIEW_STATE_APPROVED,
    ReviewState.REJECTED: reviews_pb2.REVIEW_STATE_REJECTED,
    ReviewState.REDONE: reviews_pb2.REVIEW_STATE_REDONE,
}
_VERDICTS: Final[dict[str, Verdict.ValueType]] = {
    "": VERDICT_UNSPECIFIED,
    "publish": VERDICT_PUBLISH,
    "review": VERDICT_REVIEW,
    "reject": VERDICT_REJECT,
}


def job_message(job: Job, counts: jobs_pb2.JobCounts) -> jobs_pb2.Job:
    """A job with its counts."""
    return jobs_pb2.Job(
        job_id=job.id,
        request_id=job.request_id or "",
        label=job.label,
        state=_JOB_STATES[job.state],
        counts=counts,
        priority=job.priority,
        options=ProcessOptions.FromString(job.options),
        catalogue_url=job.catalogue_url,
        catalogue_format=job.catalogue_format,
        webhook_url=job.webhook_url,
        last_sequence=job.last_sequence,
        created_at=timestamp(job.created_at),
        ended_at=timestamp(job.ended_at),
        error_reason=job.error_reason,
        error_message=job.error_message,
    )


def counts_message(job: Job, running: int) -> jobs_pb2.JobCounts:
    """A job's counters, with how many of its items are RUNNING; those that neither run nor have ended are queued."""
    return jobs_pb2.JobCounts(
        total=job.total,
        queued=job.total - job.succeeded - job.failed - job.cancelled - running,
        running=running,
        succeeded=job.succeeded,
        failed=job.failed,
        cancelled=job.cancelled,
        publish=job.publish,
        review=job.review,
        reject=job.reject,
        credits=job.credits,
    )


def item_message(item: Item, result: Result | None = None, files: Sequence[jobs_pb2.JobFile] = ()) -> jobs_pb2.JobItem:
    """An item; with its result also the reports, and its files (see `file_message`)."""
    message = jobs_pb2.JobItem(
        item_key=item.key,
        sku=item.sku,
        row_number=item.row_number,
        source=item.source_url or ("upload" if item.photo_object else ""),
        state=_ITEM_STATES[item.state],
        attempts=item.attempts,
        error_reason=item.error_reason,
        error_message=item.error_message,
        verdict=_VERDICTS[item.verdict],
        confidence=item.confidence,
        files=files,
        repeated=item.repeated,
        price_tier=ledger.price_tier(item),
        credits=item.credits,
        review_id=item.review_id,
        ended_at=timestamp(item.ended_at),
    )
    if result is not None:
        message.reports.extend(made.report for made in ProcessImageResponse.FromString(result.response).results)
    return message


def file_message(file: ResultFile, url: str) -> jobs_pb2.JobFile:
    """A file and where to get it."""
    return jobs_pb2.JobFile(
        marketplace=file.marketplace,
        output=Output.ValueType(file.output),
        url=url,
        size_bytes=file.size_bytes,
        digest=f"sha256:{file.sha256}",
        width_px=file.width_px,
        height_px=file.height_px,
    )


def dead_letter_message(dead_letter: DeadLetter, item: Item) -> jobs_pb2.DeadLetter:
    """A dead letter with its item."""
    return jobs_pb2.DeadLetter(
        dead_letter_id=dead_letter.id,
        job_id=dead_letter.job_id,
        item=item_message(item),
        reason=dead_letter.reason,
        message=dead_letter.message,
        attempts=dead_letter.attempts,
        died_at=timestamp(dead_letter.died_at),
    )


def review_message(
    review: Review,
    item: Item,
    result: Result | None,
    audit_trail: Sequence[Review],
    files: Sequence[jobs_pb2.JobFile] = (),
    photo_url: str = "",
) -> reviews_pb2.Review:
    """A review with its item, the reports of what was made, and every decision about the item."""
    return reviews_pb2.Review(
        review_id=review.id,
        job_id=review.job_id,
        item=item_message(item, result, files),
        state=_REVIEW_STATES[review.state],
        created_at=timestamp(review.created_at),
        audit_trail=[_decision_message(decided) for decided in audit_trail],
        photo_url=photo_url,
    )


def _decision_message(review: Review) -> reviews_pb2.ReviewDecision:
    return reviews_pb2.ReviewDecision(
        state=_REVIEW_STATES[review.state],
        decided_by=review.decided_by,
        note=review.note,
        hints=reviews_pb2.RedoHints.FromString(review.hints) if review.hints else None,
        decided_at=timestamp(review.decided_at),
    )


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time as a message."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def job_states(states: Collection[jobs_pb2.JobState.ValueType]) -> frozenset[JobState]:
    """The states a caller asked for."""
    return frozenset(state for state, message in _JOB_STATES.items() if message in states)


def item_states(states: Collection[jobs_pb2.JobItemState.ValueType]) -> frozenset[ItemState]:
    """The states a caller asked for: QUEUED is DISPATCHED, too."""
    return frozenset(state for state, message in _ITEM_STATES.items() if message in states)


def review_states(states: Collection[reviews_pb2.ReviewState.ValueType]) -> frozenset[ReviewState]:
    """The states a caller asked for."""
    return frozenset(state for state, message in _REVIEW_STATES.items() if message in states)


def review_state(state: reviews_pb2.ReviewState.ValueType) -> ReviewState:
    """What a caller decided; not for UNSPECIFIED."""
    return next(kind for kind, message in _REVIEW_STATES.items() if message == state)
