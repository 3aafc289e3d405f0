"""For receivers of Packshot's webhooks: is this call ours, is it fresh, and was it here before?

    delivery = verify(secret, request.headers, request.body)
    if seen.first_time(delivery.delivery_id):
        handle(delivery.event)

docs/webhooks.md describes the format. This module needs nothing but Python.
"""

import hashlib
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Delivery", "SeenDeliveries", "WebhookError", "verify"]

_TOLERANCE_S: Final = 300.0
_KEEP_S: Final = 2 * 86_400.0
_MAX_HEADER_CHARS: Final = 1024


class WebhookError(ValueError):
    """A call that must not be believed; answer it with status 400."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A call that is ours.

    Attributes:
        delivery_id: the same when a delivery is repeated.
        timestamp_s: when it was sent, in seconds since 1970.
        event: what happened, as docs/webhooks.md describes it.
    """

    delivery_id: str
    timestamp_s: int
    event: dict[str, Any]


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_s: float = _TOLERANCE_S,
    now_s: float | None = None,
) -> Delivery:
    """Check a call and read its event.

    Args:
        secret: the tenant's webhook secret, as it was handed out.
        headers: of the call; upper and lower case do not matter.
        body: its bytes as they came, before anything has parsed them.
        tolerance_s: how far the time of sending may be from now, either way: older calls are replays.
        now_s: seconds since 1970; None asks the clock.

    Raises:
        WebhookError: A header is missing, the signature does not fit, or the call is too old.
    """
    if not secret:
        raise ValueError("verify needs the tenant's webhook secret, and it is empty")
    given = {name.lower(): value for name, value in headers.items()}
    delivery_id = given.get("packshot-delivery", "")
    timestamp, signatures = _parse(given.get("packshot-signature", ""))
    signed = f"{timestamp}.{delivery_id}.".encode() + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    # compare_digest takes the same time wherever the first difference is.
    if not any(hmac.compare_digest(expected, signature.encode()) for signature in signatures):
        raise WebhookError("the signature does not fit; check the secret, and that the body is unchanged")
    age_s = (time.time() if now_s is None else now_s) - timestamp
    if abs(age_s) > tolerance_s:
        raise WebhookError(f"sent {age_s:.0f} s ago, and {tolerance_s:g} s are tolerated; a replay, or a wrong clock")
    try:
        event = json.loads(body)
    except ValueError as error:
        raise WebhookError("the body is no JSON") from error
    if not isinstance(event, dict):
        raise WebhookError("the body is no JSON object")
    return Delivery(delivery_id, timestamp, event)


class SeenDeliveries:
    """Remembers delivery ids, so that a repeated delivery is handled once.

    In the memory of one process: receivers of several processes keep the ids in their database instead, in the
    transaction that handles the event.

    Args:
        keep_s: how long an id is remembered; deliveries are repeated for a day.
        clock: seconds, for tests.
    """

    def __init__(self, keep_s: float = _KEEP_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def first_time(self, delivery_id: str) -> bool:
        """Whether this id was not seen before; it is from now on."""
        now = self._clock()
        while self._seen and next(iter(self._seen.values())) <= now - self._keep_s:
            self._seen.popitem(last=False)
        if delivery_id in self._seen:
            return False
        self._seen[delivery_id] = now
        return True


def _parse(header: str) -> tuple[int, list[str]]:
    """Timestamp and signatures of "t=1764547200,v1=5257a8…"; there may be several v1 while a secret is changed."""
    if len(header) > _MAX_HEADER_CHARS:
        raise WebhookError("the header Packshot-Signature is too long")
    parts = [part.strip().partition("=") for part in header.split(",")]
    timestamps = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(timestamps) != 1 or not signatures or not (timestamps[0].isascii() and timestamps[0].isdecimal()):
        raise WebhookError("the header Packshot-Signature is missing or is not t=SECONDS,v1=SIGNATURE")
    return int(timestamps[0]), signatures
