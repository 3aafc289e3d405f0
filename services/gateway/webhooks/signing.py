"""Signs what is sent to webhooks, as docs/webhooks.md describes it; `packshot.webhooks` verifies it.

The two share the documented format and no code, so that a mistake in one of them shows.
"""

import hashlib
import hmac
from datetime import datetime


def signed_headers(secret: str, delivery_id: str, body: bytes, sent_at: datetime) -> dict[str, str]:
    """The headers that prove a delivery: HMAC-SHA256 over "<timestamp>.<delivery id>.<body>".

    Args:
        secret: The tenant's; its UTF-8 bytes are the key.
        delivery_id: The same in every repetition.
        body: The bytes that are sent.
        sent_at: Aware; receivers refuse calls that are too old.
    """
    seconds = int(sent_at.timestamp())
    mac = hmac.new(secret.encode(), digestmod=hashlib.sha256)
    mac.update(f"{seconds}.{delivery_id}.".encode())
    mac.update(body)
    return {"Packshot-Delivery": delivery_id, "Packshot-Signature": f"t={seconds},v1={mac.hexdigest()}"}
