"""Composition root of the gateway."""

import grpc

from packshot.v1 import packshot_pb2_grpc
from services.common.bus import Bus
from services.common.server import Service, StartError
from services.common.topology import IMAGE_EVENTS
from services.gateway.auth import Authentication
from services.gateway.keys import ApiKeys, KeysError
from services.gateway.pipeline import Pipeline
from services.gateway.service import PackshotServicer
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages


def create(settings: GatewaySettings) -> Service:
    """The gateway with its stages, keys and bus.

    Raises:
        StartError: The keys file cannot be used.
    """
    authentication = _authentication(settings)
    stages = Stages(
        segmenter=settings.segmenter_address,
        compositor=settings.compositor_address,
        validator=settings.validator_address,
    )
    bus = Bus(settings.nats_url, IMAGE_EVENTS) if settings.nats_url else None
    servicer = PackshotServicer(settings, Pipeline(stages, bus, settings.default_marketplace), stages)

    def register(server: grpc.aio.Server) -> None:
        packshot_pb2_grpc.add_PackshotServiceServicer_to_server(servicer, server)

    async def ready() -> None:
        if bus is not None:
            await bus.connect()

    async def close() -> None:
        await stages.close()
        if bus is not None:
            await bus.close()

    return Service("packshot.v1.PackshotService", register, close, ready, authentication, servicer.stop_reading)


def _authentication(settings: GatewaySettings) -> tuple[Authentication, ...]:
    if settings.auth == "off" or settings.api_keys_file is None:
        return ()
    try:
        return (Authentication(ApiKeys.load(settings.api_keys_file)),)
    except KeysError as error:
        raise StartError(str(error)) from error
