"""Models behind a real Triton server: the same mattes, in batches, and what is said when it cannot answer."""

import asyncio
import hashlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient

from packshot.v1 import segmenter_pb2_grpc
from packshot.v1.segmenter_pb2 import SegmentImageRequest, SegmentImageResponse
from services.common.channel import open_channel
from services.common.photo import decode_matte
from services.common.server import Server
from services.segmenter.learned import LearnedProposer, prepare
from services.segmenter.model import ModelDeadlineError, ModelUnavailableError, WeightsMismatchError
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import Activation, ModelSpec, Scaling
from services.segmenter.server import create
from services.segmenter.settings import SegmenterSettings
from services.segmenter.triton_model import Triton
from tests.helpers.composites import compose, disc, draw_matte, solid
from tests.helpers.gateway import failure
from tests.helpers.product_photos import mug_jpeg
from tests.integration.segmenter.conftest import SIDE_PX
from tools.stack import free_port
from tools.triton_server import TritonServer

BATCHES = ModelSpec("batches", SIDE_PX, Scaling.BYTE, (0.0,) * 3, (1.0,) * 3, Activation.NONE, "batches.onnx", None)
SINGLE = replace(BATCHES, name="single", weights_file="single.onnx")
TIMEOUT_S = 60.0  # for servers of tests on a busy machine


@pytest.fixture
async def triton(triton_server: TritonServer) -> AsyncIterator[Triton]:
    connected = Triton(triton_server.url, TIMEOUT_S)
    yield connected
    await connected.close()


@pytest.fixture
def control(triton_server: TritonServer) -> Iterator[InferenceServerClient]:
    """What an operator's tools use: loads and unloads models, reads statistics."""
    with InferenceServerClient(triton_server.url) as client:
        yield client


def photo() -> NDArray[np.uint8]:
    """A black disc on white."""
    disc_matte = draw_matte(300, 400, disc(60, (150, 220)))
    return compose(disc_matte, solid(300, 400, (0, 0, 0)), solid(300, 400, (255, 255, 255))).photo


