"""What can be seen of a run of the whole stack: one trace of a bulk item, metrics, and logs without secrets."""

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import nats
import pytest
from prometheus_client.parser import text_string_to_metric_families

from packshot.v1 import jobs_pb2_grpc, packshot_pb2_grpc
from packshot.v1.jobs_pb2 import CreateJobRequest, JobItemSource, JobItemSources, WatchJobRequest
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, ProcessImageRequest, ProcessOptions
from services.common.topology import IMAGE_EVENTS
from tests.helpers.api_keys import new_key
from tests.helpers.gateway import eventually
from tests.helpers.https_server import Exchange, HttpServer, http_server
from tests.helpers.otlp_receiver import OtlpReceiver, Received
from tests.helpers.packshot_serve import packshot_serve
from tests.helpers.product_photos import mug_jpeg

pytestmark = pytest.mark.timeout(300)  # the run counts as its first test's

SERVICES: Final = ("gateway", "segmenter", "compositor", "validator")
CALLERS_TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN: Final = "b7ad6b7169203331"
SECRETS: Final = ("query-secret", "hook-secret", "bearer-secret", "pk_wrong-secret")


@dataclass
class Run:
    """What a run of the stack has left behind.

    Attributes:
        key: The API key its calls came with.
        job_id: A job of two items: a photo that can be fetched, and one that cannot.
        spans: All that was exported.
        metrics: Of each service, read after the job: {(name, labels): value}.
        hooks: The webhook calls.
        events: `traceparent` of every event about an image.
        logs: Of each service.
    """

    key: str
    job_id: str
    spans: OtlpReceiver
    metrics: Mapping[str, Mapping[tuple[str, frozenset[tuple[str, str]]], float]]
    hooks: list[Exchange]
    events: list[str]
    logs: dict[str, str]

    def metric(self, service: str, name: str, /, **labels: str) -> float:
        return self.metrics[service][name, frozenset(labels.items())]

    def lines(self, service: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.logs[service].splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    yield asyncio.run(_run(tmp_path_factory.mktemp("run")))


async def _run(folder: Path) -> Run:
    async with http_server() as outside:
        outside.always("/mug.jpg", 200, mug_jpeg())
        _first_refused(outside)
        with OtlpReceiver.running() as spans:
            ports = dict(zip(SERVICES, _free_ports(len(SERVICES)), strict=True))
            environment = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": spans.endpoint,
                "OTEL_BSP_SCHEDULE_DELAY": "100",
                "GATEWAY_SOURCES__INTERNAL_HOSTS": json.dumps([f"127.0.0.1:{outside.port}"]),
                "SEGMENTER_PROPOSERS": "classical",
            }
            for service, port in ports.items():
                environment |= {
                    f"{service.upper()}_METRICS_LISTEN": f"127.0.0.1:{port}",
                    f"{service.upper()}_LOG_FORMAT": "json",
                    f"{service.upper()}_LOG_LEVEL": "debug",
                }
            stack = packshot_serve(folder, "--api-keys", "--data-dir", str(folder / "data"), **environment)
            with ExitStack() as until_stopped:
                # It waits for its processes without an event loop; webhooks are answered by ours meanwhile.
                served = await asyncio.to_thread(until_stopped.enter_context, stack)
                key = await new_key(f"sqlite+aiosqlite:///{folder}/data/packshot.db", "acme")
                job_id = await _use(served.gateway, key, outside.port)
                await eventually(lambda: len(_hooks(outside)) == 4, 60)
                events = await _events(served.nats, 10)
                metrics = {service: await _metrics(port) for service, port in ports.items()}
                await asyncio.to_thread(until_stopped.close)
            logs = {service: (folder / f"{service}.log").read_text() for service in SERVICES}
            return Run(key, job_id, spans, metrics, _hooks(outside), events, logs)


