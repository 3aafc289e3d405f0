"""Traces of single photos and of streams, with the real SDK; bulk items: tests/e2e/test_observability.py."""

from collections import Counter

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from packshot.v1.packshot_pb2 import ProcessImageRequest, ProcessImagesRequest, ProcessOptions, StreamItem
from services.common import interceptors
from services.common.errors import internal
from services.gateway import stages as stage_clients
from services.gateway import stream
from tests.helpers.gateway import Gateway, failure
from tests.helpers.spans import record
from tests.helpers.stages import PHOTO, Stages

METHOD = "packshot.v1.PackshotService/ProcessImage"
STAGES = ("segmenter", "compositor", "validator")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    return record(monkeypatch, interceptors, stage_clients, stream)[0]


async def test_a_photo_is_one_trace(gateway: Gateway, spans: InMemorySpanExporter) -> None:
    await gateway.stub.ProcessImage(ProcessImageRequest(photo=PHOTO))
    found = spans.get_finished_spans()
    assert len({span.context.trace_id for span in found}) == 1
    (call,) = (span for span in found if span.name == METHOD)
    stages = [span for span in found if span.name in STAGES]
    assert {span.name for span in stages} == set(STAGES)
    assert {span.parent.span_id for span in stages if span.parent} == {call.context.span_id}


async def test_errors_of_ours_mark_the_spans_those_of_callers_do_not(
    gateway: Gateway, stages: Stages, spans: InMemorySpanExporter
) -> None:
    wrong = ProcessImageRequest(photo=PHOTO, options=ProcessOptions(marketplaces=["nowhere"]))
    assert (await failure(gateway.stub.ProcessImage(wrong))).reason == "UNKNOWN_MARKETPLACE"
    stages.segmenter.segment.script = [internal("r-1")]
    await failure(gateway.stub.ProcessImage(ProcessImageRequest(photo=PHOTO)))
    theirs, ours = (span for span in spans.get_finished_spans() if span.name == METHOD)
    assert (theirs.status.status_code, ours.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert theirs.attributes is not None and theirs.attributes["error.type"] == "UNKNOWN_MARKETPLACE"


async def test_each_photo_of_a_stream_has_a_trace_that_links_to_the_streams(
    gateway: Gateway, spans: InMemorySpanExporter
) -> None:
    sent = [ProcessImagesRequest(item=StreamItem(item_id=name, photo=PHOTO)) for name in ("a", "b")]
    assert len([answer async for answer in gateway.stub.ProcessImages(iter(sent))]) == 2
    found = spans.get_finished_spans()
    (call,) = (span for span in found if span.name == "packshot.v1.PackshotService/ProcessImages")
    photos = [span for span in found if span.name == "process photo"]
    assert {span.attributes["packshot.item_id"] for span in photos if span.attributes} == {"a", "b"}
    assert [link.context.span_id for span in photos for link in span.links] == [call.context.span_id] * 2
    sizes = Counter(span.context.trace_id for span in found)
    assert len(sizes) == 3
    assert all(sizes[span.context.trace_id] > len(STAGES) for span in photos)
