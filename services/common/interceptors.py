"""What every call goes through before and after its method, on every service.

Order, outermost first: `Calls` (request id, log line, errors to status), whatever the service adds (the
gateway's authentication), `Requests` (deadline, constraints of the protos).
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status
from opentelemetry.trace import Span, SpanKind, StatusCode

from services.common import validation
from services.common.errors import ServiceError, deadline_exceeded, internal
from services.common.telemetry.metrics import RPC_DURATION, RPC_IN_FLIGHT, RPC_REQUESTS
from services.common.telemetry.traces import TRACEPARENT, incoming, tracer

REQUEST_ID_KEY: Final = "x-request-id"
_OURS: Final = "/packshot."
_HEALTH: Final = "/grpc.health.v1.Health/"
_OUR_FAULT: Final = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""What makes a server's span an error; the rest is the caller's (OpenTelemetry's conventions for gRPC)."""
_NO_RETRY: Final = ("grpc-retry-pushback-ms", "-1")

Unary = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]
Stream = Callable[[AsyncIterator[Message], grpc.aio.ServicerContext[Any, Any]], AsyncGenerator[Message, None]]
Download = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], AsyncGenerator[Message, None]]
Upload = Callable[[AsyncIterator[Message], grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]

log = structlog.get_logger()


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps our methods; lets others, health and reflection, through untouched, unless it `covers` them.

    A subclass says what happens around `unary` calls and around `stream`s; a stream in one direction only
    (`download`, `upload`) is wrapped as a stream whose other side has one message.
    """

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not self.covers(method):
            return handler
        coders = (handler.request_deserializer, handler.response_serializer)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self.unary(method, cast(Unary, handler.unary_unary)), *coders)
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                self.stream(method, cast(Stream, handler.stream_stream)), *coders
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self.download(method, cast(Download, handler.unary_stream)), *coders
            )
        return grpc.stream_unary_rpc_method_handler(self.upload(method, cast(Upload, handler.stream_unary)), *coders)

    def covers(self, method: str) -> bool:
        """Whether calls of the method, "/package.Service/Method", are wrapped."""
        return method.startswith(_OURS)

    def unary(self, method: str, call: Unary) -> Unary:
        raise NotImplementedError

    def stream(self, method: str, call: Stream) -> Stream:
        raise NotImplementedError

    def download(self, method: str, call: Download) -> Download:
        async def answers(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            async for request in requests:
                async with aclosing(call(request, context)) as responses:
                    async for response in responses:
                        yield response

        around = self.stream(method, answers)

        async def wrapped(
            request: Message, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            async with aclosing(around(_only(request), context)) as responses:
                async for response in responses:
                    yield response

        return wrapped

    def upload(self, method: str, call: Upload) -> Upload:
        async def answers(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            yield await call(requests, context)

        around = self.stream(method, answers)

        async def wrapped(requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            async with aclosing(around(requests, context)) as responses:
                # To the end: what wraps the call does its last things there.
                (response,) = [response async for response in responses]
            return response

        return wrapped


class Calls(Interceptor):
    """Names the request, tells log, trace and metrics how it ended, and turns every exception into a status."""

    def covers(self, method: str) -> bool:
        return not is_health(method)

    def unary(self, method: str, call: Unary) -> Unary:
        async def named(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            async with _answering(method, context, getattr(request, "job_id", "")):
                return await call(request, context)

        return named

    def stream(self, method: str, call: Stream) -> Stream:
        async def named(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            async with _answering(method, context), aclosing(call(_readable(requests), context)) as responses:
                async for response in responses:
                    yield response

        return named


class Requests(Interceptor):
    """Gives calls without a deadline the service's default and checks single requests against the protos.

    The items of a stream are checked one by one by the method itself: one bad item must not end the stream,
    and a stream lives as long as its caller feeds or reads it.
    """

    def __init__(self, default_deadline_ms: int) -> None:
        self._default_s = default_deadline_ms / 1000

    def unary(self, method: str, call: Unary) -> Unary:
        async def checked(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            validation.check(request)
            left_s = remaining_s(context)
            timeout_s = self._default_s if left_s is None else left_s
            try:
                async with asyncio.timeout(timeout_s) as timer:
                    return await call(request, context)
            except TimeoutError:
                if not timer.expired():
                    raise
                raise deadline_exceeded(timeout_s) from None

        return checked

    def stream(self, method: str, call: Stream) -> Stream:
        return call

    def download(self, method: str, call: Download) -> Download:
        async def checked(
            request: Message, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            validation.check(request)
            async with aclosing(call(request, context)) as responses:
                async for response in responses:
                    yield response

        return checked

    def upload(self, method: str, call: Upload) -> Upload:
        return call


async def _readable(requests: AsyncIterator[Message]) -> AsyncGenerator[Message, None]:
    """Says to the sender that bytes are no message."""
    try:
        async for request in requests:
            yield request
    except DecodeError:
        raise ServiceError(
            grpc.StatusCode.INVALID_ARGUMENT,
            "REQUEST_UNREADABLE",
            "the request's bytes are no message of this API: does the caller use its protos?",
        ) from None


def is_health(method: str) -> bool:
    """Whether "/package.Service/Method" is one of gRPC's health service, which answers everybody."""
    return method.startswith(_HEALTH)


def request_id() -> str:
    """The id of the request being served."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def remaining_s(context: grpc.aio.ServicerContext[Any, Any]) -> float | None:
    """Seconds until the caller's deadline; None when the caller has set none."""
    return cast("float | None", context.time_remaining())


def metadata_value(context: grpc.aio.ServicerContext[Any, Any], key: str) -> str:
    """The first value of a metadata key; empty when it is missing."""
    for name, value in context.invocation_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode("latin-1")
    return ""


async def _only(request: Message) -> AsyncGenerator[Message, None]:
    yield request


@asynccontextmanager
async def _answering(
    method: str, context: grpc.aio.ServicerContext[Any, Any], job_id: str = ""
) -> AsyncGenerator[None, None]:
    """Around a call: its ids for every line of the log, and how it ended for log, trace, metrics and caller."""
    name = method.removeprefix("/")
    ids = {"method": name, "request_id": metadata_value(context, REQUEST_ID_KEY)[:128] or uuid.uuid4().hex}
    if job_id:
        ids["job_id"] = job_id
    caller = incoming({TRACEPARENT: metadata_value(context, TRACEPARENT)})
    started = time.perf_counter()
    RPC_IN_FLIGHT.labels(name).inc()
    with (
        structlog.contextvars.bound_contextvars(**ids),
        tracer.start_as_current_span(
            name, caller, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span,
    ):
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            _ended(span, name, started, "CANCELLED")
            raise
        except grpc.aio.AbortError:
            raise
        except Exception as exception:
            if isinstance(exception, ServiceError):
                error = exception
                _ended(span, name, started, error.code.name, error)
            else:
                error = internal(request_id())
                _ended(span, name, started, "INTERNAL", error, exception)
            await _abort(context, error)
            raise
        else:
            _ended(span, name, started, "OK")
        finally:
            RPC_IN_FLIGHT.labels(name).dec()


def _ended(
    span: Span,
    name: str,
    started: float,
    code: str,
    error: ServiceError | None = None,
    bug: Exception | None = None,
) -> None:
    """Notes how a call ended. A bug stands in the log only, with all there is to know about it."""
    duration_s = time.perf_counter() - started
    reason = error.reason if error is not None else ""
    RPC_REQUESTS.labels(name, code, reason).inc()
    RPC_DURATION.labels(name).observe(duration_s)
    span.set_attribute("rpc.response.status_code", code)
    span.set_attribute("packshot.request_id", request_id())
    if error is not None:
        span.set_attribute("error.type", reason)
        if code in _OUR_FAULT:
            span.set_status(StatusCode.ERROR, reason)
    duration_ms = round(duration_s * 1000, 1)
    if bug is not None:
        log.error("call", code=code, duration_ms=duration_ms, exc_info=bug)
    elif error is not None:
        log.info("call", code=code, reason=reason, error=error.message, duration_ms=duration_ms)
    else:
        log.info("call", code=code, duration_ms=duration_ms)


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: ServiceError) -> None:
    if error.code is grpc.StatusCode.UNAVAILABLE:
        # Tried several times already: the caller's transport must not multiply that by its own retries.
        status = rpc_status.to_status(error.to_status())
        await context.abort(status.code, status.details, (*status.trailing_metadata, _NO_RETRY))
    await context.abort_with_status(rpc_status.to_status(error.to_status()))