async def _use(gateway: str, key: str, port: int) -> str:
    """A job and a single photo, with secrets wherever callers may have them; the job's id."""
    caller = (("x-api-key", key), ("traceparent", f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"))
    outside = f"http://127.0.0.1:{port}"
    async with grpc.aio.insecure_channel(gateway) as channel:
        jobs = jobs_pb2_grpc.JobServiceStub(channel)
        photos = packshot_pb2_grpc.PackshotServiceStub(channel)
        sources = [
            JobItemSource(item_key="mug", url=f"{outside}/mug.jpg?X-Amz-Signature=query-secret"),
            JobItemSource(item_key="gone", url=f"{outside}/gone.jpg?X-Amz-Signature=query-secret"),
        ]
        created = await jobs.CreateJob(
            CreateJobRequest(
                items=JobItemSources(items=sources),
                webhook_url=f"{outside}/hook?token=hook-secret",
                options=ProcessOptions(marketplaces=["amazon-us"], outputs=[OUTPUT_JPEG]),
            ),
            metadata=caller,
        )
        job_id: str = created.job.job_id
        watching = jobs.WatchJob(WatchJobRequest(job_id=job_id), metadata=caller, timeout=100)
        async for _ in watching:
            pass
        await photos.ProcessImage(
            ProcessImageRequest(photo=mug_jpeg(), request_id="order-17"),
            metadata=(("x-api-key", key), ("authorization", "Bearer bearer-secret")),
        )
        for wrong in ("pk_wrong-secret", key[:-1]):
            with pytest.raises(grpc.aio.AioRpcError):
                await photos.ProcessImage(ProcessImageRequest(photo=b"x"), metadata=(("x-api-key", wrong),))
    return job_id


async def _events(address: str, count: int) -> list[str]:
    """One by one: a fetch of several is content with fewer."""
    bus = await nats.connect(f"nats://{address}")
    reader = await bus.jetstream().pull_subscribe("packshot.v1.image.>", stream=IMAGE_EVENTS.name)
    messages = [message for _ in range(count) for message in await reader.fetch(1, timeout=30)]
    await bus.close()
    return [(message.headers or {})["traceparent"] for message in messages]


def _hooks(outside: HttpServer) -> list[Exchange]:
    return [exchange for exchange in outside.exchanges if exchange.path.startswith("/hook")]


def _first_refused(outside: HttpServer) -> None:
    """The webhook's first call fails, so that there is something to log about it."""
    calls = iter([500])

    async def answer(exchange: Exchange) -> None:
        await exchange.answer(next(calls, 204))

    outside.answers["/hook"] = answer


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


async def _metrics(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def way_to(span: Received, trace: list[Received]) -> list[str]:
    """The names from the first span of ours to this one."""
    by_id = {other.id: other for other in trace}
    way = [span.name]
    while (parent := by_id.get(span.parent)) is not None:
        way.insert(0, parent.name)
        span = parent
    return way


class TestTraces:
    def test_a_bulk_items_trace_leads_from_create_job_through_every_stage_to_the_webhook(self, run: Run) -> None:
        trace = run.spans.trace(CALLERS_TRACE)
        (created,) = (span for span in trace if span.name == "packshot.v1.JobService/CreateJob")
        assert created.parent == CALLERS_SPAN
        to_item = [created.name, "send item", "work on item"]
        ways = [way_to(span, trace) for span in trace]
        for stage, method, steps in (
            ("segmenter", "packshot.v1.SegmenterService/SegmentImage", ("decode", "segment", "encode")),
            ("compositor", "packshot.v1.CompositorService/ComposeImage", ("decode", "refine", "compose", "encode")),
            ("validator", "packshot.v1.ValidatorService/ValidateImage", ("decode", "measure")),
        ):
            for step in steps:
                assert [*to_item, stage, method, step] in ways
        assert [*to_item, "fetch"] in ways
        assert [*to_item, "store"] in ways
        assert ways.count([*to_item, "call webhook"]) == 4  # three to tell of, one of them twice

    def test_every_service_says_who_it_is(self, run: Run) -> None:
        assert {span.service for span in run.spans.trace(CALLERS_TRACE)} == {f"packshot-{name}" for name in SERVICES}

    def test_the_receiver_of_a_webhook_can_go_on_with_the_trace(self, run: Run) -> None:
        calls = {span.id for span in run.spans.named("call webhook")}
        for hook in run.hooks:
            version, trace, parent, _ = hook.headers["traceparent"].split("-")
            assert (version, trace) == ("00", CALLERS_TRACE)
            assert parent in calls

    def test_who_listens_to_events_can_go_on_with_the_trace(self, run: Run) -> None:
        traces = [event.split("-")[1] for event in run.events]
        assert traces.count(CALLERS_TRACE) == 5  # received, segmented, composed, validated, completed
        assert len(set(traces)) == 2

    def test_a_call_without_a_trace_begins_one(self, run: Run) -> None:
        served = run.spans.named("packshot.v1.PackshotService/ProcessImage")
        (photo,) = (span for span in served if span.attributes["rpc.response.status_code"] == "OK")
        assert photo.parent == ""
        assert photo.attributes["packshot.request_id"] == "order-17"

    def test_no_span_has_a_secret(self, run: Run) -> None:
        told = repr(run.spans.spans)
        assert [secret for secret in (run.key, *SECRETS) if secret in told] == []


class TestMetrics:
    def test_every_service_counts_its_calls(self, run: Run) -> None:
        method = "packshot.v1.SegmenterService/SegmentImage"
        assert run.metric("segmenter", "packshot_rpc_requests_total", method=method, code="OK", reason="") == 2
        assert run.metric("segmenter", "packshot_rpc_duration_seconds_count", method=method) == 2
        assert run.metric("segmenter", "packshot_rpc_in_flight", method=method) == 0
        assert run.metric("segmenter", "packshot_executor_pending") == 0
        assert run.metric("segmenter", "packshot_step_duration_seconds_count", step="segment") == 2

    def test_errors_are_counted_by_their_reason(self, run: Run) -> None:
        method = "packshot.v1.PackshotService/ProcessImage"
        refused = {"method": method, "code": "UNAUTHENTICATED", "reason": "API_KEY_INVALID"}
        assert run.metric("gateway", "packshot_rpc_requests_total", **refused) == 2

    def test_the_gateway_tells_of_stages_verdicts_items_queue_and_webhooks(self, run: Run) -> None:
        assert run.metric("gateway", "packshot_stage_duration_seconds_count", stage="compositor", code="OK") >= 2
        verdicts = {labels: value for (name, labels), value in run.metrics["gateway"].items() if "_verdicts_" in name}
        assert sum(verdicts.values()) == 2
        assert run.metric("gateway", "packshot_item_attempts_total", outcome="succeeded") == 1
        assert run.metric("gateway", "packshot_item_attempts_total", outcome="failed") == 1
        assert run.metric("gateway", "packshot_cache_lookups_total", cache="results", outcome="miss") == 1
        assert run.metric("gateway", "packshot_webhook_calls_total", outcome="delivered") == 3
        assert run.metric("gateway", "packshot_webhook_calls_total", outcome="failed") == 1
        assert run.metric("gateway", "packshot_queue_pending") == 0
        assert run.metric("gateway", "packshot_items", state="queued") == 0
        assert run.metric("gateway", "packshot_events_dropped_total") == 0

    def test_what_runs_is_told_with_its_version(self, run: Run) -> None:
        for service in SERVICES:
            assert run.metric(service, "packshot_build_info", service=service, version="0.1.0") == 1
            assert run.metric(service, "process_resident_memory_bytes") > 0
        assert run.metric("segmenter", "packshot_model_info", model="classical", digest="") == 1
        packs = {dict(labels)["pack"] for name, labels in run.metrics["validator"] if name == "packshot_rule_pack_info"}
        assert {"amazon-us", "amazon-de"} <= packs


class TestLogs:
    def test_no_line_has_a_secret_or_a_photo(self, run: Run) -> None:
        for service, log in run.logs.items():
            found = [secret for secret in (run.key, run.key[:-1], *SECRETS, "JFIF", "\\xff\\xd8") if secret in log]
            assert found == [], service

    def test_every_line_is_json(self, run: Run) -> None:
        for service in SERVICES:
            assert run.lines(service), service
            assert {line["service"] for line in run.lines(service)} == {service}

    def test_lines_about_an_item_have_its_ids_and_its_trace(self, run: Run) -> None:
        (done,) = (line for line in run.lines("gateway") if line.get("state") == "succeeded")
        assert done["job_id"] == run.job_id
        assert done["item_key"] == "mug"
        assert done["trace_id"] == CALLERS_TRACE
        (stage,) = (
            line
            for line in run.lines("segmenter")
            if line["event"] == "call"
            and line["request_id"] == done["request_id"]
            and "Segment" in line["method"]
            and "Describe" not in line["method"]
        )
        assert stage["trace_id"] == CALLERS_TRACE

    def test_a_call_about_a_job_has_the_jobs_id(self, run: Run) -> None:
        (created,) = (line for line in run.lines("gateway") if "CreateJob" in line.get("method", ""))
        assert created["job_id"] == run.job_id
