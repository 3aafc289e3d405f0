"""What the manifests start does start, as processes of this machine: probes, a photo, a job, the stop.

Of prod and its like the overlay staging is tried, since prod's models run on a GPU.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from packshot.client import JobPhoto, PackshotClient
from packshot.v1.jobs_pb2 import JOB_STATE_COMPLETED
from tests.helpers.manifest_processes import Cluster
from tests.helpers.manifests import overlay
from tests.helpers.postgres import Postgres
from tests.helpers.s3_server import S3Server
from tests.helpers.waiting import wait_until
from tools.triton_server import TRITONSERVER

STAGES = ("segmenter", "compositor", "validator")
GATEWAYS = ("gateway-api", "gateway-worker")
SERVICES = (*STAGES, *GATEWAYS)
BUCKET = "packshot-staging"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", params=["local", "staging"])
def started(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: Postgres,
    s3_server: S3Server,
) -> Iterator[Any]:
    """An overlay's pods, one of each, started in the order in which they get ready in a cluster."""
    database_url = postgres.create_database(f"k8s-{request.param}")
    s3_server.make_bucket(BUCKET)
    keys = s3_server.environment
    given = {
        "gateway-database": {"gateway_database_url": database_url},
        "database-ca": {"ca.crt": ""},
        "object-store": {
            "credentials": f"[default]\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
        },
    }
    cluster = Cluster(
        overlay(request.param), tmp_path_factory.mktemp("cluster"), given, {"AWS_ENDPOINT_URL": s3_server.url}
    )
    try:
        cluster.start("nats")
        cluster.wait_until_started("nats")
        for job in ("migrate", "topology"):
            assert cluster.run(job) == 0, cluster.pods[job].log
        for name in SERVICES:
            cluster.start(name)
        for name in SERVICES:
            cluster.wait_until_started(name)
        key = cluster.execute("gateway-api", "python", "-m", "services.gateway.keys", "add", "--tenant", "acme").strip()
        yield SimpleNamespace(cluster=cluster, key=key, with_tls=request.param == "staging")
    finally:
        cluster.kill()
        postgres.drop_database(f"k8s-{request.param}")


@pytest.fixture
def client(started: Any) -> Iterator[PackshotClient]:
    credentials = grpc.ssl_channel_credentials(started.cluster.ca_file.read_bytes()) if started.with_tls else None
    address = f"127.0.0.1:{started.cluster.pods['gateway-api'].port(50051)}"
    with PackshotClient(address, api_key=started.key, tls=started.with_tls, credentials=credentials) as client:
        yield client


@pytest.fixture(scope="module")
def photo() -> bytes:
    with Image.open("examples/mug.jpg") as image:
        small = BytesIO()
        image.resize((320, 320)).save(small, "JPEG")
    return small.getvalue()


@pytest.mark.parametrize("name", ["nats", *SERVICES])
def test_readiness_and_liveness_turn_green(started: Any, name: str) -> None:
    assert started.cluster.probe(name, "readinessProbe")
    assert started.cluster.probe(name, "livenessProbe")


@pytest.mark.parametrize("name", SERVICES)
def test_metrics_are_where_prometheus_looks(started: Any, name: str) -> None:
    answer = httpx.get(f"http://127.0.0.1:{started.cluster.pods[name].port('metrics')}/metrics", trust_env=False)
    assert "packshot_rpc_in_flight" in answer.text


def test_a_photo_goes_through_the_gateway(client: PackshotClient, photo: bytes) -> None:
    (result,) = client.process(photo, marketplaces=["amazon-us"]).results
    assert result.images[0].content


def test_a_worker_does_a_job(client: PackshotClient, photo: bytes) -> None:
    job = client.jobs.create(uploads=[JobPhoto("mug", photo)])
    for _ in client.jobs.watch(job.job_id):
        pass
    assert client.jobs.get(job.job_id).state == JOB_STATE_COMPLETED


@pytest.mark.parametrize("name", STAGES)
def test_with_mtls_a_stage_answers_nobody_without_certificate(started: Any, name: str) -> None:
    address = f"127.0.0.1:{started.cluster.pods[name].port('grpc')}"
    if started.with_tls:
        knows_us = grpc.ssl_channel_credentials(started.cluster.ca_file.read_bytes())
        with pytest.raises(grpc.RpcError) as caught, grpc.secure_channel(address, knows_us) as channel:
            check(channel)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    else:
        with grpc.insecure_channel(address) as channel:
            assert check(channel).status == health_pb2.HealthCheckResponse.SERVING


def check(channel: grpc.Channel) -> Any:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(), timeout=30)


@pytest.mark.parametrize("name", [*GATEWAYS, *STAGES])
def test_sigterm_ends_it_well_within_the_grace_period(started: Any, name: str) -> None:
    """The last test: nothing runs after it."""
    assert started.cluster.stop(name) == 0, started.cluster.pods[name].log


def test_prods_segmenter_finds_its_models_on_triton(tmp_path: Path) -> None:
    """The init container's repository, the server's ports and probes, the segmenter's address of it."""
    if not TRITONSERVER.exists():
        pytest.skip("NOT TESTED WITH TRITON: run `make triton`")
    cluster = Cluster(overlay("prod"), tmp_path, {}, {})
    try:
        assert cluster.initialize("triton") == 0, cluster.pods["triton"].log
        # This machine's Triton has the python backend only; the same repository, written for it.
        assert cluster.initialize("triton", options=["--backend", "python"]) == 0, cluster.pods["triton"].log
        here = [f"--{protocol}-address=127.0.0.1" for protocol in ("http", "grpc", "metrics")]
        cluster.start("triton", program=TRITONSERVER, options=here)
        cluster.start("segmenter")
        cluster.wait_until_started("triton")
        cluster.wait_until_started("segmenter")
        for name in ("triton", "segmenter"):
            assert cluster.probe(name, "readinessProbe")
            assert cluster.probe(name, "livenessProbe")
        metrics = httpx.get(f"http://127.0.0.1:{cluster.pods['triton'].port('metrics')}/metrics", trust_env=False).text
        assert {"nv_inference_queue_duration_us", "nv_inference_request_success"} <= set(
            metrics.replace("{", " ").split()
        )
        cluster.stop("triton")
        wait_until(lambda: not cluster.probe("segmenter", "readinessProbe"))
        assert cluster.probe("segmenter", "livenessProbe")  # Triton being away is no reason to kill it
    finally:
        cluster.kill()
