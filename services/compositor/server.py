"""Composition root of the compositor."""

import asyncio

import grpc

from packshot.v1 import compositor_pb2_grpc
from services.common.decoder.isolated import create_decoder
from services.common.executor import BoundedExecutor
from services.common.server import Service
from services.compositor.service import CompositorServicer
from services.compositor.settings import CompositorSettings


def create(settings: CompositorSettings) -> Service:
    """The compositor with its executor and decoder."""
    executor = BoundedExecutor(settings.workers, settings.queue_size)
    decoder = create_decoder(settings)
    servicer = CompositorServicer(executor, decoder.decode)

    def register(server: grpc.aio.Server) -> None:
        compositor_pb2_grpc.add_CompositorServiceServicer_to_server(servicer, server)

    async def ready() -> None:
        await asyncio.to_thread(decoder.start)

    async def close() -> None:
        await executor.close()
        await asyncio.to_thread(decoder.close)

    return Service("compositor", ("packshot.v1.CompositorService",), register, close, ready)
