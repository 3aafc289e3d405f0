"""Composition root of the gateway."""

from datetime import UTC, datetime

import grpc

from packshot.v1 import packshot_pb2_grpc
from services.common.bus import Bus
from services.common.server import Service
from services.common.topology import IMAGE_EVENTS
from services.gateway.auth import NO_TENANT, Authentication
from services.gateway.keys import ApiKeys
from services.gateway.limits import TenantLimits
from services.gateway.pipeline import Pipeline
from services.gateway.service import PackshotServicer
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages
from services.gateway.state import tenants
from services.gateway.state.database import Database


def create(settings: GatewaySettings) -> Service:
    """The gateway with its stages, database and bus."""
    database = Database(settings.database_url) if settings.database_url else None
    stages = Stages(
        segmenter=settings.segmenter_address,
        compositor=settings.compositor_address,
        validator=settings.validator_address,
    )
    bus = Bus(settings.nats_url, IMAGE_EVENTS) if settings.nats_url else None
    limits = TenantLimits(database) if database is not None else None
    servicer = PackshotServicer(settings, Pipeline(stages, bus, settings.default_marketplace), stages, limits)
    authentication = (Authentication(ApiKeys(database)),) if settings.auth == "api-key" and database is not None else ()

    def register(server: grpc.aio.Server) -> None:
        packshot_pb2_grpc.add_PackshotServiceServicer_to_server(servicer, server)

    async def ready() -> None:
        if database is not None:
            await database.check()
            await database.write(lambda session: tenants.ensure(session, NO_TENANT, datetime.now(UTC)))
        if bus is not None:
            await bus.connect()

    async def close() -> None:
        await stages.close()
        if bus is not None:
            await bus.close()
        if database is not None:
            await database.close()

    return Service("packshot.v1.PackshotService", register, close, ready, authentication, servicer.stop_reading)
