"""A job's items as a table: CSV for people with a spreadsheet, JSON lines for programs.

CSV is RFC 4180 in UTF-8 with a byte order mark: without one Excel takes the file for the local code page and garbles
every letter that is not ASCII; what reads CSV without Excel knows the mark ("utf-8-sig"). A text that a spreadsheet
would take for a formula gets an apostrophe before it (see owasp.org/www-community/attacks/CSV_Injection). JSON lines
hold every text as it is.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from packshot.v1.jobs_pb2 import JobItem, JobItemState
from packshot.v1.packshot_pb2 import Output
from packshot.v1.report_pb2 import (
    RESOLUTION_MANUAL,
    RULE_STATUS_FAIL,
    RULE_STATUS_WARN,
    SEVERITY_ERROR,
    VERDICT_PUBLISH,
    VERDICT_UNSPECIFIED,
    Report,
    Verdict,
)

CHUNK_BYTES: Final = 64 * 1024

COLUMNS: Final = (
    *("row_number", "sku", "item_key", "source", "status", "verdict", "confidence", "issues", "result_urls"),
    *("price_tier", "credits", "repeated", "error_reason", "error_message"),
)
_FORMULA_BEGINNINGS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BETWEEN: Final = " | "


@dataclass(frozen=True, slots=True)
class _Issue:
    """What a person should know or do about one marketplace's packshot.

    Attributes:
        id: The rule's, or the finding's code; empty for a reason of the verdict that is neither.
        severity: error, warning, or notice for what no rule speaks of.
        action: What to do about it; may be empty.
    """

    marketplace: str
    id: str
    severity: str
    message: str
    action: str


async def csv_chunks(pages: AsyncIterable[Sequence[JobItem]]) -> AsyncIterator[bytes]:
    """The items as CSV, one row each, the header first even when there are none.

    Args:
        pages: Of some hundred items at most; one at a time is held.

    Yields:
        Pieces of at most CHUNK_BYTES, cut anywhere.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    pending = bytearray(codecs.BOM_UTF8)
    async for page in pages:
        for item in page:
            writer.writerow(_csv_row(item))
            pending += _taken(text)
            for chunk in _full_chunks(pending):
                yield chunk
    pending += _taken(text)
    for chunk in _full_chunks(pending):
        yield chunk
    if pending:
        yield bytes(pending)


async def json_lines_chunks(pages: AsyncIterable[Sequence[JobItem]]) -> AsyncIterator[bytes]:
    """The items as JSON, one object a line, in UTF-8 without a byte order mark; see `csv_chunks`."""
    pending = bytearray()
    async for page in pages:
        for item in page:
            pending += json.dumps(_json_object(item), ensure_ascii=False, allow_nan=False).encode() + b"\n"
            for chunk in _full_chunks(pending):
                yield chunk
    if pending:
        yield bytes(pending)


def _taken(text: io.StringIO) -> bytes:
    content = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return content


def _full_chunks(pending: bytearray) -> Iterator[bytes]:
    while len(pending) >= CHUNK_BYTES:
        yield bytes(pending[:CHUNK_BYTES])
        del pending[:CHUNK_BYTES]


def _csv_row(item: JobItem) -> list[str | int]:
    has_result = item.verdict != VERDICT_UNSPECIFIED
    return [
        item.row_number or "",
        _harmless(item.sku),
        _harmless(item.item_key),
        _harmless(item.source),
        _status(item),
        _verdict(item.verdict) or "",
        f"{item.confidence:.4f}" if has_result else "",
        _harmless(_BETWEEN.join(_sentence(issue) for report in item.reports for issue in _issues(report))),
        _harmless(_BETWEEN.join(f"{file.marketplace} {_output(file.output)} {file.url}" for file in item.files)),
        item.price_tier,
        item.credits,
        "yes" if item.repeated else "no",
        item.error_reason,
        _harmless(item.error_message),
    ]


def _json_object(item: JobItem) -> dict[str, Any]:
    has_result = item.verdict != VERDICT_UNSPECIFIED
    return {
        "row_number": item.row_number or None,
        "sku": item.sku,
        "item_key": item.item_key,
        "source": item.source,
        "status": _status(item),
        "verdict": _verdict(item.verdict),
        "confidence": round(item.confidence, 4) if has_result else None,
        "issues": [asdict(issue) for report in item.reports for issue in _issues(report)],
        "results": [_result(item, marketplace) for marketplace in _marketplaces(item)],
        "price_tier": item.price_tier,
        "credits": item.credits,
        "repeated": item.repeated,
        "attempts": item.attempts,
        "review_id": item.review_id or None,
        "error_reason": item.error_reason or None,
        "error_message": item.error_message or None,
    }


def _marketplaces(item: JobItem) -> Iterable[str]:
    return dict.fromkeys([*(report.marketplace for report in item.reports), *(file.marketplace for file in item.files)])


def _result(item: JobItem, marketplace: str) -> dict[str, Any]:
    report = next((report for report in item.reports if report.marketplace == marketplace), None)
    return {
        "marketplace": marketplace,
        "verdict": _verdict(report.verdict) if report else None,
        "verdict_reasons": list(report.verdict_reasons) if report else [],
        "compliant": report.compliant if report else None,
        "confidence": round(report.confidence.value, 4) if report and report.HasField("confidence") else None,
        "files": [
            {
                "output": _output(file.output),
                "url": file.url,
                "width_px": file.width_px,
                "height_px": file.height_px,
                "size_bytes": file.size_bytes,
                "digest": file.digest,
            }
            for file in item.files
            if file.marketplace == marketplace
        ],
    }


def _issues(report: Report) -> Iterator[_Issue]:
    """Rules broken, what was noticed and needs a person, and the verdict's other reasons."""
    broken = [rule for rule in report.rules if rule.status in (RULE_STATUS_FAIL, RULE_STATUS_WARN)]
    noticed = [finding for finding in report.findings if finding.resolution == RESOLUTION_MANUAL]
    for rule in broken:
        severity = "error" if rule.status == RULE_STATUS_FAIL and rule.severity == SEVERITY_ERROR else "warning"
        yield _Issue(report.marketplace, rule.rule_id, severity, rule.why or rule.title, rule.action)
    for finding in noticed:
        yield _Issue(report.marketplace, finding.code, "notice", finding.message, finding.action)
    if report.verdict == VERDICT_PUBLISH:
        return
    for reason in report.verdict_reasons:
        # Reasons that only repeat a rule or a finding are there already.
        if not any(rule.title and rule.title in reason for rule in broken) and not any(
            finding.message == reason for finding in noticed
        ):
            yield _Issue(report.marketplace, "", "notice", reason, "")


def _sentence(issue: _Issue) -> str:
    """e.g. "amazon-us background-pure-white: 0.97 of the background is pure white → retouch the edge"."""
    name = f"{issue.marketplace} {issue.id}".strip()
    told = f"{name}: {issue.message} → {issue.action}" if issue.action else f"{name}: {issue.message}"
    return " ".join(told.split())


def _status(item: JobItem) -> str:
    return JobItemState.Name(item.state).removeprefix("JOB_ITEM_STATE_").lower()


def _verdict(verdict: Verdict.ValueType) -> str | None:
    return None if verdict == VERDICT_UNSPECIFIED else Verdict.Name(verdict).removeprefix("VERDICT_").lower()


def _output(output: Output.ValueType) -> str:
    return Output.Name(output).removeprefix("OUTPUT_").lower().replace("_", "-")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) else text
