"""The stages as the pipeline calls them: with the deadline that is left, the request's id and our own errors."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.trace import SpanKind, StatusCode

from packshot.v1 import compositor_pb2_grpc, segmenter_pb2_grpc, validator_pb2_grpc
from packshot.v1.compositor_pb2 import (
    ComposeImageRequest,
    ComposeImageResponse,
    RenderCutoutRequest,
    RenderCutoutResponse,
)
from packshot.v1.rules_pb2 import GetRulePackRequest, ListRulePacksRequest, ListRulePacksResponse, RulePack
from packshot.v1.segmenter_pb2 import (
    DescribeSegmenterRequest,
    DescribeSegmenterResponse,
    SegmentImageRequest,
    SegmentImageResponse,
)
from packshot.v1.validator_pb2 import ValidateImageRequest, ValidateImageResponse
from services.common.channel import open_channel
from services.common.errors import STAGE_UNAVAILABLE, FieldViolation, ServiceError, deadline_exceeded, from_rpc_error
from services.common.interceptors import REQUEST_ID_KEY
from services.common.queueing import WAITED_KEY
from services.common.telemetry.traces import outgoing, tracer
from services.common.tls import CertificateFiles
from services.gateway.concurrency import Visit
from services.gateway.metrics import STAGE_DURATION, STAGE_IN_FLIGHT

ResponseT = TypeVar("ResponseT")

_LONGEST_PAUSE_S: Final = 2.0
_SHORTEST_PAUSE_S: Final = 0.1
_DEADLINE_SLACK_S: Final = 0.1
"""A call that is cancelled this near its deadline has not been given up by its caller."""
_READY: Final = grpc.ChannelConnectivity.READY


@dataclass(frozen=True, slots=True)
class Call:
    """What every stage call of one photo has in common.

    Args:
        request_id: The caller's, or made up.
        tenant: Whose photo it is.
        deadline: On the monotonic clock, in seconds.
        patient: Wait for an overloaded segmenter instead of passing RESOURCE_EXHAUSTED on: for photos of a
            stream, which are bounded already. Later stages are always waited for: a photo that was let in is
            not thrown away half done.
        item_id: Set for photos of a stream and of a job.
        wait_for_ready: Wait for a stage that is away until the deadline, and repeat nothing that broke. Otherwise it
            is waited for as long as a restart takes.
        visit: Where it is noted how long the photo waits for the stages' workers.
    """

    request_id: str
    tenant: str
    deadline: float
    patient: bool = False
    item_id: str = ""
    wait_for_ready: bool = False
    visit: Visit = field(default_factory=Visit)

    def remaining_s(self) -> float:
        """Seconds left. Raises ServiceError DEADLINE_EXCEEDED when none are."""
        remaining = self.deadline - monotonic()
        if remaining <= 0:
            raise deadline_exceeded(0)
        return remaining


class Stages:
    """Clients of the three stages, each over one channel to all of its replicas.

    Args:
        segmenter, compositor, validator: Their addresses.
        away_s: How long a stage may be away, e.g. while its only replica is started again, before a photo fails.
        retries: Repeat a call that breaks. Without, whoever counts attempts sees each that broke.
        tls: The gateway's certificates; None: calls are not encrypted.

    Raises:
        TlsError: The certificates cannot be used.
    """

    def __init__(
        self,
        *,
        segmenter: str,
        compositor: str,
        validator: str,
        away_s: float,
        retries: bool = True,
        tls: CertificateFiles | None = None,
    ) -> None:
        addresses = {"segmenter": segmenter, "compositor": compositor, "validator": validator}
        self._channels = {
            stage: open_channel(address, retries=retries, tls=tls) for stage, address in addresses.items()
        }
        self._away_s = away_s
        self._segmenter = segmenter_pb2_grpc.SegmenterServiceStub(self._channels["segmenter"])
        self._compositor = compositor_pb2_grpc.CompositorServiceStub(self._channels["compositor"])
        self._validator = validator_pb2_grpc.ValidatorServiceStub(self._channels["validator"])

    async def segment(self, call: Call, request: SegmentImageRequest) -> SegmentImageResponse:
        """Where the product is."""
        return await self._invoke("segmenter", self._segmenter.SegmentImage, call, request, call.patient)

    async def describe_segmenter(self, call: Call) -> DescribeSegmenterResponse:
        """What photos are segmented with, and its digest."""
        return await self._invoke("segmenter", self._segmenter.DescribeSegmenter, call, DescribeSegmenterRequest())

    async def compose(self, call: Call, request: ComposeImageRequest) -> ComposeImageResponse:
        """The product on its canvases."""
        return await self._invoke("compositor", self._compositor.ComposeImage, call, request)

    async def cut_out(self, call: Call, request: RenderCutoutRequest) -> RenderCutoutResponse:
        """The product with transparency."""
        return await self._invoke("compositor", self._compositor.RenderCutout, call, request)

    async def validate(
        self, call: Call, request: ValidateImageRequest, *, patient: bool = True
    ) -> ValidateImageResponse:
        """Measurements and rules."""
        return await self._invoke("validator", self._validator.ValidateImage, call, request, patient)

    async def rule_packs(self, call: Call) -> ListRulePacksResponse:
        """All packs, without their rules."""
        return await self._invoke("validator", self._validator.ListRulePacks, call, ListRulePacksRequest())

    async def rule_pack(self, call: Call, request: GetRulePackRequest) -> RulePack:
        """One pack."""
        response = await self._invoke("validator", self._validator.GetRulePack, call, request)
        return response.pack

    def are_ready(self) -> bool:
        """Every stage has at least one replica that is connected."""
        return all(channel.get_state(try_to_connect=True) is _READY for channel in self._channels.values())

    async def is_serving(self, stage: str, timeout_s: float) -> bool:
        """Whether a replica of a stage says so. Raises AioRpcError when none answers."""
        health: Any = health_pb2_grpc.HealthStub(self._channels[stage])  # its types know no methods
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def wait_until_ready(self) -> None:
        """Waits until every stage is connected, however long that takes."""
        await asyncio.gather(*(channel.channel_ready() for channel in self._channels.values()))

    async def close(self) -> None:
        """Closes the channels."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def _invoke(
        self,
        stage: str,
        method: Callable[..., grpc.aio.UnaryUnaryCall[Any, ResponseT]],
        call: Call,
        request: Any,
        patient: bool = True,
    ) -> ResponseT:
        """Calls a stage; again, as long as the deadline allows, when it was overloaded (if patient) or away."""
        give_up_at = monotonic() + self._away_s
        while True:
            try:
                with _seen(stage) as trace:
                    answer = method(
                        request,
                        timeout=call.remaining_s(),
                        metadata=((REQUEST_ID_KEY, call.request_id), *trace),
                        wait_for_ready=call.wait_for_ready,
                    )
                    response = await answer
                call.visit.waited_s += _waited_s(await answer.trailing_metadata())
                return response
            except grpc.aio.AioRpcError as error:
                failure = from_rpc_error(error, stage)
            except asyncio.CancelledError:
                if call.deadline - monotonic() < _DEADLINE_SLACK_S:
                    call.visit.in_vain()
                raise
            if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and failure.retry_after_s is not None:
                pause_s = min(failure.retry_after_s, _LONGEST_PAUSE_S)
                if not patient or pause_s >= call.remaining_s():
                    call.visit.in_vain()
                    raise failure
                call.visit.waited_s += pause_s
                await asyncio.sleep(pause_s)
            elif failure.reason == STAGE_UNAVAILABLE and not call.wait_for_ready and monotonic() < give_up_at:
                await self._until_back(stage, min(give_up_at - monotonic(), call.remaining_s()))
            else:
                if failure.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                    call.visit.in_vain()
                raise failure

    async def _until_back(self, stage: str, patience_s: float) -> None:
        """Waits until a stage is connected, or patience ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await asyncio.sleep(_SHORTEST_PAUSE_S)
                await self._channels[stage].channel_ready()


@contextmanager
def _seen(stage: str) -> Iterator[Iterable[tuple[str, str]]]:
    """Around one call to a stage, for trace and metrics; gives the metadata that carries the trace."""
    started = monotonic()
    code = "OK"
    with (
        STAGE_IN_FLIGHT.labels(stage).track_inprogress(),
        tracer.start_as_current_span(
            stage, kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span,
    ):
        try:
            yield outgoing().items()
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            span.set_status(StatusCode.ERROR, code)
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        finally:
            span.set_attribute("rpc.response.status_code", code)
            STAGE_DURATION.labels(stage, code).observe(monotonic() - started)


def _waited_s(trailing_metadata: Iterable[tuple[str, str | bytes]] | None) -> float:
    """What a stage says of how long a call has waited for a worker; 0 if it does not say."""
    return sum(float(value) / 1000 for key, value in trailing_metadata or () if key == WAITED_KEY)


def renamed_field(error: ServiceError, names: dict[str, str]) -> ServiceError:
    """The error with a stage's field names replaced by those of the caller's request."""
    violations = tuple(FieldViolation(names.get(v.field, v.field), v.description) for v in error.violations)
    message = error.message
    for old, new in names.items():
        if message.startswith(f"{old}: "):
            message = f"{new}: {message.removeprefix(f'{old}: ')}"
    return ServiceError(error.code, error.reason, message, violations, error.metadata, error.retry_after_s)
