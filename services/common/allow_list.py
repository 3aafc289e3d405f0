"""Which clients may call: those whose certificate carries one of the allowed identities."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from services.common.errors import ServiceError
from services.common.interceptors import Interceptor, Stream, Unary, is_health

_ALTERNATIVE_NAMES: Final = "x509_subject_alternative_name"


class AllowedClients(Interceptor):
    """Refuses all calls but those of health as PERMISSION_DENIED, unless the client is one of the allowed.

    Args:
        identities: DNS names or URIs, e.g. "gateway.packshot.svc" or "spiffe://shop/packshot/gateway", compared as
            they stand with the subject alternative names of the client's certificate (RFC 5280, 4.2.1.6). That an
            authority we trust has signed it was checked when the client connected.
    """

    def __init__(self, identities: Collection[str]) -> None:
        self._identities = frozenset(identities)

    def covers(self, method: str) -> bool:
        return not is_health(method)

    def unary(self, method: str, call: Unary) -> Unary:
        async def allowed(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            self._check(context)
            return await call(request, context)

        return allowed

    def stream(self, method: str, call: Stream) -> Stream:
        def allowed(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Message, None]:
            self._check(context)
            return call(requests, context)

        return allowed

    def _check(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        names = [name.decode(errors="replace") for name in context.auth_context().get(_ALTERNATIVE_NAMES, ())]
        if self._identities.isdisjoint(names):
            raise ServiceError(
                grpc.StatusCode.PERMISSION_DENIED,
                "CLIENT_NOT_ALLOWED",
                f"a client with the identity {', '.join(names) or '(none)'} may not call this service; its setting"
                " TLS_ALLOWED_CLIENTS says who may",
            )
