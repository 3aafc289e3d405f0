"""Where the next page of a list begins, as a text that callers hand back unread."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from packshot.v1.jobs_pb2 import ListDeadLettersRequest, ListJobItemsRequest, ListJobsRequest
from packshot.v1.reviews_pb2 import ListReviewsRequest
from services.common.errors import ServiceError, invalid_argument

ListRequest = ListJobsRequest | ListJobItemsRequest | ListDeadLettersRequest | ListReviewsRequest
Position = tuple[str | int, ...]
"""What the last entry of a page is sorted by."""

DEFAULT_PAGE_SIZE: Final = 100
_LARGEST: Final = 2**31


def page_size(request: ListRequest) -> int:
    """How many entries were asked for."""
    return request.page_size or DEFAULT_PAGE_SIZE


def next_page_token(request: ListRequest, last: Sequence[str | int]) -> str:
    """The token of the page after the one that ends at `last`."""
    text = json.dumps([_fingerprint(request), *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(request: ListRequest, kinds: Sequence[type[str] | type[int]]) -> Position | None:
    """Where the asked page begins: after this; None for the first page.

    Args:
        request: Its filters must be those of the request that the token was given for.
        kinds: The types of the position's parts.

    Raises:
        ServiceError: INVALID_ARGUMENT when the token is not one of this list's.
    """
    token = request.page_token
    if not token:
        return None
    try:
        found = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _unknown() from None
    if not isinstance(found, list) or [type(part) for part in found] != [str, *kinds]:
        raise _unknown()
    fingerprint, *last = found
    if not all(_is_plain(part) for part in last):
        raise _unknown()
    if fingerprint != _fingerprint(request):
        raise invalid_argument(
            "page_token", "PAGE_TOKEN_OF_ANOTHER_LIST", "it was given for other filters; ask with those, or begin anew"
        )
    return tuple(last)


def position_in_time(request: ListRequest) -> tuple[datetime, str] | None:
    """Where the asked page of a list by time begins: after this time and id; errors as of `position`."""
    found = position(request, (str, str))
    if found is None:
        return None
    try:
        time = datetime.fromisoformat(str(found[0])).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unknown() from None
    return time, str(found[1])


def _is_plain(part: str | int) -> bool:
    """A database takes it."""
    return 0 <= part < _LARGEST if isinstance(part, int) else part.isascii() and part.isprintable()


def _unknown() -> ServiceError:
    return invalid_argument("page_token", "PAGE_TOKEN_UNKNOWN", "no list here gave this token; begin without one")


def _fingerprint(request: ListRequest) -> str:
    """Of the list and its filters."""
    filters: Any = type(request)()
    filters.CopyFrom(request)
    filters.ClearField("page_size")
    filters.ClearField("page_token")
    content = type(request).__name__.encode() + b"\0" + filters.SerializeToString(deterministic=True)
    return hashlib.sha256(content).hexdigest()[:12]
