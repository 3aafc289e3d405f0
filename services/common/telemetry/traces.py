"""Traces: OpenTelemetry's spans to an OTLP collector, when `OTEL_EXPORTER_OTLP_ENDPOINT` names one.

Without it spans cost next to nothing, but a caller's trace still passes through, and its id stands in the logs.
The context travels as W3C `traceparent` in gRPC metadata, NATS headers, webhook calls and the database; other baggage
of callers does not.

References
----------
W3C Trace Context; OpenTelemetry specification, "OTLP Exporter Configuration" and "SDK environment variables".
"""

import os
from collections.abc import Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common.version import VERSION

TRACEPARENT: Final = "traceparent"

tracer: Final = trace.get_tracer("packshot", VERSION)

_W3C: Final = TraceContextTextMapPropagator()


def start_tracing(service: str) -> None:
    """Sends this process's spans to the collector from now on, if there is one; once a process.

    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and the exporter's own variables apply.

    Args:
        service: The service's name unless `OTEL_SERVICE_NAME` is set: `packshot-<service>`.
    """
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return
    # Only now: what nobody has asked for should not cost its loading.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME") or f"packshot-{service}"
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": VERSION}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def stop_tracing() -> None:
    """Sends what has not been sent; waits for the collector, though not for ever."""
    provider = trace.get_tracer_provider()
    shutdown = getattr(provider, "shutdown", None)  # only the SDK's has something to send
    if shutdown is not None:
        shutdown()


def outgoing() -> dict[str, str]:
    """The headers that carry the current span to another process; none when there is no trace."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return headers


def traceparent() -> str:
    """The current span in 55 characters, to be kept until later; empty when there is no trace."""
    return outgoing().get(TRACEPARENT, "")


def incoming(headers: Mapping[str, str]) -> Context:
    """The context another process sent in its headers; an empty one when it sent none, or none that can be read."""
    return _W3C.extract(headers, context=Context())
