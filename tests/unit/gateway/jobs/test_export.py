import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.v1.jobs_pb2 import JOB_ITEM_STATE_FAILED, JOB_ITEM_STATE_SUCCEEDED, JobFile, JobItem
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, OUTPUT_TRANSPARENT_PNG
from packshot.v1.report_pb2 import (
    RESOLUTION_AUTO_CORRECTED,
    RESOLUTION_MANUAL,
    RULE_STATUS_FAIL,
    RULE_STATUS_PASS,
    SEVERITY_ERROR,
    VERDICT_PUBLISH,
    VERDICT_REVIEW,
    Confidence,
    Finding,
    Report,
    RuleResult,
)
from services.gateway.jobs.export import CHUNK_BYTES, COLUMNS, csv_chunks, json_lines_chunks

SOURCE = "https://cdn.example.com/mug.jpg?width=3000&token=theirs"
FILE_URL = "https://objects.example.com/mug.jpg?signature=abc"

MUG = JobItem(
    item_key="2-MUG-01",
    sku="MUG-01",
    row_number=2,
    source=SOURCE,
    state=JOB_ITEM_STATE_SUCCEEDED,
    attempts=1,
    verdict=VERDICT_REVIEW,
    confidence=0.81234567,
    price_tier="standard",
    credits=1,
    review_id="rev_1",
    reports=[
        Report(
            marketplace="amazon-us",
            verdict=VERDICT_REVIEW,
            confidence=Confidence(value=0.81234567),
            verdict_reasons=["breaks the rule: Pure white", "confidence 0.81 is below 0.90: a person should look"],
            rules=[
                RuleResult(
                    rule_id="background-white",
                    title="Pure white",
                    status=RULE_STATUS_FAIL,
                    severity=SEVERITY_ERROR,
                    why="0.97 of it\nis white",
                    action="retouch the edge",
                ),
                RuleResult(rule_id="fill", title="Fill", status=RULE_STATUS_PASS, resolution=RESOLUTION_AUTO_CORRECTED),
            ],
            findings=[
                Finding(code="FLOOR_REFLECTION", resolution=RESOLUTION_MANUAL, message="a reflection"),
                Finding(code="SHADOW_REMOVED", resolution=RESOLUTION_AUTO_CORRECTED, message="a shadow"),
            ],
        ),
        Report(marketplace="amazon-de", compliant=True, verdict=VERDICT_PUBLISH, verdict_reasons=["compliant"]),
    ],
    files=[
        JobFile(marketplace="amazon-us", output=OUTPUT_JPEG, url=FILE_URL, width_px=2000, height_px=2000),
        JobFile(marketplace="amazon-us", output=OUTPUT_TRANSPARENT_PNG, url=f"{FILE_URL}2"),
        JobFile(marketplace="amazon-de", output=OUTPUT_JPEG, url=f"{FILE_URL}3"),
    ],
)
BROKEN = JobItem(
    item_key="3",
    row_number=3,
    state=JOB_ITEM_STATE_FAILED,
    price_tier="none",
    error_reason="ROW_SKU_MISSING",
    error_message="the SKU is empty",
)

Export = Callable[[AsyncIterator[Sequence[JobItem]]], AsyncIterator[bytes]]


async def chunks_of(export: Export, *pages: Sequence[JobItem]) -> list[bytes]:
    async def given() -> AsyncIterator[Sequence[JobItem]]:
        for page in pages:
            yield page

    return [chunk async for chunk in export(given())]


