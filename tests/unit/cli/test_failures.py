import grpc
import pytest

from packshot.cli.console import stderr
from packshot.cli.failures import error_to_dict, explain, print_failures
from packshot.errors import (
    DeadlineExceededError,
    FieldViolation,
    InvalidArgumentError,
    PackshotError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)

CODE = grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("options.category", "--category"),
        ("options.marketplaces[1]", "--marketplace"),
        ("options.canvas.width_px", "--size"),
        ("options.canvas.jpeg_quality", "--quality"),
        ("options.layout.fill_ratio", "--fill"),
        ("options.layout", "--fill or --margin"),
        ("options.region_of_interest.width", "--roi"),
        ("as_of_date", "--as-of"),
    ],
)
def test_a_wrong_field_is_named_by_its_option(field: str, option: str) -> None:
    error = InvalidArgumentError(CODE, "INVALID_FIELD", "m", field_violations=(FieldViolation(field, "too big"),))
    assert explain(error).cause == f"{option}: too big"


def test_a_wrong_photo_needs_no_field() -> None:
    error = InvalidArgumentError(
        CODE, "PHOTO_TOO_SMALL", "photo: 1 px", field_violations=(FieldViolation("photo", "the photo has 1 px"),)
    )
    assert explain(error).cause == "the photo has 1 px"


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (UnavailableError(CODE, "SERVER_UNREACHABLE", "m"), "packshot serve"),
        (UnavailableError(CODE, "STAGE_UNAVAILABLE", "m"), "behind the gateway is down"),
        (UnauthenticatedError(CODE, "API_KEY_INVALID", "m"), "PACKSHOT_API_KEY"),
        (DeadlineExceededError(CODE, "DEADLINE_EXCEEDED", "m"), "--timeout"),
        (ResourceExhaustedError(CODE, "OVERLOADED", "m", retry_after_s=1.5), "in 1.5 s"),
        (InvalidArgumentError(CODE, "PHOTO_EMPTY", "m"), "copy it again"),
        (InvalidArgumentError(CODE, "UNKNOWN_CATEGORY", "m"), "packshot rules list"),
        # Also said of an item of `packshot bulk`, which has no --roi.
        (InvalidArgumentError(CODE, "NO_PRODUCT", "m"), "`packshot fix` and `packshot cutout` take --roi"),
    ],
)
def test_a_cure_names_what_to_do(error: PackshotError, cure: str) -> None:
    assert cure in explain(error).cure


def test_json_has_the_reason_for_programs() -> None:
    error = UnauthenticatedError(CODE, "API_KEY_MISSING", "no key was sent")
    words = error_to_dict(error)
    assert words is not None
    assert (words["reason"], words["message"]) == ("API_KEY_MISSING", "no key was sent")
    assert error_to_dict(None) is None


def test_one_cause_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    down = UnavailableError(CODE, "SERVER_UNREACHABLE", "no answer")
    other = InvalidArgumentError(CODE, "PHOTO_EMPTY", "holds no bytes")
    print_failures([*((f"{i}.jpg", down) for i in range(5)), ("a.jpg", other), ("b.jpg", None)], stderr())
    printed = capsys.readouterr().err
    assert printed.count("no answer") == 1
    assert "5 photos (0.jpg, …): no answer" in printed
    assert "a.jpg: holds no bytes" in printed
    assert "b.jpg" not in printed
