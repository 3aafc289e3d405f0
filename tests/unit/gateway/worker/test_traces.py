"""Which trace an item of a job belongs to, with the real SDK."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.gateway.state.work import Dispatched
from services.gateway.worker import queue
from tests.helpers.spans import record

JOBS_TRACE = "0af7651916cd43dd8448eb211c80319c"
CREATE_JOB = f"00-{JOBS_TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    return record(monkeypatch, queue)[0]


def item(position: int, traceparent: str = CREATE_JOB) -> Dispatched:
    return Dispatched(position + 1, "job_1", "acme", position, 1, traceparent)


def test_the_first_items_go_on_the_trace_of_the_call_that_made_the_job(spans: InMemorySpanExporter) -> None:
    headers = queue.trace_of(item(99))
    (sent,) = spans.get_finished_spans()
    assert headers["traceparent"].split("-")[1] == JOBS_TRACE
    assert sent.parent is not None and f"{sent.parent.span_id:016x}" == CREATE_JOB.split("-")[2]
    assert sent.links == ()


def test_later_items_have_a_trace_each_that_links_to_it(spans: InMemorySpanExporter) -> None:
    traces = {queue.trace_of(item(position))["traceparent"].split("-")[1] for position in (100, 101)}
    assert len(traces | {JOBS_TRACE}) == 3
    assert [f"{span.links[0].context.trace_id:032x}" for span in spans.get_finished_spans()] == [JOBS_TRACE] * 2


def test_items_of_a_job_without_a_trace_begin_one(spans: InMemorySpanExporter) -> None:
    assert "traceparent" in queue.trace_of(item(0, traceparent=""))
    (sent,) = spans.get_finished_spans()
    assert sent.parent is None


def test_without_a_collector_messages_carry_no_trace_but_a_callers() -> None:
    assert queue.trace_of(item(0, traceparent="")) == {}
    assert queue.trace_of(item(0)) == {"traceparent": CREATE_JOB}
