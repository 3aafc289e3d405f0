"""A service for tests of what all services share: a segmenter that does as its photo says.

    TINY_LISTEN=127.0.0.1:0 python -m tests.helpers.tiny_service

The photo is a word: `sleep:SECONDS` works in the executor that long, `wait:SECONDS` waits on the event loop, `bug`
raises, `refuse` is an error with all details; any other is answered at once.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from pydantic_settings import SettingsConfigDict

from packshot.v1 import segmenter_pb2_grpc
from packshot.v1.segmenter_pb2 import SegmentImageRequest, SegmentImageResponse
from services.common.errors import FieldViolation, ServiceError
from services.common.executor import BoundedExecutor
from services.common.interceptors import request_id
from services.common.server import Server, Service, run
from services.common.settings import ServerSettings

REFUSAL = ServiceError(
    grpc.StatusCode.INVALID_ARGUMENT,
    "PHOTO_TRUNCATED",
    "photo: the file ends early",
    (FieldViolation("photo", "the file ends early"),),
    {"limit": "1"},
    retry_after_s=2.5,
)


class TinySettings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="TINY_")

    listen: str = "127.0.0.1:0"


class TinyServicer(segmenter_pb2_grpc.SegmenterServiceServicer):
    def __init__(self, executor: BoundedExecutor) -> None:
        self._executor = executor

    async def SegmentImage(  # noqa: N802
        self, request: SegmentImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> SegmentImageResponse:
        word, _, seconds = request.photo.decode().partition(":")
        if word == "sleep":
            await self._executor.run(time.sleep, float(seconds))
        elif word == "wait":
            await asyncio.sleep(float(seconds))
        elif word == "bug":
            raise KeyError("a secret from deep inside")
        elif word == "refuse":
            raise REFUSAL
        return SegmentImageResponse(matte_png=request_id().encode())


def create(settings: TinySettings) -> Service:
    executor = BoundedExecutor(settings.workers, settings.queue_size)

    def register(server: grpc.aio.Server) -> None:
        segmenter_pb2_grpc.add_SegmenterServiceServicer_to_server(
            TinyServicer(executor),  # type: ignore[abstract]  # one method is enough
            server,
        )

    return Service("segmenter", ("packshot.v1.SegmenterService",), register, close=executor.close)


class Tiny:
    """The service running in this process."""

    def __init__(self, server: Server, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.channel = channel
        self.stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)

    def call(self, word: str, **options: Any) -> grpc.aio.UnaryUnaryCall[SegmentImageRequest, SegmentImageResponse]:
        return self.stub.SegmentImage(SegmentImageRequest(photo=word.encode()), **options)

    async def ask(self, word: str, **options: Any) -> SegmentImageResponse:
        return await self.call(word, **options)


@asynccontextmanager
async def running_tiny(**environment: str) -> AsyncIterator[Tiny]:
    """Keyword arguments are environment variables without TINY_, e.g. `WORKERS="1"`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(f"TINY_{name}", value)
        settings = TinySettings()
    server = Server(create(settings), settings)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield Tiny(server, channel)
    finally:
        await server.stop()


if __name__ == "__main__":
    sys.exit(run(create, TinySettings))
