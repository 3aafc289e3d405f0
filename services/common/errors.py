"""Typed errors and their form on the wire: google.rpc.Status with ErrorInfo, BadRequest and RetryInfo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.common.photo_error import PhotoError

DOMAIN: Final = "packshot.v1"
"""The domain of every ErrorInfo."""
STAGE_UNAVAILABLE: Final = "STAGE_UNAVAILABLE"
"""Reason of a call that no stage took, or that ended with its connection."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A request field and what is wrong with it."""

    field: str
    description: str


@dataclass(eq=False)
class ServiceError(Exception):
    """An error a caller gets: code for machines, reason for programmers, message for people."""

    code: grpc.StatusCode
    reason: str
    message: str
    violations: tuple[FieldViolation, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return self.message

    def to_status(self) -> status_pb2.Status:
        """The error as google.rpc.Status with its details."""
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=[_pack(info)])
        if self.violations:
            bad_request = error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in self.violations
                ]
            )
            status.details.append(_pack(bad_request))
        if self.retry_after_s is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(round(self.retry_after_s * 1000))
            status.details.append(_pack(error_details_pb2.RetryInfo(retry_delay=delay)))
        return status


def invalid_argument(
    field_name: str, reason: str, message: str, metadata: Mapping[str, str] | None = None
) -> ServiceError:
    """The caller's request is wrong: `field_name` says where, `message` what is wrong and the limit."""
    violation = FieldViolation(field_name, message)
    return ServiceError(
        grpc.StatusCode.INVALID_ARGUMENT, reason, f"{field_name}: {message}", (violation,), metadata or {}
    )


def unusable_photo(field_name: str, error: PhotoError) -> ServiceError:
    """The photo in `field_name` cannot be used."""
    return invalid_argument(field_name, error.reason, error.message, error.metadata)


def deadline_exceeded(timeout_s: float) -> ServiceError:
    """The call took longer than its deadline."""
    return ServiceError(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        f"not finished within {timeout_s:g} s; give the call a later deadline or a smaller photo",
    )


def internal(request_id: str) -> ServiceError:
    """Something broke that is nobody's fault but ours; what it was stands in the log beside the request id."""
    return ServiceError(
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        f"an internal error, please report it with request id {request_id}",
        metadata={"request_id": request_id},
    )


def from_rpc_error(error: grpc.aio.AioRpcError, stage: str) -> ServiceError:
    """A stage's answer as our own error, so that callers see the stage's reason and fields.

    An error without details is the transport's: the stage is down, or the deadline passed.
    """
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # typed for the sync API, works for both
    code = error.code()
    if status is not None:
        return from_status(status, stage)
    if code is grpc.StatusCode.UNAVAILABLE:
        return ServiceError(
            code,
            STAGE_UNAVAILABLE,
            f"the {stage} does not answer ({error.details()}); it was tried several times",
            metadata={"stage": stage},
            retry_after_s=1.0,
        )
    reason = "DEADLINE_EXCEEDED" if code is grpc.StatusCode.DEADLINE_EXCEEDED else "STAGE_FAILED"
    return ServiceError(code, reason, f"the {stage} failed: {error.details()}", metadata={"stage": stage})


def from_status(status: status_pb2.Status, stage: str = "") -> ServiceError:
    """The inverse of `ServiceError.to_status`; `stage` is added to the metadata."""
    info, bad_request, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    has_retry = False
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        has_retry = detail.Unpack(retry) or has_retry
    metadata = dict(info.metadata)
    if stage:
        metadata.setdefault("stage", stage)
    return ServiceError(
        _CODES.get(status.code, grpc.StatusCode.UNKNOWN),
        info.reason or "UNKNOWN",
        status.message,
        tuple(FieldViolation(v.field, v.description) for v in bad_request.field_violations),
        metadata,
        retry.retry_delay.ToMilliseconds() / 1000 if has_retry else None,
    )


_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def _pack(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
