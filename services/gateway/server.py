"""Composition root of the gateway."""

import os
import secrets
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import grpc
from nats.errors import Error as NatsError

from packshot.v1 import jobs_pb2_grpc, packshot_pb2_grpc, reviews_pb2_grpc, status_pb2_grpc
from services.common.bus import Bus
from services.common.server import Service, StartError
from services.common.tls import CertificateFiles, TlsError
from services.common.topology import DEAD_LETTERS, IMAGE_EVENTS, JOB_WORK
from services.gateway.auth import NO_TENANT, SCOPE_OF_SERVICE, Authentication
from services.gateway.background import Background
from services.gateway.jobs.catalogue_reader import CatalogueReader
from services.gateway.jobs.service import JobServicer
from services.gateway.jobs.store import JobStore
from services.gateway.jobs.watch import Watches
from services.gateway.keys import ApiKeys
from services.gateway.limits import TenantLimits
from services.gateway.objects import Objects, ObjectStoreError
from services.gateway.pipeline import Pipeline
from services.gateway.reviews.service import ReviewServicer
from services.gateway.service import PackshotServicer
from services.gateway.settings import GatewaySettings
from services.gateway.sources.fetcher import Fetcher
from services.gateway.sources.transport import pinned_transport
from services.gateway.stages import Stages
from services.gateway.state import tenants
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from services.gateway.status.backlog import keep_reading
from services.gateway.status.service import StatusServicer
from services.gateway.webhooks.delivery import WebhookDeliverer
from services.gateway.worker.dispatcher import Dispatcher
from services.gateway.worker.item import Maker
from services.gateway.worker.nudges import Nudges
from services.gateway.worker.queue import WorkQueue
from services.gateway.worker.retention import Retention
from services.gateway.worker.worker import Worker

if TYPE_CHECKING:
    from services.gateway.tokens import Tokens


def create(settings: GatewaySettings) -> Service:
    """The gateway in its role, with what it needs for that.

    Raises:
        StartError: The database's or the objects' URL, or a certificate, cannot be used.
    """
    database = Database(settings.database_url.get_secret_value()) if settings.database_url else None
    bus = _bus(settings) if settings.nats_url else None
    background = Background(away=_is_away)
    jobs = None
    if settings.has_jobs and database is not None and bus is not None:
        jobs = _Jobs(settings, database, bus, background)
    stages = _stages(settings, retries=True)
    limits = TenantLimits(database) if database is not None else None
    store = jobs.store if jobs is not None else None
    photo_servicer = PackshotServicer(settings, Pipeline(stages, bus, settings.default_marketplace), stages, limits)
    job_servicer = JobServicer(settings, stages, store, limits)
    review_servicer = ReviewServicer(settings, stages, store)
    status_servicer = StatusServicer(stages, bus, database, jobs.queue if jobs is not None else None)
    keys = ApiKeys(database) if settings.auth in ("api-key", "both") and database is not None else None
    tokens = _tokens(settings, database) if settings.auth in ("jwt", "both") else None

    def register(server: grpc.aio.Server) -> None:
        if settings.answers_callers:
            packshot_pb2_grpc.add_PackshotServiceServicer_to_server(photo_servicer, server)
            jobs_pb2_grpc.add_JobServiceServicer_to_server(job_servicer, server)
            reviews_pb2_grpc.add_ReviewServiceServicer_to_server(review_servicer, server)
            status_pb2_grpc.add_StatusServiceServicer_to_server(status_servicer, server)

    async def ready() -> None:
        if database is not None:
            await database.check()
            await database.write(lambda session: tenants.ensure(session, NO_TENANT, datetime.now(UTC)))
        if bus is not None:
            await bus.connect()
        if jobs is not None:
            await jobs.start()

    def stopping() -> None:
        photo_servicer.stop_reading()
        job_servicer.stop_reading()
        if jobs is not None:
            jobs.stop()

    async def close() -> None:
        if jobs is not None:
            await jobs.close()
        await stages.close()
        if bus is not None:
            await bus.close()
        if keys is not None:
            await keys.close()
        if tokens is not None:
            await tokens.close()
        if database is not None:
            await database.close()

    async def healthy() -> bool:
        return background.healthy()

    return Service(
        "gateway",
        tuple(SCOPE_OF_SERVICE) if settings.answers_callers else (),
        register,
        close,
        ready,
        interceptors=(Authentication(keys, tokens),) if settings.auth != "off" else (),
        stopping=stopping,
        healthy=healthy,
    )


