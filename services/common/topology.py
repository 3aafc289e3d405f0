"""Every NATS stream and subject in one table, and the command that applies it.

    python -m services.common.topology --nats-url nats://127.0.0.1:4222

Services only bind: they fail at the start when a stream they need is missing. Works on nats-server 2.9.
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

SUBJECT_PREFIX: Final = "packshot.v1"

CONNECT_TIMEOUT_S: Final = 5.0
"""How long to wait for NATS at the start."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A JetStream stream. `what` says who writes and who reads it."""

    name: str
    subjects: tuple[str, ...]
    max_age_s: float
    duplicate_window_s: float
    what: str


IMAGE_EVENTS: Final = Stream(
    name="IMAGE_EVENTS",
    subjects=(f"{SUBJECT_PREFIX}.image.*.*",),
    max_age_s=7 * 24 * 3600,
    duplicate_window_s=120,
    what="a step of an image; written by the gateway, read by whoever wants to know",
)

STREAMS: Final = (IMAGE_EVENTS,)


def image_subject(event: str, tenant: str) -> str:
    """`packshot.v1.image.<event>.<tenant>`, e.g. `packshot.v1.image.received.acme`."""
    return f"{SUBJECT_PREFIX}.image.{event}.{tenant}"


async def apply(nats_url: str) -> list[str]:
    """Creates or updates every stream; returns a line about each.

    Raises:
        nats.errors.Error: The server has no JetStream.
        OSError, TimeoutError: It cannot be reached.
    """
    client = Client()
    lines = []
    try:
        # The client itself would go on trying for ever.
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.connect(nats_url, error_cb=_ignore)
        jetstream = client.jetstream()
        for stream in STREAMS:
            config = StreamConfig(
                name=stream.name,
                description=stream.what,
                subjects=list(stream.subjects),
                retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE,
                max_age=stream.max_age_s,
                duplicate_window=stream.duplicate_window_s,
            )
            try:
                await jetstream.stream_info(stream.name)
            except NotFoundError:
                await jetstream.add_stream(config)
                lines.append(f"{stream.name}: created for {', '.join(stream.subjects)}")
            else:
                await jetstream.update_stream(config)
                lines.append(f"{stream.name}: up to date for {', '.join(stream.subjects)}")
    finally:
        await client.close()
    return lines


async def _ignore(error: Exception) -> None:
    """What fails comes back as an exception; nats-py would print it with its traceback as well."""


def main() -> int:
    """Applies the table; 0 when done, 1 when NATS does not answer."""
    parser = argparse.ArgumentParser(prog="python -m services.common.topology", description=__doc__.split("\n")[0])
    parser.add_argument("--nats-url", required=True, help="e.g. nats://127.0.0.1:4222")
    arguments = parser.parse_args()
    try:
        lines = asyncio.run(apply(arguments.nats_url))
    except (NatsError, OSError, TimeoutError) as error:
        print(f"cannot apply the topology at {arguments.nats_url}: {error!r}", file=sys.stderr)  # noqa: T201
        return 1
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
