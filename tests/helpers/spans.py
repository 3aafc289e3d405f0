"""Spans as the real SDK records them, in this process."""

from types import ModuleType

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer


def record(patch: pytest.MonkeyPatch, *modules: ModuleType) -> tuple[InMemorySpanExporter, Tracer]:
    """Has these modules' spans recorded, for as long as the patch lasts; the provider is no other module's."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for module in modules:
        patch.setattr(module, "tracer", tracer)
    return exporter, tracer
