"""A caller's question to a stage about a job: what it has in common with those about photos."""

import uuid
from time import monotonic
from typing import Any

import grpc

from services.common.interceptors import remaining_s, request_id
from services.gateway.auth import current_tenant
from services.gateway.stages import Call


def stage_call(context: grpc.aio.ServicerContext[Any, Any], default_deadline_ms: int) -> Call:
    """With the caller's deadline, or the default."""
    timeout_s = remaining_s(context)
    return Call(
        request_id=request_id() or uuid.uuid4().hex,
        tenant=current_tenant(),
        deadline=monotonic() + (default_deadline_ms / 1000 if timeout_s is None else timeout_s),
    )
