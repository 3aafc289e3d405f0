"""What can be wrong with a request about jobs, reviews and the like; the servicers say it in gRPC's words."""


class StateError(Exception):
    """What is asked for cannot be done; the message is for the caller."""


class NotFoundError(StateError):
    """There is no such thing, or it is another tenant's: both read the same.

    Args:
        what: "job", "item", "review" or "dead letter".
        name: Its id or key.
    """

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"there is no {what} {name}")
        self.what = what
        self.name = name


class RequestIdReusedError(StateError):
    """The request id was used for a job with other content."""

    def __init__(self, request_id: str, job_id: str) -> None:
        super().__init__(f"request_id {request_id} was used for {job_id}, whose content differs; use a new one")
        self.request_id = request_id
        self.job_id = job_id


class ConflictError(StateError):
    """The thing's state does not allow it, e.g. photos for a job that takes no more; `reason` is UPPER_SNAKE."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnavailableError(StateError):
    """The database does not answer, or kept being busy: try again later."""
