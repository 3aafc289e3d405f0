"""Which failures count as an attempt, which do not, and which end an item."""

import grpc
import pytest

from services.common.errors import ServiceError, deadline_exceeded, internal, invalid_argument
from services.gateway.worker.failures import Remedy, of_stages


def error(code: grpc.StatusCode, reason: str, retry_after_s: float | None = None) -> ServiceError:
    return ServiceError(code, reason, "what happened", retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        (invalid_argument("photo", "PHOTO_TRUNCATED", "the file ends early"), Remedy.NONE),
        (error(grpc.StatusCode.UNAVAILABLE, "STAGE_UNAVAILABLE", 1.0), Remedy.RETRY),
        (error(grpc.StatusCode.UNAVAILABLE, "MODEL_UNAVAILABLE", 2.0), Remedy.WAIT),
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 1.0), Remedy.WAIT),
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_LIMIT", 9.0), Remedy.GIVE_BACK),
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED, "STAGE_FAILED"), Remedy.RETRY),
        (error(grpc.StatusCode.CANCELLED, "STAGE_FAILED"), Remedy.RETRY),
        (deadline_exceeded(60), Remedy.RETRY),
        (internal("item-1"), Remedy.RETRY),
    ],
    ids=lambda value: value.name if isinstance(value, Remedy) else value.reason,
)
def test_what_an_error_means_while_all_stages_are_there(what: ServiceError, remedy: Remedy) -> None:
    failure = of_stages(what, stages_ready=True)
    assert (failure.remedy, failure.reason, failure.message) == (remedy, what.reason, what.message)


def test_a_deadline_that_passed_while_a_stage_was_away_counts_as_no_attempt() -> None:
    assert of_stages(deadline_exceeded(60), stages_ready=False).remedy is Remedy.WAIT


def test_a_wrong_photo_stays_wrong_while_a_stage_is_away() -> None:
    assert of_stages(invalid_argument("photo", "PHOTO_EMPTY", "no bytes"), stages_ready=False).remedy is Remedy.NONE
