"""Runs one service: binds, becomes ready, serves, and on SIGTERM finishes what runs before it exits."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pydantic import SecretStr, ValidationError

from services.common.allow_list import AllowedClients
from services.common.interceptors import Calls, Requests
from services.common.queueing import Waits
from services.common.settings import ServerSettings, env_name
from services.common.telemetry.logs import configure_logs
from services.common.telemetry.metrics import serve_metrics
from services.common.telemetry.traces import start_tracing, stop_tracing
from services.common.tls import CertificateFiles, TlsError, server_credentials

log = structlog.get_logger()

S = TypeVar("S", bound=ServerSettings)

_HEALTH_PERIOD_S: Final = 2.0
LIVENESS: Final = "liveness"
"""Health's name for the process: SERVING from the first moment to the last, whatever it waits for."""
_NO_SHARING: Final = ("grpc.so_reuseport", 0)
"""Two processes on one port is a mistake, not load balancing."""
_MAX_STREAMS: Final = 512
"""Calls at the same time on one connection; more wait at the caller's."""
_MAX_METADATA_BYTES: Final = 16 * 2**10
"""Headers of a call; larger ones are refused."""
_HANDSHAKE_MS: Final = 20_000
"""Who has connected must have said so much by then that calls can be made."""


class StartError(Exception):
    """The service cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service's parts, put together by its composition root.

    Args:
        name: What its logs call it, e.g. "segmenter".
        serves: Full names of its proto services, e.g. "packshot.v1.SegmenterService": for health and reflection.
        register: Adds the servicer to a server.
        close: Runs after the last call has finished, e.g. drains NATS.
        stopping: Runs when the stop begins, e.g. tells streams to read no further.
        ready: Runs after the port is bound and before the service says SERVING, e.g. connects to NATS.
        interceptors: What this service adds to the common ones.
        healthy: Asked every few seconds; while the answer is no, the service says NOT_SERVING. For what it cannot
            work without and cannot mend, e.g. a model server.
    """

    name: str
    serves: Sequence[str]
    register: Callable[[grpc.aio.Server], None]
    close: Callable[[], Awaitable[None]]
    ready: Callable[[], Awaitable[None]] | None = None
    interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
    stopping: Callable[[], None] | None = None
    healthy: Callable[[], Awaitable[bool]] | None = None


class _Health(health.aio.HealthServicer):
    """Health whose watchers are let go at the stop: they never end by themselves and would use up all its grace."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802
        letting_go: Any = _WatchContext(self, context)
        with suppress(_LetGoError):
            await super().Watch(request, letting_go)


@dataclass(frozen=True, slots=True)
class _WatchContext:
    """The one method of a context that watching needs."""

    health: _Health
    context: Any

    async def write(self, response: health_pb2.HealthCheckResponse) -> None:
        await self.context.write(response)
        if self.health.stopping:
            raise _LetGoError


class _LetGoError(Exception):
    """The watcher knows that the service stops."""


class Server:
    """A service on its own gRPC server, with health and (by setting) reflection; by setting on TLS.

    Attributes:
        address: Where it listens, once started.
        health_address: Where it answers health alone, once started; empty when nowhere.
        metrics_address: Where it shows its metrics, once started; empty when nowhere.
    """

    def __init__(self, service: Service, settings: ServerSettings) -> None:
        self._service = service
        self._settings = settings
        self._health = _Health()
        self._server = grpc.aio.server(
            interceptors=[
                Calls(),
                Waits(),
                *([AllowedClients(settings.tls_allowed_clients)] if settings.tls_allowed_clients else []),
                *service.interceptors,
                Requests(settings.default_deadline_ms),
            ],
            options=[
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
                ("grpc.max_concurrent_streams", _MAX_STREAMS),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.max_connection_age_ms", round(settings.max_connection_age_s * 1000)),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                _NO_SHARING,
            ],
        )
        self._health_server: grpc.aio.Server | None = None
        self._following: asyncio.Task[None] | None = None
        self._stop_metrics: Callable[[], None] | None = None
        self.address = self.health_address = self.metrics_address = ""

    async def start(self) -> None:
        """Binds, gets ready, says SERVING.

        Raises:
            StartError: An address cannot be bound, a certificate cannot be used, or the service cannot get ready.
        """
        service, settings = self._service, self._settings
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        service.register(self._server)
        if settings.reflection:
            names = (*service.serves, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        if settings.health_listen:
            # Kubelets probe with neither certificate nor TLS.
            server = grpc.aio.server(options=[("grpc.max_receive_message_length", 2**10), _NO_SHARING])
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            self.health_address = _bind(settings.health_listen, server.add_insecure_port)
            await server.start()
            self._health_server = server
        if settings.metrics_listen:
            self.metrics_address, self._stop_metrics = _show_metrics(settings.metrics_listen, service.name)
        credentials = _credentials(settings)
        if credentials is None:
            self.address = _bind(settings.listen, self._server.add_insecure_port)
        else:
            self.address = _bind(settings.listen, partial(self._server.add_secure_port, server_credentials=credentials))
        await self._server.start()
        if service.ready is not None:
            await service.ready()
        if service.healthy is None:
            await self._say(health_pb2.HealthCheckResponse.SERVING)
        else:
            await self._follow(service.healthy)
            self._following = asyncio.create_task(self._keep_following(service.healthy))
        log.info("serving", address=self.address, tls=credentials is not None)

    async def stop(self) -> None:
        """Says NOT_SERVING, refuses new calls, waits for running ones within the grace period, cleans up."""
        self._health.stopping = True
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        log.info("stopping", grace_s=self._settings.grace_s)
        if self._service.stopping is not None:
            self._service.stopping()
        await self._server.stop(self._settings.grace_s)
        await self._service.close()
        if self._health_server is not None:
            await self._health_server.stop(None)
        if self._stop_metrics is not None:
            await asyncio.to_thread(self._stop_metrics)
        log.info("stopped")

    async def _keep_following(self, healthy: Callable[[], Awaitable[bool]]) -> None:
        while True:
            await asyncio.sleep(_HEALTH_PERIOD_S)
            await self._follow(healthy)

    async def _follow(self, healthy: Callable[[], Awaitable[bool]]) -> None:
        """Says what the service's own health is."""
        status = health_pb2.HealthCheckResponse
        await self._say(status.SERVING if await healthy() else status.NOT_SERVING)

    async def _say(self, status: int) -> None:
        for name in ("", *self._service.serves):
            await self._health.set(name, status)


