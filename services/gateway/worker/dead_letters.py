"""Tells over NATS that an item was given up. The list of them that counts is the database's."""

import json
from datetime import datetime

from services.common.bus import Bus
from services.common.topology import dead_letter_subject
from services.gateway.state.work import Claimed


def publish(bus: Bus, claimed: Claimed, reason: str, message: str, now: datetime) -> None:
    """Queues the message; the bus sends it when it can. Consumers may drop repetitions by `item_id` and `died_at`."""
    item = claimed.item
    content = {
        "job_id": item.job_id,
        "item_id": item.id,
        "item_key": item.key,
        "sku": item.sku,
        "tenant": item.tenant,
        "reason": reason,
        "message": message,
        "attempts": item.attempts,
        "died_at": now.isoformat(),
    }
    bus.publish(dead_letter_subject(item.tenant), json.dumps(content).encode(), f"dead-{claimed.lease}")
