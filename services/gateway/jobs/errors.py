"""What state and store say cannot be done, in gRPC's words."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import structlog

from services.common.errors import ServiceError
from services.gateway.objects import ObjectStoreError
from services.gateway.state.errors import (
    ConflictError,
    NotFoundError,
    RequestIdReusedError,
    StateError,
    UnavailableError,
)

log = structlog.get_logger()


@contextmanager
def as_service_errors() -> Iterator[None]:
    """Turns a StateError or ObjectStoreError into the ServiceError the caller gets."""
    try:
        yield
    except StateError as error:
        raise _of_state(error) from error
    except ObjectStoreError as error:
        raise _of_store(error) from error


def not_configured() -> ServiceError:
    """This gateway has nowhere to keep jobs."""
    return ServiceError(
        grpc.StatusCode.FAILED_PRECONDITION,
        "JOBS_NOT_CONFIGURED",
        "this gateway keeps no jobs and reviews: start it with GATEWAY_DATABASE_URL, GATEWAY_OBJECTS_URL and "
        "GATEWAY_NATS_URL",
    )


def stopping(what_to_do: str) -> ServiceError:
    """The process ends, the stream with it."""
    return ServiceError(grpc.StatusCode.UNAVAILABLE, "STOPPING", f"this gateway stops; {what_to_do}", retry_after_s=1.0)


def _of_state(error: StateError) -> ServiceError:
    if isinstance(error, NotFoundError):
        reason = f"{error.what.upper().replace(' ', '_')}_NOT_FOUND"
        return ServiceError(grpc.StatusCode.NOT_FOUND, reason, str(error))
    if isinstance(error, RequestIdReusedError):
        return ServiceError(
            grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", str(error), metadata={"job_id": error.job_id}
        )
    if isinstance(error, ConflictError):
        return ServiceError(grpc.StatusCode.FAILED_PRECONDITION, error.reason, str(error))
    if isinstance(error, UnavailableError):
        return ServiceError(
            grpc.StatusCode.UNAVAILABLE,
            "DATABASE_UNAVAILABLE",
            "the gateway's database does not answer; try again later",
            retry_after_s=1.0,
        )
    raise error


def _of_store(error: ObjectStoreError) -> ServiceError:
    """The operator's details stay in the log."""
    log.warning("object store", reason=error.reason, error=error.message)
    if error.reason == "OBJECT_NOT_FOUND":
        return ServiceError(grpc.StatusCode.NOT_FOUND, "FILE_NOT_KEPT", "the file is not kept any more; make it again")
    if error.reason == "OBJECT_CORRUPT":
        return ServiceError(
            grpc.StatusCode.DATA_LOSS, "FILE_DAMAGED", "the file is not what was made; throw away what came of it"
        )
    return ServiceError(
        grpc.StatusCode.UNAVAILABLE,
        error.reason,
        "the gateway's object store does not take or give files now; try again later",
        retry_after_s=5.0,
    )
