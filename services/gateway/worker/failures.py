"""What a failed attempt means for an item: it is wrong for good, try again, or what it needs is away."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import grpc

from services.common.errors import STAGE_UNAVAILABLE, ServiceError

TENANT_LIMIT: Final = "TENANT_LIMIT"
"""Reason of a tenant that has used what it may; see `services.gateway.limits`."""


class Remedy(Enum):
    """What to do about a failure."""

    NONE = "it fails now: no other try will end otherwise"
    RETRY = "try again later; the attempt counts"
    WAIT = "what is needed is away or full: wait for it; nothing counts"
    GIVE_BACK = "the tenant has used what it may: others go first; nothing counts"


@dataclass(eq=False)  # not frozen: Python itself sets an exception's traceback on its way through context managers
class AttemptError(Exception):
    """An attempt failed. `reason` is UPPER_SNAKE, `message` for people; `after_s` is set when it is known how long to
    wait before the next."""

    remedy: Remedy
    reason: str
    message: str
    after_s: float | None = None

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


_WRONG_FOR_GOOD: Final = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.PERMISSION_DENIED,
)


def of_stages(error: ServiceError, *, stages_ready: bool) -> AttemptError:
    """What a pipeline's error means.

    The worker's calls wait for a stage that is away (`Call.wait_for_ready`), so a broken connection means that the
    stage broke while it held the photo, and counts. A deadline that passed while a stage was away does not.

    Args:
        error: As the pipeline raised it.
        stages_ready: Whether all stages were connected when it did.
    """
    if error.code in _WRONG_FOR_GOOD:
        remedy = Remedy.NONE
    elif error.reason == TENANT_LIMIT:
        remedy = Remedy.GIVE_BACK
    elif error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.retry_after_s is not None:
        remedy = Remedy.WAIT  # overloaded by others
    elif error.code is grpc.StatusCode.UNAVAILABLE and error.reason != STAGE_UNAVAILABLE:
        remedy = Remedy.WAIT  # the stage answers that what it needs itself is away
    elif error.code is grpc.StatusCode.DEADLINE_EXCEEDED and not stages_ready:
        remedy = Remedy.WAIT
    else:
        remedy = Remedy.RETRY
    return AttemptError(remedy, error.reason, error.message, error.retry_after_s)
