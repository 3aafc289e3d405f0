"""Authentication: every call carries an API key in `x-api-key`, and belongs to the key's tenant."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing, suppress
from contextvars import ContextVar
from typing import Any, Final, TypeVar

import grpc
import structlog
from google.protobuf.message import Message

from services.common.errors import ServiceError
from services.common.interceptors import Interceptor, Stream, Unary, metadata_value
from services.gateway.keys import ApiKeys

T = TypeVar("T")

API_KEY: Final = "x-api-key"
NO_TENANT: Final = "default"
"""The tenant of calls to a gateway without authentication."""
NO_KEY: Final = ""
"""The key id of such calls."""
SCOPE_OF_SERVICE: Final = {
    "packshot.v1.PackshotService": "photos",
    "packshot.v1.JobService": "jobs",
    "packshot.v1.ReviewService": "reviews",
}

_FOLLOW_S: Final = 0.5
"""How often the key of a stream is looked at."""

_tenant: ContextVar[str] = ContextVar("tenant", default=NO_TENANT)
_key_id: ContextVar[str] = ContextVar("key_id", default=NO_KEY)


def current_tenant() -> str:
    """The tenant of the call being served."""
    return _tenant.get()


def current_key_id() -> str:
    """The id of the API key the call being served came with."""
    return _key_id.get()


class Authentication(Interceptor):
    """Refuses calls without a known key as UNAUTHENTICATED, and without the service's scope as PERMISSION_DENIED.

    A stream whose key is revoked ends as UNAUTHENTICATED, too.
    """

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    def unary(self, method: str, call: Unary) -> Unary:
        async def authenticated(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            await self._enter(method, context)
            return await call(request, context)

        return authenticated

    def stream(self, method: str, call: Stream) -> Stream:
        async def authenticated(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            key = await self._enter(method, context)
            revoked = asyncio.create_task(self._until_revoked(key))
            try:
                async with aclosing(call(requests, context)) as responses:
                    while (response := await _unless(revoked, anext(responses, None))) is not None:
                        yield response
            finally:
                revoked.cancel()

        return authenticated

    async def _enter(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> str:
        """Lets the call in; returns its key."""
        key = metadata_value(context, API_KEY)
        if not key:
            raise ServiceError(
                grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING", f"send your API key as metadata {API_KEY}"
            )
        known = await self._keys.find(key)
        if known is None:
            raise _invalid()
        scope = SCOPE_OF_SERVICE[method.split("/")[1]]
        if scope not in known.scopes:
            raise ServiceError(
                grpc.StatusCode.PERMISSION_DENIED,
                "SCOPE_MISSING",
                f"this API key lacks the scope {scope}",
                metadata={"scope": scope},
            )
        _tenant.set(known.tenant)
        _key_id.set(known.id)
        structlog.contextvars.bind_contextvars(tenant=known.tenant, key_id=known.id)
        return key

    async def _until_revoked(self, key: str) -> ServiceError:
        """Follows the key of a stream; returns what to end the stream with."""
        try:
            while True:
                await asyncio.sleep(_FOLLOW_S)
                if await self._keys.find(key) is None:
                    return _invalid()
        except ServiceError as unknown:
            return unknown


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


def _invalid() -> ServiceError:
    return ServiceError(
        grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID", "this API key is not known here; was it revoked?"
    )