async def csv_of(*pages: Sequence[JobItem]) -> list[dict[str, str]]:
    text = b"".join(await chunks_of(csv_chunks, *pages)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


async def json_of(*pages: Sequence[JobItem]) -> list[dict[str, Any]]:
    content = b"".join(await chunks_of(json_lines_chunks, *pages))
    return [json.loads(line) for line in content.decode().split("\n")[:-1]]


async def test_csv_row_of_an_item_with_a_result() -> None:
    (row,) = await csv_of([MUG])
    assert row == {
        "row_number": "2",
        "sku": "MUG-01",
        "item_key": "2-MUG-01",
        "source": SOURCE,
        "status": "succeeded",
        "verdict": "review",
        "confidence": "0.8123",
        "issues": "amazon-us background-white: 0.97 of it is white → retouch the edge"
        " | amazon-us FLOOR_REFLECTION: a reflection"
        " | amazon-us: confidence 0.81 is below 0.90: a person should look",
        "result_urls": f"amazon-us jpeg {FILE_URL} | amazon-us transparent-png {FILE_URL}2"
        f" | amazon-de jpeg {FILE_URL}3",
        "price_tier": "standard",
        "credits": "1",
        "repeated": "no",
        "error_reason": "",
        "error_message": "",
    }


async def test_csv_row_of_a_catalogue_row_that_was_no_item() -> None:
    (row,) = await csv_of([BROKEN])
    assert (row["status"], row["verdict"], row["confidence"], row["credits"]) == ("failed", "", "", "0")
    assert (row["error_reason"], row["error_message"]) == ("ROW_SKU_MISSING", "the SKU is empty")


async def test_json_object_keeps_the_structure() -> None:
    mug, broken = await json_of([MUG], [], [BROKEN])
    assert mug["issues"][0] == {
        "marketplace": "amazon-us",
        "id": "background-white",
        "severity": "error",
        "message": "0.97 of it\nis white",
        "action": "retouch the edge",
    }
    assert [issue["id"] for issue in mug["issues"]] == ["background-white", "FLOOR_REFLECTION", ""]
    assert [(result["marketplace"], result["verdict"], len(result["files"])) for result in mug["results"]] == [
        ("amazon-us", "review", 2),
        ("amazon-de", "publish", 1),
    ]
    assert mug["results"][0]["confidence"] == mug["confidence"] == 0.8123
    assert mug["results"][1]["confidence"] is None
    assert mug["results"][0]["files"][0]["url"] == FILE_URL
    assert (mug["source"], mug["review_id"], mug["error_reason"]) == (SOURCE, "rev_1", None)
    assert (broken["verdict"], broken["confidence"], broken["results"]) == (None, None, [])


async def test_csv_without_items_is_a_header_that_excel_takes_for_utf_8() -> None:
    assert b"".join(await chunks_of(csv_chunks)) == b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"
    assert await chunks_of(json_lines_chunks, []) == []


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
async def test_no_cell_is_a_formula(beginning: str) -> None:
    evil = f'{beginning}HYPERLINK("https://evil.example.com";A1)'
    item = JobItem(
        sku=evil, item_key=evil, source=evil, error_message=evil, reports=[], state=JOB_ITEM_STATE_FAILED, credits=0
    )
    (row,) = await csv_of([item])
    assert [row[name] for name in ("sku", "item_key", "source", "error_message")] == [f"'{evil}"] * 4
    (same,) = await json_of([item])
    assert same["sku"] == evil


@pytest.mark.parametrize("export", [csv_chunks, json_lines_chunks])
async def test_chunks_are_bounded_and_come_before_the_last_page(export: Export) -> None:
    asked = 0

    async def pages() -> AsyncIterator[Sequence[JobItem]]:
        nonlocal asked
        for asked in range(1, 101):
            yield [JobItem(sku=f"{asked}", source="x" * 1000)] * 100

    stream = export(pages())
    first = await anext(stream)
    assert len(first) == CHUNK_BYTES
    assert asked == 1
    rest = [chunk async for chunk in stream]
    assert all(len(chunk) == CHUNK_BYTES for chunk in rest[:-1])
    assert 0 < len(rest[-1]) <= CHUNK_BYTES


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30)), max_size=6))
def test_any_text_is_read_back(texts: list[tuple[str, str, str]]) -> None:
    items = [JobItem(sku=sku, source=source, error_message=message) for sku, source, message in texts]

    async def both() -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
        return await csv_of(items), await json_of(items)

    table, objects = asyncio.run(both())
    assert [(o["sku"], o["source"], o["error_message"] or "") for o in objects] == texts
    read = [(row["sku"], row["source"], row["error_message"]) for row in table]
    assert [tuple(cell.removeprefix("'") for cell in row) for row in read] == [
        tuple(cell.removeprefix("'") for cell in row) for row in texts
    ]