def share_equal(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Share of pixels that differ by no more than one step of 8 bits."""
    return float((np.abs(one - other) <= 1 / 255 + 1e-6).mean())


class TestModel:
    @pytest.mark.parametrize("spec", [BATCHES, SINGLE], ids=lambda spec: spec.name)
    async def test_mattes_are_those_of_the_model_in_process(
        self, triton: Triton, weights_dir: Path, spec: ModelSpec
    ) -> None:
        there = LearnedProposer(spec, triton.model(spec))
        here = LearnedProposer(spec, OnnxModel(spec, weights_dir / spec.weights_file, threads=1))
        served = await asyncio.to_thread(there.propose, photo())
        local = here.propose(photo())
        assert local.matte.max() > 0.5
        assert share_equal(served.matte, local.matte) >= 0.999
        assert served.confidence == pytest.approx(local.confidence, abs=1e-3)

    async def test_photos_of_many_callers_run_in_batches(self, triton: Triton, control: InferenceServerClient) -> None:
        model = triton.model(BATCHES)
        reds = np.linspace(0, 1, 64, dtype=np.float32)
        before = control.get_inference_statistics("batches").model_stats[0]
        outputs = await asyncio.gather(
            *(asyncio.to_thread(model.run, np.full((1, 3, SIDE_PX, SIDE_PX), red, np.float32)) for red in reds)
        )
        for red, output in zip(reds, outputs, strict=True):
            assert output == pytest.approx(1 - red, abs=1e-6)  # nobody gets another's answer
        after = control.get_inference_statistics("batches").model_stats[0]
        assert after.inference_count - before.inference_count == len(reds)
        assert after.execution_count - before.execution_count < len(reds)

    async def test_a_server_that_hangs_is_waited_for_no_longer_than_the_deadline(
        self, triton_server: TritonServer
    ) -> None:
        triton = Triton(triton_server.url, 1.0)
        model = triton.model(BATCHES)
        await until(triton.is_ready)
        with frozen(triton_server):
            started = time.monotonic()
            with pytest.raises(ModelDeadlineError, match=r"within 1 s.*SEGMENTER_TRITON_TIMEOUT_S"):
                await asyncio.to_thread(model.run, prepare(photo(), BATCHES))
            assert time.monotonic() - started < 30
        await until(triton.is_ready)
        await triton.close()

    async def test_a_model_that_is_not_loaded_is_unavailable(
        self, triton: Triton, control: InferenceServerClient
    ) -> None:
        model = triton.model(SINGLE)
        control.unload_model("single")
        assert not await triton.is_ready()
        with pytest.raises(ModelUnavailableError, match="does not serve this model now"):
            await asyncio.to_thread(model.run, prepare(photo(), SINGLE))
        control.load_model("single")
        await until(triton.is_ready)
        await asyncio.to_thread(model.run, prepare(photo(), SINGLE))

    async def test_a_model_the_server_has_never_heard_of_is_unavailable(self, triton: Triton) -> None:
        with pytest.raises(ModelUnavailableError, match="nameless"):
            await triton.model(replace(BATCHES, name="nameless")).check()

    async def test_another_model_by_the_same_name_is_refused(self, triton: Triton) -> None:
        other = triton.model(replace(BATCHES, input_side_px=320))
        with pytest.raises(WeightsMismatchError, match=r"input image FP32 \[-1, 3, 64, 64\], not .*\[1, 3, 320, 320\]"):
            await other.check()
        assert not await triton.is_ready()

    async def test_the_weights_must_be_those_asked_for(self, triton: Triton, weights_dir: Path) -> None:
        digest = hashlib.sha256((weights_dir / "batches.onnx").read_bytes()).hexdigest()
        await triton.model(BATCHES, digest.upper()).check()
        with pytest.raises(WeightsMismatchError, match=f"sha256 {digest}, but 00ff was asked for"):
            await triton.model(BATCHES, "00ff").check()


class TestSegmenter:
    """The whole service, asked as the gateway asks it."""

    async def test_its_matte_is_that_of_the_local_backend(self, triton_server: TritonServer, weights_dir: Path) -> None:
        async with segmenter(backend="local", models_dir=weights_dir) as local:
            wanted = await local.segment()
        async with segmenter(backend="triton", triton_url=triton_server.url) as served:
            assert await served.is_serving()
            answer = await served.segment()
        assert share_equal(decode_matte(answer.matte_png), decode_matte(wanted.matte_png)) >= 0.999
        assert answer.segmentation.model == "u2netp"
        assert answer.warnings == wanted.warnings

    async def test_without_its_server_it_is_not_ready_and_says_what_to_do(self, triton_server: TritonServer) -> None:
        async with segmenter(backend="triton", triton_url=triton_server.url) as service:
            with stopped(triton_server):
                await until(service.is_not_serving)
                error = await failure(service.segment())
                assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "MODEL_UNAVAILABLE")
                assert "SEGMENTER_FALLBACK=local" in error.message
                assert error.retry_after_s is not None
            await until(service.is_serving)
            await service.segment()

    async def test_a_hanging_server_is_a_deadline_exceeded(self, triton_server: TritonServer) -> None:
        async with segmenter(backend="triton", triton_url=triton_server.url, triton_timeout_s=1.0) as service:
            with frozen(triton_server):
                error = await failure(service.segment())
            assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "MODEL_DEADLINE_EXCEEDED")

    async def test_with_a_fallback_it_answers_by_itself_and_says_so(self, weights_dir: Path) -> None:
        nobody = f"127.0.0.1:{free_port()}"
        async with segmenter(backend="local", models_dir=weights_dir) as local:
            wanted = await local.segment()
        async with segmenter(backend="triton", triton_url=nobody, fallback="local", models_dir=weights_dir) as service:
            assert await service.is_serving()
            answer = await service.segment()
        assert [w.code for w in answer.warnings] == ["MODEL_FALLBACK_LOCAL", *(w.code for w in wanted.warnings)]
        assert answer.matte_png == wanted.matte_png


class Running:
    """A segmenter that serves, and a channel to it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._segmenter = segmenter_pb2_grpc.SegmenterServiceStub(channel)
        self._health: Any = health_pb2_grpc.HealthStub(channel)

    async def segment(self) -> SegmentImageResponse:
        return await self._segmenter.SegmentImage(SegmentImageRequest(photo=mug_jpeg()), timeout=TIMEOUT_S)

    async def is_serving(self) -> bool:
        answer = await self._health.Check(health_pb2.HealthCheckRequest())
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def is_not_serving(self) -> bool:
        return not await self.is_serving()


@asynccontextmanager
async def segmenter(**settings: object) -> AsyncIterator[Running]:
    values = {"listen": "127.0.0.1:0", "proposers": ("u2netp",), "workers": 2, "triton_timeout_s": TIMEOUT_S}
    complete = SegmenterSettings.model_validate(values | settings)
    server = Server(create(complete), complete)
    await server.start()
    try:
        async with open_channel(server.address) as channel:
            yield Running(channel)
    finally:
        await server.stop()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not await condition():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(0.05)


@contextmanager
def stopped(server: TritonServer) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def frozen(server: TritonServer) -> Iterator[None]:
    """It keeps its connections and answers nothing."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)
