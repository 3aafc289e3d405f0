from collections.abc import AsyncIterator

import nats
import pytest
from nats.aio.client import Client

from services.common import topology
from tests.helpers.nats_server import NatsServer, nats_server

__all__ = ["nats_server"]


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A client of a NATS without streams."""
    client = await nats.connect(nats_server.url, reconnect_time_wait=0.1)
    jetstream = client.jetstream()
    for stream in await jetstream.streams_info():
        await jetstream.delete_stream(str(stream.config.name))
    yield client
    await client.close()


@pytest.fixture
async def events(client: Client, nats_server: NatsServer) -> Client:
    """A client of a NATS with the streams applied and empty."""
    await topology.apply(nats_server.url)
    return client
