import grpc
import pytest
from google.rpc import status_pb2

from packshot import errors
from services.common.errors import FieldViolation as ServerViolation
from services.common.errors import ServiceError


def test_what_a_service_says_is_what_a_caller_reads() -> None:
    said = ServiceError(
        grpc.StatusCode.INVALID_ARGUMENT,
        "PHOTO_TOO_SMALL",
        "the photo is 1 × 1 px",
        violations=(ServerViolation("photo", "at least 2 px a side"),),
        metadata={"limit": "2"},
        retry_after_s=0.25,
    )
    read = errors.from_status(said.to_status(), "mug.jpg")
    assert isinstance(read, errors.InvalidArgumentError)
    assert (read.code, read.reason, read.message) == (said.code, said.reason, said.message)
    assert read.field_violations == (errors.FieldViolation("photo", "at least 2 px a side"),)
    assert read.metadata == {"limit": "2"}
    assert read.retry_after_s == 0.25
    assert str(read) == "mug.jpg: the photo is 1 × 1 px"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, errors.InvalidArgumentError),
        (grpc.StatusCode.UNAUTHENTICATED, errors.UnauthenticatedError),
        (grpc.StatusCode.UNAVAILABLE, errors.UnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.DeadlineExceededError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.ResourceExhaustedError),
        (grpc.StatusCode.INTERNAL, errors.PackshotError),
    ],
)
def test_the_code_picks_the_class(code: grpc.StatusCode, kind: type[errors.PackshotError]) -> None:
    assert type(errors.from_status(ServiceError(code, "R", "m").to_status())) is kind


def test_a_status_without_details_is_named_by_its_code() -> None:
    read = errors.from_status(status_pb2.Status(code=13, message="broken"))
    assert (read.reason, read.message, read.retry_after_s, read.field_violations) == ("INTERNAL", "broken", None, ())


def test_a_code_from_the_future_is_unknown() -> None:
    assert errors.from_status(status_pb2.Status(code=99)).code is grpc.StatusCode.UNKNOWN
