"""A collector of traces: OTLP's own gRPC service, which keeps the spans it gets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


@dataclass(frozen=True)
class Received:
    """A span; ids are hexadecimal, `parent` is empty for a root."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    """Traces it links to."""
    attributes: dict[str, str]


class OtlpReceiver(TraceServiceServicer):
    """Listens on `endpoint`, as OTEL_EXPORTER_OTLP_ENDPOINT has it."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.endpoint = ""

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        receiver = cls()
        server = grpc.server(ThreadPoolExecutor(4))
        add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]
        receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield receiver
        finally:
            server.stop(None).wait()

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: N802
        for resource in request.resource_spans:
            (service,) = (a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            self.spans += [
                Received(
                    service=service,
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links=tuple(link.trace_id.hex() for link in span.links),
                    attributes={a.key: a.value.string_value or str(a.value.int_value) for a in span.attributes},
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        return ExportTraceServiceResponse()

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]

    def trace(self, trace_id: str) -> list[Received]:
        return [span for span in self.spans if span.trace == trace_id]
