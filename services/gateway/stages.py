"""The stages as the pipeline calls them: with the deadline that is left, the request's id and our own errors."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeVar

import grpc

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
from services.common.errors import FieldViolation, ServiceError, deadline_exceeded, from_rpc_error
from services.common.interceptors import REQUEST_ID_KEY

ResponseT = TypeVar("ResponseT")

_LONGEST_PAUSE_S: Final = 2.0
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
        wait_for_ready: Wait for a stage that is away, until the deadline. Otherwise that is an error, soon.
    """

    request_id: str
    tenant: str
    deadline: float
    patient: bool = False
    item_id: str = ""
    wait_for_ready: bool = False

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
        retries: Repeat a call that breaks. Without, whoever counts attempts sees each that broke.
    """

    def __init__(self, *, segmenter: str, compositor: str, validator: str, retries: bool = True) -> None:
        self._channels = [open_channel(address, retries=retries) for address in (segmenter, compositor, validator)]
        self._segmenter = segmenter_pb2_grpc.SegmenterServiceStub(self._channels[0])
        self._compositor = compositor_pb2_grpc.CompositorServiceStub(self._channels[1])
        self._validator = validator_pb2_grpc.ValidatorServiceStub(self._channels[2])

    async def segment(self, call: Call, request: SegmentImageRequest) -> SegmentImageResponse:
        """Where the product is."""
        return await _invoke("segmenter", self._segmenter.SegmentImage, call, request, call.patient)

    async def describe_segmenter(self, call: Call) -> DescribeSegmenterResponse:
        """What photos are segmented with, and its digest."""
        return await _invoke("segmenter", self._segmenter.DescribeSegmenter, call, DescribeSegmenterRequest())

    async def compose(self, call: Call, request: ComposeImageRequest) -> ComposeImageResponse:
        """The product on its canvases."""
        return await _invoke("compositor", self._compositor.ComposeImage, call, request)

    async def cut_out(self, call: Call, request: RenderCutoutRequest) -> RenderCutoutResponse:
        """The product with transparency."""
        return await _invoke("compositor", self._compositor.RenderCutout, call, request)

    async def validate(
        self, call: Call, request: ValidateImageRequest, *, patient: bool = True
    ) -> ValidateImageResponse:
        """Measurements and rules."""
        return await _invoke("validator", self._validator.ValidateImage, call, request, patient)

    async def rule_packs(self, call: Call) -> ListRulePacksResponse:
        """All packs, without their rules."""
        return await _invoke("validator", self._validator.ListRulePacks, call, ListRulePacksRequest())

    async def rule_pack(self, call: Call, request: GetRulePackRequest) -> RulePack:
        """One pack."""
        response = await _invoke("validator", self._validator.GetRulePack, call, request)
        return response.pack

    def are_ready(self) -> bool:
        """Every stage has at least one replica that is connected."""
        return all(channel.get_state(try_to_connect=True) is _READY for channel in self._channels)

    async def wait_until_ready(self) -> None:
        """Waits until every stage is connected, however long that takes."""
        await asyncio.gather(*(channel.channel_ready() for channel in self._channels))

    async def close(self) -> None:
        """Closes the channels."""
        await asyncio.gather(*(channel.close() for channel in self._channels))


async def _invoke(
    stage: str,
    method: Callable[..., Awaitable[ResponseT]],
    call: Call,
    request: Any,
    patient: bool = True,
) -> ResponseT:
    """Calls a stage; waits and tries again while it is overloaded, if patient and the deadline allows."""
    while True:
        try:
            return await method(
                request,
                timeout=call.remaining_s(),
                metadata=((REQUEST_ID_KEY, call.request_id),),
                wait_for_ready=call.wait_for_ready,
            )
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error, stage)
        pause_s = failure.retry_after_s
        if not patient or failure.code is not grpc.StatusCode.RESOURCE_EXHAUSTED or pause_s is None:
            raise failure
        pause_s = min(pause_s, _LONGEST_PAUSE_S)
        if pause_s >= call.remaining_s():
            raise failure
        await asyncio.sleep(pause_s)


def renamed_field(error: ServiceError, names: dict[str, str]) -> ServiceError:
    """The error with a stage's field names replaced by those of the caller's request."""
    violations = tuple(FieldViolation(names.get(v.field, v.field), v.description) for v in error.violations)
    message = error.message
    for old, new in names.items():
        if message.startswith(f"{old}: "):
            message = f"{new}: {message.removeprefix(f'{old}: ')}"
    return ServiceError(error.code, error.reason, message, violations, error.metadata, error.retry_after_s)
