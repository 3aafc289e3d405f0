"""What lies in a JetStream stream."""

from nats.aio.client import Client
from nats.js.api import RawStreamMsg

from services.common.topology import IMAGE_EVENTS


async def stored_count(client: Client) -> int:
    """How many image events are stored."""
    return int((await client.jetstream(timeout=5).stream_info(IMAGE_EVENTS.name)).state.messages)


async def stored(client: Client) -> list[RawStreamMsg]:
    """All stored image events, oldest first."""
    jetstream = client.jetstream(timeout=5)
    state = (await jetstream.stream_info(IMAGE_EVENTS.name)).state
    return [
        await jetstream.get_msg(IMAGE_EVENTS.name, sequence) for sequence in range(state.first_seq, state.last_seq + 1)
    ]
