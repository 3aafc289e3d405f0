"""Composition root of the compositor."""

import grpc

from packshot.v1 import compositor_pb2_grpc
from services.common.executor import BoundedExecutor
from services.common.server import Service
from services.compositor.service import CompositorServicer
from services.compositor.settings import CompositorSettings


def create(settings: CompositorSettings) -> Service:
    """The compositor with its executor."""
    executor = BoundedExecutor(settings.workers, settings.queue_size)
    servicer = CompositorServicer(executor)

    def register(server: grpc.aio.Server) -> None:
        compositor_pb2_grpc.add_CompositorServiceServicer_to_server(servicer, server)

    return Service("compositor", ("packshot.v1.CompositorService",), register, executor.close)
