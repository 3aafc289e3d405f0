"""Jobs, items, dead letters and reviews as tables."""

from collections.abc import Iterable
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from packshot.cli.bulk_progress import counts_text, ended
from packshot.cli.tables import plain_table, verdict_text
from packshot.report import enum_word
from packshot.v1.jobs_pb2 import DeadLetter, Job, JobEvent, JobEventType, JobItem, JobItemState, JobState
from packshot.v1.reviews_pb2 import Review, ReviewState

_STYLES: Final = {
    "completed": "green",
    "succeeded": "green",
    "approved": "green",
    "failed": "bold red",
    "rejected": "red",
    "cancelled": "dim",
    "redone": "dim",
    "waiting": "yellow",
}


def jobs_table(jobs: Iterable[Job]) -> Table:
    """A row per job: state, how far it is, when it was made."""
    table = plain_table()
    for name in ("Job", "State", "Done", "Outcome", "Made", "Label"):
        table.add_column(name, no_wrap=name != "Label", overflow="fold")
    for job in jobs:
        table.add_row(
            job.job_id,
            _state(enum_word(JobState.DESCRIPTOR, job.state)),
            f"{ended(job.counts)} of {job.counts.total}",
            counts_text(job.counts) or "–",
            time_text(job.created_at),
            job.label,
        )
    return table


def items_table(items: Iterable[JobItem]) -> Table:
    """A row per item: what became of it, and why."""
    table = plain_table()
    for name in ("Item", "Line", "State", "Verdict", "Confidence", "Why"):
        table.add_column(name, no_wrap=name not in ("Item", "Why"), overflow="fold")
    for item in items:
        table.add_row(
            item.item_key,
            str(item.row_number) if item.row_number else "–",
            _state(enum_word(JobItemState.DESCRIPTOR, item.state)),
            verdict_text(item.verdict),
            f"{item.confidence:.2f}" if item.verdict else "–",
            item.error_message or "; ".join(reason for report in item.reports for reason in report.verdict_reasons),
        )
    return table


def dead_letters_table(letters: Iterable[DeadLetter]) -> Table:
    """A row per item that was given up."""
    table = plain_table()
    for name in ("Dead letter", "Job", "Item", "Attempts", "Died", "Why"):
        table.add_column(name, no_wrap=name not in ("Item", "Why"), overflow="fold")
    for letter in letters:
        table.add_row(
            letter.dead_letter_id,
            letter.job_id,
            letter.item.item_key,
            str(letter.attempts),
            time_text(letter.died_at),
            letter.message or letter.reason,
        )
    return table


def reviews_table(reviews: Iterable[Review]) -> Table:
    """A row per review: what the machine thinks, and since when it waits."""
    table = plain_table()
    for name in ("Review", "Item", "State", "Verdict", "Confidence", "Since", "Why"):
        table.add_column(name, no_wrap=name not in ("Item", "Why"), overflow="fold")
    for review in reviews:
        item = review.item
        table.add_row(
            review.review_id,
            item.sku or item.item_key,
            _state(enum_word(ReviewState.DESCRIPTOR, review.state)),
            verdict_text(item.verdict),
            f"{item.confidence:.2f}",
            time_text(review.created_at),
            "; ".join(dict.fromkeys(reason for report in item.reports for reason in report.verdict_reasons)),
        )
    return table


def event_text(event: JobEvent) -> str:
    """ "17  14:03:10  item succeeded: MUG-1; 3 of 100 done"."""
    what = (enum_word(JobEventType.DESCRIPTOR, event.type) or "?").replace("_", " ")
    item = f": {event.item.sku or event.item.item_key}" if event.HasField("item") else ""
    why = f" ({event.item.error_message})" if event.item.error_message else ""
    at = event.occurred_at.ToDatetime().strftime("%H:%M:%S")
    return f"{event.sequence:>6}  {at}  {what}{item}{why}; {ended(event.counts)} of {event.counts.total} done"


def time_text(time: Timestamp) -> str:
    """ "2026-11-20 14:03" in UTC."""
    return time.ToDatetime().strftime("%Y-%m-%d %H:%M") if time.seconds else "–"


def _state(word: str | None) -> Text:
    return Text(word or "?", _STYLES.get(word or "", ""))