def run(create: Callable[[S], Service], settings_type: type[S], **given: Any) -> int:
    """Runs a service as this process until SIGTERM or SIGINT.

    Args:
        create: The service's composition root.
        settings_type: Read from the environment.
        given: Settings of the command line, before those of the environment.

    Returns:
        Exit code: 0 after a clean stop, 2 when the service could not start.
    """
    try:
        settings = settings_type(**given)
    except ValidationError as error:
        prefix = settings_type.model_config.get("env_prefix", "")
        for problem in error.errors():
            text = problem["msg"].removeprefix("Value error, ")
            if problem["loc"]:
                setting = str(problem["loc"][0])
                text = f"{prefix}{setting.upper()}: {text}"
                field = settings_type.model_fields.get(setting)
                if field is None or field.annotation is not SecretStr:
                    text += f" (got {problem['input']!r})"
            print(text, file=sys.stderr)  # noqa: T201
        return 2
    except ValueError as error:  # a value that cannot even be read, or no folder of secrets
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    try:
        return asyncio.run(_serve(create, settings))
    except StartError as error:
        print(f"cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 2


async def _serve(create: Callable[[S], Service], settings: S) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = create(settings)
    configure_logs(service.name, settings)
    start_tracing(service.name)
    server = Server(service, settings)
    try:
        await server.start()
        await stopping.wait()
    finally:
        await server.stop()
        await asyncio.to_thread(stop_tracing)
    return 0


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    if settings.tls_cert_file is None:
        return None
    files = CertificateFiles(settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file)
    try:
        return server_credentials(files, ask_clients=settings.tls_client_ca_file is not None)
    except TlsError as error:
        raise StartError(f"{env_name(type(settings), 'tls_*_file')}: {error}") from error


def _show_metrics(listen: str, service: str) -> tuple[str, Callable[[], None]]:
    try:
        return serve_metrics(listen, service)
    except OSError as error:
        raise StartError(f"cannot show metrics on {listen}: {error.strerror}") from error


def _bind(listen: str, add_port: Callable[[str], int]) -> str:
    """The address with the port that was taken. Raises StartError when there is none."""
    try:
        port = add_port(listen)
    except RuntimeError as error:
        raise StartError(f"cannot listen on {listen}: is something else running there?") from error
    return listen if listen.startswith("unix:") else f"{listen.rsplit(':', 1)[0]}:{port}"
