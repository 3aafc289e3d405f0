"""Steps of a stage's work: a span each in the trace, and their durations as a metric."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from services.common.telemetry.metrics import STEP_DURATION
from services.common.telemetry.traces import tracer


@contextmanager
def step(name: str) -> Iterator[None]:
    """Around one step, e.g. "decode", in any thread that has the call's context; see `BoundedExecutor.run`."""
    started = perf_counter()
    try:
        with tracer.start_as_current_span(name):
            yield
    finally:
        STEP_DURATION.labels(name).observe(perf_counter() - started)
