"""What can be seen of runs on a real Triton: a span in the caller's trace, our metrics, and Triton's own."""

import asyncio

import httpx
import numpy as np
import pytest
from prometheus_client import REGISTRY

from services.segmenter import triton_model
from services.segmenter.triton_model import Triton
from tests.helpers.spans import record
from tests.integration.segmenter.conftest import SIDE_PX
from tests.integration.segmenter.test_triton import BATCHES, TIMEOUT_S
from tests.monitoring.test_monitoring import TRITONS
from tools.triton_server import TritonServer


def runs() -> float:
    labels = {"model": "batches", "outcome": "OK"}
    return REGISTRY.get_sample_value("packshot_triton_request_duration_seconds_count", labels) or 0.0


async def test_a_run_is_part_of_its_callers_trace_and_is_counted(
    triton_server: TritonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans, tracer = record(monkeypatch, triton_model)
    triton = Triton(triton_server.url, TIMEOUT_S)
    model = triton.model(BATCHES)
    before = runs()
    with tracer.start_as_current_span("segment") as caller:
        await asyncio.to_thread(model.run, np.zeros((1, 3, SIDE_PX, SIDE_PX), np.float32))
    await triton.close()
    (run, _) = spans.get_finished_spans()
    assert run.name == "triton"
    assert run.parent is not None and run.parent.span_id == caller.get_span_context().span_id
    assert run.attributes is not None and run.attributes["packshot.model"] == "batches"
    assert runs() == before + 1


async def test_triton_has_the_metrics_that_dashboard_and_alerts_ask_it_for(triton_server: TritonServer) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(triton_server.metrics_url)).text
    of_gpus = {name for name in TRITONS if name.startswith("nv_gpu_")}  # this one has none
    assert [name for name in TRITONS - of_gpus if f'{name}{{model="batches"' not in text] == []
