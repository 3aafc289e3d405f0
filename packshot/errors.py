"""Errors of the client, with what the gateway says about them: reason, fields, when to try again."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

__all__ = [
    "DeadlineExceededError",
    "FieldViolation",
    "InvalidArgumentError",
    "PackshotError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of the request and what is wrong with it."""

    field: str
    description: str


class PackshotError(Exception):
    """A call that failed. `str()` of it is a sentence for people; branch on `reason` or on the class.

    Attributes:
        code: The gRPC status.
        reason: UPPER_SNAKE and stable, e.g. "PHOTO_NOT_AN_IMAGE", "SERVER_UNREACHABLE".
        message: What went wrong, without the file's name.
        field_violations: The fields of the request that are wrong, if that is what it is about.
        retry_after_s: How long the server asks to wait before the next try; None when it does not say.
        metadata: More about the error, e.g. the limit that was passed.
        file: The photo's path, when the photo was given as one.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        field_violations: tuple[FieldViolation, ...] = (),
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] = MappingProxyType({}),
        file: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field_violations = field_violations
        self.retry_after_s = retry_after_s
        self.metadata = metadata
        self.file = file

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" if self.file else self.message


class InvalidArgumentError(PackshotError):
    """The photo or an option is wrong; the same call fails again."""


class UnauthenticatedError(PackshotError):
    """The API key or token is missing or wrong."""


class UnavailableError(PackshotError):
    """The gateway, or a stage behind it, does not answer. It was tried several times."""


class DeadlineExceededError(PackshotError):
    """No answer within the timeout."""


class ResourceExhaustedError(PackshotError):
    """The server has too much to do, or a quota is used up; `retry_after_s` says when to try again."""


def from_rpc_error(error: grpc.RpcError, address: str, file: str | None = None) -> PackshotError:
    """What a failed call raises; `address` is named when nobody answers there."""
    failure = _from_rpc_error(error, address)
    failure.file = file
    return failure


def _from_rpc_error(error: grpc.RpcError, address: str) -> PackshotError:
    try:
        # Typed for the sync API; an AioRpcError has the same methods.
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
    except (ValueError, DecodeError):
        status = None  # A proxy's idea of the details: the plain code and message still stand.
    if status is not None:
        return from_status(status)
    code: grpc.StatusCode = error.code()
    details: str = error.details() or code.name.lower().replace("_", " ")
    if code is grpc.StatusCode.UNAVAILABLE:
        if "CERTIFICATE_VERIFY_FAILED" in details or "Hostname Verification" in details:
            return UnavailableError(code, "SERVER_NOT_TRUSTED", f"{address} did not prove who it is ({_why(details)})")
        if "WRONG_VERSION_NUMBER" in details:
            return UnavailableError(code, "SERVER_WITHOUT_TLS", f"{address} does not encrypt")
        # "...; last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused": only the end is for people.
        why = details.rsplit(": ", 1)[-1].rstrip(".])")
        return UnavailableError(code, "SERVER_UNREACHABLE", f"no answer from {address} ({why})")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return no_answer_in_time()
    return _class_of(code)(code, code.name, details)


def _why(details: str) -> str:
    """What is wrong with a certificate, out of all that the transport says."""
    if "Hostname Verification" in details:
        return "its certificate is for another name"
    return details.split("CERTIFICATE_VERIFY_FAILED: ", 1)[1].split(":", 1)[0].strip()


def from_status(status: status_pb2.Status, file: str | None = None) -> PackshotError:
    """The error in a stream's answer, or in a failed call's details."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after_s = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        if detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToMilliseconds() / 1000
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _class_of(code)(
        code,
        info.reason or code.name,
        status.message,
        field_violations=tuple(FieldViolation(v.field, v.description) for v in bad_request.field_violations),
        retry_after_s=retry_after_s,
        metadata=dict(info.metadata),
        file=file,
    )


def no_answer_in_time() -> DeadlineExceededError:
    """The timeout passed on our side."""
    code = grpc.StatusCode.DEADLINE_EXCEEDED
    return DeadlineExceededError(code, "DEADLINE_EXCEEDED", "no answer within the timeout")


def _class_of(code: grpc.StatusCode) -> type[PackshotError]:
    return _CLASSES.get(code, PackshotError)


_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_CLASSES: Final[dict[grpc.StatusCode, type[PackshotError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
}
