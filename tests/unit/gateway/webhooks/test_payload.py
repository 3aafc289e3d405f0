"""What a receiver reads."""

import json
from datetime import UTC, datetime

from packshot.v1.jobs_pb2 import JOB_EVENT_TYPE_COMPLETED, JOB_EVENT_TYPE_ITEM_FAILED, JobCounts, JobEvent, JobItem
from services.gateway.state.proto import timestamp
from services.gateway.webhooks.payload import body_of

AT = timestamp(datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_an_item_s_end() -> None:
    item = JobItem(item_key="row 2", sku="Schälmesser", error_reason="PHOTO_NOT_AN_IMAGE")
    event = JobEvent(
        sequence=7,
        job_id="job_1",
        type=JOB_EVENT_TYPE_ITEM_FAILED,
        occurred_at=AT,
        counts=JobCounts(total=2, failed=1),
        item=item,
    )
    body = body_of(event)
    read = json.loads(body)
    assert (read["type"], read["job_id"], read["sequence"]) == ("item_failed", "job_1", 7)
    assert read["occurred_at"] == "2026-03-01T12:00:00Z"
    assert read["counts"]["failed"] == 1
    assert (read["item"]["sku"], read["item"]["error_reason"]) == ("Schälmesser", "PHOTO_NOT_AN_IMAGE")
    assert "Schälmesser".encode() in body


def test_a_job_s_end_is_of_no_item() -> None:
    read = json.loads(body_of(JobEvent(sequence=9, type=JOB_EVENT_TYPE_COMPLETED, occurred_at=AT)))
    assert read["type"] == "completed"
    assert read["item"] is None


def test_the_same_event_is_the_same_bytes() -> None:
    event = JobEvent(sequence=9, job_id="job_1", occurred_at=AT, item=JobItem(confidence=2 / 3))
    assert body_of(event) == body_of(JobEvent.FromString(event.SerializeToString()))
