"""Trace contexts between processes, with and without a collector; tests/e2e/test_observability.py has real ones."""

import os
import subprocess
import sys

import pytest
from opentelemetry import context, trace

from services.common.telemetry.traces import TRACEPARENT, incoming, outgoing, traceparent, tracer

CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_without_a_trace_nothing_is_carried() -> None:
    assert outgoing() == {}
    assert traceparent() == ""


def test_a_callers_trace_passes_through_a_process_that_records_nothing() -> None:
    with tracer.start_as_current_span("method", incoming({TRACEPARENT: CALLERS})):
        assert outgoing() == {TRACEPARENT: CALLERS}


def test_what_is_kept_of_a_trace_can_be_gone_on_with() -> None:
    with tracer.start_as_current_span("method", incoming({TRACEPARENT: CALLERS})):
        kept = traceparent()
    assert len(kept) == 55
    later = trace.get_current_span(incoming({TRACEPARENT: kept})).get_span_context()
    assert trace.format_trace_id(later.trace_id) == CALLERS.split("-")[1]


@pytest.mark.parametrize("sent", ["", "nonsense", CALLERS.replace("00-", "ff-"), f"00-{'0' * 32}-{'0' * 16}-01"])
def test_what_cannot_be_read_is_no_trace(sent: str) -> None:
    assert not trace.get_current_span(incoming({TRACEPARENT: sent})).get_span_context().is_valid


def test_incoming_forgets_the_span_of_this_process() -> None:
    own = trace.set_span_in_context(trace.get_current_span(incoming({TRACEPARENT: CALLERS})))
    token = context.attach(own)
    try:
        assert not trace.get_current_span(incoming({})).get_span_context().is_valid
    finally:
        context.detach(token)


@pytest.mark.parametrize(("endpoint", "loaded"), [("", "False"), ("http://127.0.0.1:9", "True")])
def test_the_sdk_is_loaded_for_a_collector_only(endpoint: str, loaded: str) -> None:
    code = (
        "import sys; from services.common.telemetry.traces import start_tracing; start_tracing('tiny');"
        "print('opentelemetry.sdk' in sys.modules)"
    )
    environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