class _Jobs:
    """What jobs need beside their servicers, and what runs in the background for them."""

    def __init__(self, settings: GatewaySettings, database: Database, bus: Bus, background: Background) -> None:
        name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._settings = settings
        self._database = database
        self._background = background
        self._objects = Objects(settings.objects_url)
        self._nudges = Nudges(bus)
        watches = Watches(database)
        self._nudges.listen(watches.wake)
        self.store = JobStore(database, self._objects, watches, self._nudges.tell, settings.file_url_lifetime_s)
        self._fetcher = Fetcher(settings.sources)
        self._stages = _stages(settings, retries=False)
        self.queue = queue = WorkQueue(bus)
        self._dispatcher = Dispatcher(database, queue, name, settings.dispatch_window)
        self._nudges.listen(self._dispatcher.wake)
        maker = Maker(
            database,
            self._objects,
            self._fetcher,
            self._stages,
            Pipeline(self._stages, bus, settings.default_marketplace),
            TenantLimits(database),
            default_marketplace=settings.default_marketplace,
            timeout_s=settings.default_deadline_ms / 1000,
        )
        self._worker = Worker(
            database,
            queue,
            maker,
            bus,
            self._nudges.tell,
            name=name,
            concurrency=settings.worker_concurrency,
            attempts=settings.item_attempts,
            first_retry_s=settings.item_retry_ms / 1000,
            lease_s=settings.ack_wait_ms / 1000,
        )
        self._catalogue_reader = CatalogueReader(self.store, self._fetcher, name)
        self._webhooks = WebhookDeliverer(
            database,
            pinned_transport(settings.sources),
            concurrency=settings.webhook_concurrency,
            retry_for_s=settings.webhook_retry_hours * 3600,
        )
        self._retention = Retention(database, self._objects, name, settings.retention_days)

    async def start(self) -> None:
        """Checks the store, and starts what runs in the background in this role. Raises StartError."""
        await self._objects.check()
        await self._nudges.start()
        if self._settings.works:
            self._background.start("worker", self._worker.run)
            self._background.start("dispatcher", self._dispatcher.run)
            self._background.start("catalogue reader", self._catalogue_reader.run)
            self._background.start("webhooks", self._webhooks.run)
            self._background.start("retention", self._retention.run)
            if self._settings.metrics_listen:
                self._background.start("backlog", lambda: keep_reading(self._database, self.queue))

    def stop(self) -> None:
        """Takes no more items."""
        self._worker.stop()

    async def close(self) -> None:
        """Finishes or gives back what is in work."""
        await self.store.watches.close()
        await self._worker.finish(self._settings.grace_s)
        await self._background.stop()
        await self.queue.close()
        await self._webhooks.close()
        await self._fetcher.close()
        await self._stages.close()


def _bus(settings: GatewaySettings) -> Bus:
    streams = (IMAGE_EVENTS, JOB_WORK, DEAD_LETTERS) if settings.has_jobs else (IMAGE_EVENTS,)
    return Bus(settings.nats_url.get_secret_value(), *streams, ca_file=settings.nats_tls_ca_file)


def _stages(settings: GatewaySettings, *, retries: bool) -> Stages:
    files = CertificateFiles(settings.stage_tls_cert_file, settings.stage_tls_key_file, settings.stage_tls_ca_file)
    try:
        return Stages(
            segmenter=settings.segmenter_address,
            compositor=settings.compositor_address,
            validator=settings.validator_address,
            away_s=settings.stage_away_s,
            retries=retries,
            tls=files if files.authorities is not None else None,
        )
    except TlsError as error:
        raise StartError(f"GATEWAY_STAGE_TLS_*_FILE: {error}") from error


def _tokens(settings: GatewaySettings, database: Database | None) -> "Tokens":
    # Ten megabytes of cryptography only for those who use it.
    from services.gateway.jwks import Jwks
    from services.gateway.tokens import Expected, Tokens

    expected = Expected(
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_tenant_claim,
        settings.jwt_scope_claim,
        settings.jwt_leeway_s,
    )
    return Tokens(Jwks(settings.jwt_jwks), expected, database)


def _is_away(error: BaseException) -> bool:
    """Something the gateway needs does not answer, and may again."""
    return isinstance(error, NatsError | UnavailableError | ObjectStoreError | OSError | TimeoutError)
