"""Authentication: every call carries an API key in `x-api-key`, and belongs to the key's tenant."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import Message

from services.common.errors import ServiceError
from services.common.interceptors import Interceptor, Stream, Unary, metadata_value
from services.gateway.keys import ApiKeys

API_KEY: Final = "x-api-key"
NO_TENANT: Final = "default"
"""The tenant of calls to a gateway without authentication."""

_tenant: ContextVar[str] = ContextVar("tenant", default=NO_TENANT)


def current_tenant() -> str:
    """The tenant of the call being served."""
    return _tenant.get()


class Authentication(Interceptor):
    """Refuses calls without a known key as UNAUTHENTICATED."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    def unary(self, method: str, call: Unary) -> Unary:
        async def authenticated(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            self._enter(context)
            return await call(request, context)

        return authenticated

    def stream(self, method: str, call: Stream) -> Stream:
        async def authenticated(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            self._enter(context)
            async with aclosing(call(requests, context)) as responses:
                async for response in responses:
                    yield response

        return authenticated

    def _enter(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        key = metadata_value(context, API_KEY)
        if not key:
            raise ServiceError(
                grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING", f"send your API key as metadata {API_KEY}"
            )
        tenant = self._keys.tenant(key)
        if tenant is None:
            raise ServiceError(
                grpc.StatusCode.UNAUTHENTICATED,
                "API_KEY_INVALID",
                "this API key is not known here; was it revoked?",
            )
        _tenant.set(tenant)
        structlog.contextvars.bind_contextvars(tenant=tenant)
