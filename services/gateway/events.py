"""What the gateway tells over NATS: one ImageEvent, as JSON, for every step of a photo."""

import asyncio
import hashlib
import uuid
from collections.abc import Iterable
from time import monotonic
from typing import Final

import grpc
from google.protobuf.json_format import MessageToJson

from packshot.v1.event_pb2 import (
    IMAGE_EVENT_TYPE_COMPLETED,
    IMAGE_EVENT_TYPE_COMPOSED,
    IMAGE_EVENT_TYPE_FAILED,
    IMAGE_EVENT_TYPE_RECEIVED,
    IMAGE_EVENT_TYPE_SEGMENTED,
    IMAGE_EVENT_TYPE_VALIDATED,
    ImageEvent,
    ImageEventType,
    MarketplaceVerdict,
)
from packshot.v1.report_pb2 import Report
from services.common.bus import Bus
from services.common.errors import ServiceError, deadline_exceeded, internal
from services.common.topology import image_subject
from services.gateway.stages import Call

_CALLER_GONE: Final = ServiceError(grpc.StatusCode.CANCELLED, "CANCELLED", "the caller has gone")


class PhotoEvents:
    """The events of one photo, in order. Without a bus it says nothing."""

    def __init__(self, bus: Bus | None, call: Call, photo: bytes) -> None:
        self._bus = bus
        self._call = call
        self._started = monotonic()
        self._hash = "" if bus is None else f"sha256:{hashlib.sha256(photo).hexdigest()}"

    def received(self) -> None:
        """The photo is here and its options are valid."""
        self._publish(IMAGE_EVENT_TYPE_RECEIVED, ImageEvent())

    def segmented(self) -> None:
        """The product is cut out."""
        self._publish(IMAGE_EVENT_TYPE_SEGMENTED, ImageEvent())

    def composed(self) -> None:
        """The first canvas of every marketplace is made."""
        self._publish(IMAGE_EVENT_TYPE_COMPOSED, ImageEvent())

    def validated(self, reports: Iterable[Report]) -> None:
        """Every canvas is checked and, where possible, repaired."""
        self._publish(IMAGE_EVENT_TYPE_VALIDATED, ImageEvent(verdicts=_verdicts(reports)))

    def completed(self, reports: Iterable[Report]) -> None:
        """The answer goes to the caller."""
        self._publish(IMAGE_EVENT_TYPE_COMPLETED, ImageEvent(verdicts=_verdicts(reports)))

    def failed(self, error: BaseException) -> None:
        """The caller gets an error, or has gone."""
        if isinstance(error, asyncio.CancelledError):
            # The server's timer for the same deadline may be a little ahead of ours.
            out_of_time = self._call.deadline - monotonic() < 0.1
            seen = deadline_exceeded(self._call.deadline - self._started) if out_of_time else _CALLER_GONE
        else:
            seen = error if isinstance(error, ServiceError) else internal(self._call.request_id)
        self._publish(IMAGE_EVENT_TYPE_FAILED, ImageEvent(error_reason=seen.reason, error_message=seen.message))

    def _publish(self, kind: ImageEventType.ValueType, event: ImageEvent) -> None:
        if self._bus is None:
            return
        event.event_id = uuid.uuid4().hex
        event.type = kind
        event.tenant = self._call.tenant
        event.request_id = self._call.request_id
        event.item_id = self._call.item_id
        event.occurred_at.GetCurrentTime()
        event.photo_hash = self._hash
        event.elapsed_ms = round((monotonic() - self._started) * 1000, 1)
        name = ImageEventType.Name(kind).removeprefix("IMAGE_EVENT_TYPE_").lower()
        payload = MessageToJson(event, preserving_proto_field_name=True, indent=None)
        self._bus.publish(image_subject(name, self._call.tenant), payload.encode(), event.event_id)


def _verdicts(reports: Iterable[Report]) -> list[MarketplaceVerdict]:
    return [
        MarketplaceVerdict(marketplace=report.marketplace, compliant=report.compliant, verdict=report.verdict)
        for report in reports
    ]
