"""How long a call has waited for a worker: its caller is told, and sends less when that is long."""

from contextvars import ContextVar
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from services.common.interceptors import Interceptor, Stream, Unary

WAITED_KEY: Final = "x-waited-ms"
"""Trailing metadata of an answer."""

waited_s: ContextVar[float] = ContextVar("waited_s", default=0.0)
"""Of the call being served, so far."""


class Waits(Interceptor):
    """Says in the trailing metadata of every answer how long its call has waited for a worker."""

    def unary(self, method: str, call: Unary) -> Unary:
        async def told(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            response = await call(request, context)
            context.set_trailing_metadata(((WAITED_KEY, f"{waited_s.get() * 1000:.0f}"),))
            return response

        return told

    def stream(self, method: str, call: Stream) -> Stream:
        return call
