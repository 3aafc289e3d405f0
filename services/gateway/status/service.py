"""The servicer of status: whether each part of the house answers, and what waits."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, TypeVar

import grpc
from nats.errors import Error as NatsError

from packshot.v1 import status_pb2, status_pb2_grpc
from packshot.v1.report_pb2 import RulePackVersion
from packshot.v1.status_pb2 import Component, GetStatusRequest, GetStatusResponse
from services.common.bus import Bus
from services.common.errors import ServiceError
from services.common.interceptors import request_id
from services.common.server import StartError
from services.common.version import VERSION
from services.gateway.auth import current_tenant
from services.gateway.stages import Call, Stages
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from services.gateway.state.tables import ItemState
from services.gateway.status.backlog import Backlog, read_backlog
from services.gateway.worker.queue import QueueLostError, WorkQueue

T = TypeVar("T")

_PATIENCE_S: Final = 3.0
"""For each part's answer."""
_STAGES: Final = ("segmenter", "compositor", "validator")


class StatusServicer(status_pb2_grpc.StatusServiceServicer):
    """StatusService.

    Args:
        stages: Asked for their health and what they work with.
        bus, database: Of this gateway; None without.
        queue: None when this gateway keeps no jobs.
    """

    def __init__(self, stages: Stages, bus: Bus | None, database: Database | None, queue: WorkQueue | None) -> None:
        self._stages = stages
        self._bus = bus
        self._database = database
        self._queue = queue

    async def GetStatus(
        self, request: GetStatusRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> GetStatusResponse:
        answer = GetStatusResponse(version=VERSION, components=[Component(name="gateway", serving=True)])
        checks: list[Awaitable[Component]] = [self._stage(name) for name in _STAGES]
        if self._database is not None:
            checks.append(_checked("database", self._database.check))
        if self._bus is not None:
            checks.append(self._nats(self._bus))
        found, *_ = await asyncio.gather(
            asyncio.gather(*checks), self._describe(answer), self._list_packs(answer), self._add_backlog(answer)
        )
        answer.components.extend(found)
        return answer

    async def _stage(self, name: str) -> Component:
        try:
            serving = await self._stages.is_serving(name, _PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            return Component(name=name, problem=f"does not answer: {error.details()}")
        return Component(name=name, serving=serving, problem="" if serving else "answers that it is not ready")

    async def _nats(self, bus: Bus) -> Component:
        if not bus.client.is_connected:
            return Component(name="nats", problem="does not answer")
        if self._queue is None:
            return Component(name="nats", serving=True)
        return await _checked("nats", self._queue.depth)

    async def _describe(self, answer: GetStatusResponse) -> None:
        described = await _unless_away(lambda: self._stages.describe_segmenter(_call()))
        if described is not None:
            answer.proposers.extend(described.proposers)
            answer.segmenter_digest = described.digest

    async def _list_packs(self, answer: GetStatusResponse) -> None:
        listed = await _unless_away(lambda: self._stages.rule_packs(_call()))
        if listed is not None:
            answer.rule_packs.extend(
                RulePackVersion(id=pack.id, version=pack.version, hash=pack.hash) for pack in listed.packs
            )

    async def _add_backlog(self, answer: GetStatusResponse) -> None:
        database, queue = self._database, self._queue
        if database is None or queue is None:
            return
        backlog = await _unless_away(lambda: read_backlog(database, queue))
        if backlog is not None:
            answer.backlog.CopyFrom(_message(backlog))


async def _checked(name: str, check: Callable[[], Awaitable[object]]) -> Component:
    """A part that is there unless its check raises."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await check()
    except (StartError, UnavailableError, QueueLostError) as error:
        return Component(name=name, problem=str(error))
    except (NatsError, OSError, TimeoutError):
        return Component(name=name, problem="does not answer")
    return Component(name=name, serving=True)


async def _unless_away(ask: Callable[[], Awaitable[T]]) -> T | None:
    """None when what is asked does not answer: its component says so."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await ask()
    except (ServiceError, UnavailableError, QueueLostError, NatsError, OSError, TimeoutError):
        return None


def _call() -> Call:
    return Call(request_id() or uuid.uuid4().hex, current_tenant(), monotonic() + _PATIENCE_S)


def _message(backlog: Backlog) -> status_pb2.Backlog:
    return status_pb2.Backlog(
        items_waiting=backlog.items[ItemState.QUEUED] + backlog.items[ItemState.DISPATCHED],
        items_running=backlog.items[ItemState.RUNNING],
        longest_wait_s=backlog.oldest_wait_s,
        messages_pending=backlog.queue.undelivered,
        workers_with_room=backlog.queue.waiting_pulls,
        dispatcher=backlog.dispatcher,
        busy_workers=backlog.busy_workers,
        dead_letters=backlog.dead_letters,
        webhooks_waiting=backlog.webhooks,
    )
