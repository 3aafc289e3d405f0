"""What every call goes through before and after its method, on every service.

Order, outermost first: `Calls` (request id, log line, errors to status), whatever the service adds (the
gateway's authentication), `Requests` (deadline, constraints of the protos).
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, cast

import grpc
import structlog
from google.protobuf.message import Message
from grpc_status import rpc_status

from services.common import validation
from services.common.errors import ServiceError, deadline_exceeded, internal

REQUEST_ID_KEY: Final = "x-request-id"
_OURS: Final = "/packshot."
_NO_RETRY: Final = ("grpc-retry-pushback-ms", "-1")

Unary = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]
Stream = Callable[[AsyncIterator[Message], grpc.aio.ServicerContext[Any, Any]], AsyncGenerator[Message, None]]
Download = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], AsyncGenerator[Message, None]]
Upload = Callable[[AsyncIterator[Message], grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]

log = structlog.get_logger()


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps our methods; lets health and reflection through untouched.

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
        if handler is None or not method.startswith(_OURS):
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
    """Names the request, logs its outcome and turns every exception into a status with details."""

    def unary(self, method: str, call: Unary) -> Unary:
        async def named(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            with _bound(method, context):
                started = time.perf_counter()
                try:
                    response = await call(request, context)
                except asyncio.CancelledError:
                    log.info("call", code="CANCELLED", duration_ms=_ms_since(started))
                    raise
                except Exception as exception:
                    await _abort(context, exception, started)
                    raise
                log.info("call", code="OK", duration_ms=_ms_since(started))
                return response

        return named

    def stream(self, method: str, call: Stream) -> Stream:
        async def named(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            with _bound(method, context):
                started = time.perf_counter()
                try:
                    async with aclosing(call(requests, context)) as responses:
                        async for response in responses:
                            yield response
                except (asyncio.CancelledError, GeneratorExit):
                    log.info("call", code="CANCELLED", duration_ms=_ms_since(started))
                    raise
                except Exception as exception:
                    await _abort(context, exception, started)
                    raise
                log.info("call", code="OK", duration_ms=_ms_since(started))

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


def _bound(method: str, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
    known = metadata_value(context, REQUEST_ID_KEY)[:128]
    return structlog.contextvars.bound_contextvars(
        method=method.removeprefix("/"), request_id=known or uuid.uuid4().hex
    )


async def _abort(context: grpc.aio.ServicerContext[Any, Any], exception: Exception, started: float) -> None:
    if isinstance(exception, grpc.aio.AbortError):
        return
    if isinstance(exception, ServiceError):
        error = exception
        log.info(
            "call",
            code=error.code.name,
            reason=error.reason,
            error=error.message,
            duration_ms=_ms_since(started),
        )
    else:
        error = internal(request_id())
        log.error("call", code="INTERNAL", duration_ms=_ms_since(started), exc_info=exception)
    if error.code is grpc.StatusCode.UNAVAILABLE:
        # Tried several times already: the caller's transport must not multiply that by its own retries.
        status = rpc_status.to_status(error.to_status())
        await context.abort(status.code, status.details, (*status.trailing_metadata, _NO_RETRY))
    await context.abort_with_status(rpc_status.to_status(error.to_status()))


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
