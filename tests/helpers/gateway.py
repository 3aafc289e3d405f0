"""The real gateway on a unix socket, with settings from the environment, in front of scripted stages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from grpc_status import rpc_status

from packshot.v1 import packshot_pb2_grpc
from services.common.errors import ServiceError, from_status
from services.common.server import Server
from services.gateway.server import create
from services.gateway.settings import GatewaySettings
from tests.helpers.stages import Stages


class Gateway:
    """A running gateway: its client's stub, its channel for other services, and its server to stop."""

    def __init__(self, server: Server, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.channel = channel
        self.stub = packshot_pb2_grpc.PackshotServiceStub(channel)


@contextlib.asynccontextmanager
async def running_gateway(stages: Stages, **environment: str) -> AsyncIterator[Gateway]:
    """Keyword arguments are environment variables without GATEWAY_, e.g. `MAX_STREAM_ITEMS="2"`."""
    variables = {
        "LISTEN": stages.address("gateway"),
        "SEGMENTER_ADDRESS": stages.address("segmenter"),
        "COMPOSITOR_ADDRESS": stages.address("compositor"),
        "VALIDATOR_ADDRESS": stages.address("validator"),
        "AUTH": "off",
        "GRACE_S": "5",
    } | environment
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"GATEWAY_{name}", value)
        settings = GatewaySettings()
    server = Server(create(settings), settings)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield Gateway(server, channel)
    finally:
        await server.stop()


async def failure(call: Awaitable[Any]) -> ServiceError:
    """The typed error a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status: status_pb2.Status | None = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    assert status is not None, f"an error without details: {caught.value}"
    return from_status(status)


async def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Waits for what happens elsewhere."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - the condition is another party's
            await asyncio.sleep(0.01)
