"""Authentication: every call carries an API key or a token, and belongs to its tenant."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import Message

from services.common.errors import ServiceError
from services.common.interceptors import Download, Interceptor, Stream, Unary, Upload, metadata_value
from services.gateway.caller import Caller
from services.gateway.keys import ApiKeys

if TYPE_CHECKING:
    from services.gateway.tokens import Tokens

T = TypeVar("T")

API_KEY: Final = "x-api-key"
AUTHORIZATION: Final = "authorization"
NO_TENANT: Final = "default"
"""The tenant of calls to a gateway without authentication."""
NO_KEY: Final = ""
"""The key id of such calls."""
SCOPE_OF_SERVICE: Final = {
    "packshot.v1.PackshotService": "photos",
    "packshot.v1.JobService": "jobs",
    "packshot.v1.ReviewService": "reviews",
    "packshot.v1.StatusService": "status",
}

_Find = Callable[[], Awaitable[Caller]]
"""Whose proof it is; raises ServiceError when it is nobody's, or nobody's any more."""

_FOLLOW_S: Final = 0.5
"""How often the key or token of a stream is looked at."""

_tenant: ContextVar[str] = ContextVar("tenant", default=NO_TENANT)
_key_id: ContextVar[str] = ContextVar("key_id", default=NO_KEY)


def current_tenant() -> str:
    """The tenant of the call being served."""
    return _tenant.get()


def current_key_id() -> str:
    """The id of what the call being served came with: an API key, or a token's subject."""
    return _key_id.get()


class Authentication(Interceptor):
    """Refuses calls without a known key or token as UNAUTHENTICATED, without the service's scope as PERMISSION_DENIED.

    A stream whose key is revoked or whose token expires ends as UNAUTHENTICATED, too.

    Args:
        keys: API keys; None when they open nothing.
        tokens: The same of tokens.
    """

    def __init__(self, keys: ApiKeys | None, tokens: "Tokens | None") -> None:
        self._keys = keys
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Makes single requests streams of one: gRPC reads those only when asked, so that no stranger's 64 MiB are."""
        handler = await continuation(handler_call_details)
        if handler is not None and self.covers(handler_call_details.method):
            coders = (handler.request_deserializer, handler.response_serializer)
            if handler.unary_unary is not None:
                call = self._unary(handler_call_details.method, cast(Unary, handler.unary_unary))
                return grpc.stream_unary_rpc_method_handler(call, *coders)
            if handler.unary_stream is not None:
                handler = grpc.stream_stream_rpc_method_handler(_of_one(cast(Download, handler.unary_stream)), *coders)

        async def found(_: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
            return handler

        return await super().intercept_service(found, handler_call_details)

    def _unary(self, method: str, call: Unary) -> Upload:
        async def authenticated(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> Message:
            await self._enter(method, context)
            return await call(await _only(requests), context)

        return authenticated

    def stream(self, method: str, call: Stream) -> Stream:
        async def authenticated(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            find = await self._enter(method, context)
            revoked = asyncio.create_task(_until_revoked(find))
            try:
                async with aclosing(call(requests, context)) as responses:
                    while (response := await _unless(revoked, anext(responses, None))) is not None:
                        yield response
            finally:
                revoked.cancel()

        return authenticated

    async def _enter(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> _Find:
        """Lets the call in; returns how to see whether it still may."""
        find = self._proof(context)
        caller = await find()
        scope = SCOPE_OF_SERVICE[method.split("/")[1]]
        if scope not in caller.scopes:
            raise ServiceError(
                grpc.StatusCode.PERMISSION_DENIED,
                "SCOPE_MISSING",
                f"this API key or token lacks the scope {scope}",
                metadata={"scope": scope},
            )
        _tenant.set(caller.tenant)
        _key_id.set(caller.id)
        structlog.contextvars.bind_contextvars(tenant=caller.tenant, key_id=caller.id)
        return find

    def _proof(self, context: grpc.aio.ServicerContext[Any, Any]) -> _Find:
        """What the call shows. Raises ServiceError when that is nothing, or two things."""
        keys, tokens = self._keys, self._tokens
        key = metadata_value(context, API_KEY) if keys is not None else ""
        scheme, _, token = (metadata_value(context, AUTHORIZATION) if tokens is not None else "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        if key and token:
            raise ServiceError(
                grpc.StatusCode.UNAUTHENTICATED,
                "CREDENTIALS_AMBIGUOUS",
                f"send either {API_KEY} or {AUTHORIZATION}, not both: they may belong to different tenants",
            )
        if keys is not None and key:
            return partial(_by_key, keys, key)
        if tokens is not None and token:
            return partial(tokens.find, token)
        ways = [f"your API key as metadata {API_KEY}"] if keys is not None else []
        ways += [f"a token as metadata {AUTHORIZATION}: Bearer …"] if tokens is not None else []
        raise ServiceError(
            grpc.StatusCode.UNAUTHENTICATED,
            "API_KEY_MISSING" if keys is not None else "TOKEN_MISSING",
            f"send {' or '.join(ways)}",
        )


async def _only(requests: AsyncIterator[Message]) -> Message:
    async for request in requests:
        return request
    raise ServiceError(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MISSING", "the call came without a request")


def _of_one(call: Download) -> Stream:
    async def streamed(
        requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncGenerator[Message, None]:
        async with aclosing(call(await _only(requests), context)) as responses:
            async for response in responses:
                yield response

    return streamed


async def _by_key(keys: ApiKeys, key: str) -> Caller:
    known = await keys.find(key)
    if known is None:
        raise ServiceError(
            grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID", "this API key is not known here; was it revoked?"
        )
    return Caller(known.id, known.tenant, known.scopes)


async def _until_revoked(find: _Find) -> ServiceError:
    """Follows what a stream was opened with; returns what to end the stream with."""
    try:
        while True:
            await asyncio.sleep(_FOLLOW_S)
            await find()
    except ServiceError as refused:
        return refused


async def _unless(ended: asyncio.Task[ServiceError], awaited: Awaitable[T]) -> T:
    """Waits for `awaited`, but raises the error of `ended` as soon as there is one.

    In the stream's own task, as `asyncio.timeout` does it: a stream's steps may not run in different tasks.
    """
    try:
        async with asyncio.timeout(None) as timer:

            def end(_: object) -> None:
                with suppress(RuntimeError):  # `awaited` ended in the same moment
                    timer.reschedule(asyncio.get_running_loop().time())

            ended.add_done_callback(end)
            try:
                return await awaited
            finally:
                ended.remove_done_callback(end)
    except TimeoutError:
        if not timer.expired():
            raise
        raise ended.result() from None
