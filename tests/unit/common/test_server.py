"""How a service starts, says how it is, and stops: in this process, and as a process of its own."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from packshot.v1 import segmenter_pb2_grpc
from packshot.v1.segmenter_pb2 import SegmentImageRequest
from services.common.server import Server, StartError
from tests.helpers.gateway import eventually, failure
from tests.helpers.tiny_service import Tiny, TinySettings, create, running_tiny

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAME = "packshot.v1.SegmenterService"
REPOSITORY = Path(__file__).parents[3]


def health(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


class TestStart:
    @pytest.mark.parametrize("service", ["", NAME])
    async def test_a_started_service_says_serving(self, service: str) -> None:
        async with running_tiny() as tiny:
            response = await health(tiny.channel).Check(health_pb2.HealthCheckRequest(service=service))
            assert response.status == SERVING

    async def test_port_0_is_any_free_port(self) -> None:
        async with running_tiny(LISTEN="127.0.0.1:0") as tiny:
            assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d+", tiny.server.address)

    async def test_a_unix_socket_works_like_a_port(self, tmp_path: Path) -> None:
        async with running_tiny(LISTEN=f"unix:{tmp_path}/s") as tiny:
            await tiny.ask("hello")

    async def test_a_port_in_use_stops_the_start(self) -> None:
        async with running_tiny() as tiny:
            settings = TinySettings(listen=tiny.server.address)
            second = Server(create(settings), settings)
            with pytest.raises(StartError, match=f"cannot listen on {tiny.server.address}"):
                await second.start()
            await second.stop()

    @pytest.mark.parametrize(("setting", "found"), [("true", True), ("false", False)])
    async def test_reflection_is_there_by_setting(self, setting: str, found: bool) -> None:
        async with running_tiny(REFLECTION=setting) as tiny:
            stub: Any = reflection_pb2_grpc.ServerReflectionStub(tiny.channel)  # type: ignore[arg-type]
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            try:
                names = [
                    service.name
                    async for response in stub.ServerReflectionInfo(iter([request]))
                    for service in response.list_services_response.service
                ]
            except grpc.aio.AioRpcError:
                names = []
        assert (NAME in names) is found


class TestHealth:
    async def test_a_service_is_ready_only_while_what_it_needs_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("services.common.server._HEALTH_PERIOD_S", 0.02)
        model_server_is_up = False

        async def healthy() -> bool:
            return model_server_is_up

        settings = TinySettings()
        server = Server(replace(create(settings), healthy=healthy), settings)
        await server.start()
        async with grpc.aio.insecure_channel(server.address) as channel:

            async def becomes(status: int) -> None:
                async with asyncio.timeout(30):
                    while (await health(channel).Check(health_pb2.HealthCheckRequest())).status != status:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)

            assert (await health(channel).Check(health_pb2.HealthCheckRequest(service=NAME))).status == NOT_SERVING
            model_server_is_up = True
            await becomes(SERVING)
            model_server_is_up = False
            await becomes(NOT_SERVING)
        await server.stop()


class TestLimits:
    async def test_a_message_above_the_limit_is_refused_and_the_service_lives(self) -> None:
        async with running_tiny(MAX_MESSAGE_BYTES=str(2**20)) as tiny:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await tiny.ask("x" * (2**20 + 1))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            await tiny.ask("hello")

    async def test_metadata_above_the_limit_is_refused_and_the_service_lives(self) -> None:
        async with running_tiny() as tiny:
            await tiny.ask("hello", metadata=(("x-note", "x" * 8 * 2**10),))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await tiny.ask("hello", metadata=(("x-note", "x" * 16 * 2**10),))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            await tiny.ask("hello")

    async def test_more_calls_than_a_connection_may_have_wait_at_the_callers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.common.server._MAX_STREAMS", 2)
        async with running_tiny() as tiny:
            running = [asyncio.create_task(tiny.ask("wait:2")) for _ in range(2)]
            await asyncio.sleep(0.5)
            waiting = asyncio.create_task(tiny.ask("hello"))
            await asyncio.wait([*running, waiting], return_when=asyncio.FIRST_COMPLETED)
            assert not waiting.done() or any(call.done() for call in running)
            await asyncio.gather(*running, waiting)

    async def test_health_answers_while_all_workers_are_busy(self) -> None:
        async with running_tiny(WORKERS="2", QUEUE_SIZE="0") as tiny:
            busy = [asyncio.create_task(tiny.ask("sleep:3")) for _ in range(2)]
            await asyncio.sleep(0.5)
            error = await failure(tiny.ask("sleep:3"))
            assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert error.retry_after_s is not None
            response = await health(tiny.channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
            assert response.status == SERVING
            assert not any(call.done() for call in busy)
            await asyncio.gather(*busy)


class TestStop:
    async def test_a_stopping_service_says_so_and_finishes_what_runs(self) -> None:
        async with running_tiny() as tiny:
            states: list[int] = []
            watching = asyncio.create_task(_watch(tiny, states))
            await eventually(lambda: states == [SERVING])
            call = asyncio.create_task(tiny.ask("sleep:1"))
            await asyncio.sleep(0.5)
            stopping = asyncio.create_task(tiny.server.stop())
            await eventually(lambda: states == [SERVING, NOT_SERVING])
            await call
            await watching
            async with asyncio.timeout(20):
                await stopping

    async def test_the_grace_period_has_an_end(self) -> None:
        async with running_tiny(GRACE_S="0.2") as tiny:
            call = asyncio.create_task(tiny.ask("wait:30"))
            await asyncio.sleep(0.5)
            async with asyncio.timeout(20):
                await tiny.server.stop()
            with pytest.raises(grpc.aio.AioRpcError):
                await call


async def _watch(tiny: Tiny, states: list[int]) -> None:
    async for response in health(tiny.channel).Watch(health_pb2.HealthCheckRequest(service=NAME)):
        if response.status not in states:
            states.append(response.status)


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_during_a_call_lets_it_finish(self, number: signal.Signals) -> None:
        with process() as (running, address), grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(60)
            stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)
            call = stub.SegmentImage.future(SegmentImageRequest(photo=b"sleep:2"), timeout=60)
            time.sleep(1)  # it has reached the service by then
            running.send_signal(number)
            call.result()
            assert running.wait(60) == 0

    def test_a_wrong_setting_is_named(self) -> None:
        done = start_and_end(TINY_WORKERS="many", TINY_LOG_LEVEL="loud")
        assert done.returncode == 2
        assert "TINY_WORKERS: Input should be a valid integer" in done.stderr
        assert "TINY_LOG_LEVEL: " in done.stderr
        assert "(got 'loud')" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_port_in_use_is_named(self) -> None:
        with process() as (_, address):
            done = start_and_end(TINY_LISTEN=address)
        assert done.returncode == 2
        assert f"cannot start: cannot listen on {address}" in done.stderr
        assert "Traceback" not in done.stderr

    def test_settings_that_do_not_fit_together_are_explained(self) -> None:
        done = start_and_end("services.gateway", GATEWAY_LISTEN="0.0.0.0:0", GATEWAY_AUTH="off")
        assert done.returncode == 2
        assert done.stderr.startswith("auth=off is for loopback only")


@contextmanager
def process(**environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The tiny service as a process, and its address."""
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.tiny_service"],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        serving = running.stderr.readline()
        found = re.search(r'"address": "([^"]+)"', serving)
        assert found, serving + running.stderr.read()
        yield running, found[1]
    finally:
        running.terminate()
        running.communicate(timeout=60)


def start_and_end(module: str = "tests.helpers.tiny_service", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
