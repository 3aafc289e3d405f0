"""Every NATS stream, consumer and subject in one table, and the command that applies it.

    GATEWAY_NATS_URL=nats://127.0.0.1:4222 python -m services.common.topology

Services only bind: they fail at the start when a stream they need is missing. Works on nats-server 2.9.
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from services.common.nats_access import NatsSettings, connect, without_password

SUBJECT_PREFIX: Final = "packshot.v1"


@dataclass(frozen=True, slots=True)
class Stream:
    """A JetStream stream. `what` says who writes and who reads it; what a work queue's reader acknowledges is gone."""

    name: str
    subjects: tuple[str, ...]
    max_age_s: float
    duplicate_window_s: float
    what: str
    is_work_queue: bool = False


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable pull consumer, shared by all who pull from it.

    Args:
        ack_wait_s: A message neither acknowledged nor reported in progress for this long is given to another.
        max_ack_pending: Messages that may be in work at the same time, by all together.
    """

    name: str
    stream: str
    ack_wait_s: float
    max_ack_pending: int
    what: str


IMAGE_EVENTS: Final = Stream(
    name="IMAGE_EVENTS",
    subjects=(f"{SUBJECT_PREFIX}.image.*.*",),
    max_age_s=7 * 24 * 3600,
    duplicate_window_s=120,
    what="a step of an image; written by the gateway, read by whoever wants to know",
)

JOB_WORK: Final = Stream(
    name="JOB_WORK",
    subjects=(f"{SUBJECT_PREFIX}.work.item.*",),
    max_age_s=24 * 3600,
    duplicate_window_s=120,
    what="an item of a job may be worked on; written by the gateway's dispatcher, read by its workers",
    is_work_queue=True,
)

DEAD_LETTERS: Final = Stream(
    name="DEAD_LETTERS",
    subjects=(f"{SUBJECT_PREFIX}.work.dead.*",),
    max_age_s=30 * 24 * 3600,
    duplicate_window_s=120,
    what="an item of a job was given up; written by the gateway's workers, read by whoever wants to know",
)

STREAMS: Final = (IMAGE_EVENTS, JOB_WORK, DEAD_LETTERS)

WORKERS: Final = Consumer(
    name="workers",
    stream=JOB_WORK.name,
    ack_wait_s=30,
    max_ack_pending=10_000,
    what="the gateways' workers, all together",
)

CONSUMERS: Final = (WORKERS,)


def image_subject(event: str, tenant: str) -> str:
    """`packshot.v1.image.<event>.<tenant>`, e.g. `packshot.v1.image.received.acme`."""
    return f"{SUBJECT_PREFIX}.image.{event}.{tenant}"


def work_subject(tenant: str) -> str:
    """`packshot.v1.work.item.<tenant>`."""
    return f"{SUBJECT_PREFIX}.work.item.{tenant}"


def dead_letter_subject(tenant: str) -> str:
    """`packshot.v1.work.dead.<tenant>`."""
    return f"{SUBJECT_PREFIX}.work.dead.{tenant}"


def job_changed_subject(job_id: str) -> str:
    """`packshot.v1.job.changed.<job id>`, in no stream: wakes whoever waits for the job; `*` for all jobs."""
    return f"{SUBJECT_PREFIX}.job.changed.{job_id}"


async def apply(nats_url: str, ca_file: Path | None = None) -> list[str]:
    """Creates or updates every stream and consumer; returns a line about each.

    Args:
        ca_file: PEM: the connection is encrypted, and these authorities have signed for NATS.

    Raises:
        nats.errors.Error: The server has no JetStream.
        OSError, TimeoutError: It cannot be reached.
    """
    client = await connect(nats_url, ca_file, error_cb=_ignore)
    lines = []
    try:
        jetstream = client.jetstream()
        lines.extend([await _apply_stream(jetstream, stream) for stream in STREAMS])
        lines.extend([await _apply_consumer(jetstream, consumer) for consumer in CONSUMERS])
    finally:
        await client.close()
    return lines


async def _apply_stream(jetstream: JetStreamContext, stream: Stream) -> str:
    config = StreamConfig(
        name=stream.name,
        description=stream.what,
        subjects=list(stream.subjects),
        retention=RetentionPolicy.WORK_QUEUE if stream.is_work_queue else RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=stream.max_age_s,
        duplicate_window=stream.duplicate_window_s,
    )
    try:
        await jetstream.stream_info(stream.name)
    except NotFoundError:
        await jetstream.add_stream(config)
        return f"{stream.name}: created for {', '.join(stream.subjects)}"
    await jetstream.update_stream(config)
    return f"{stream.name}: up to date for {', '.join(stream.subjects)}"


async def _apply_consumer(jetstream: JetStreamContext, consumer: Consumer) -> str:
    config = ConsumerConfig(
        durable_name=consumer.name,
        description=consumer.what,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait_s,
        max_ack_pending=consumer.max_ack_pending,
        max_deliver=-1,  # attempts are counted in the database
    )
    try:
        await jetstream.consumer_info(consumer.stream, consumer.name)
    except NotFoundError:
        created = True
    else:
        created = False
    await jetstream.add_consumer(consumer.stream, config)
    return f"{consumer.stream}/{consumer.name}: {'created' if created else 'up to date'}"


async def _ignore(error: Exception) -> None:
    """What fails comes back as an exception; nats-py would print it with its traceback as well."""


def main() -> int:
    """Applies the table; 0 when done, 1 when NATS does not answer."""
    parser = argparse.ArgumentParser(prog="python -m services.common.topology", description=__doc__.split("\n")[0])
    parser.add_argument("--nats-url", help="e.g. nats://127.0.0.1:4222; GATEWAY_NATS_URL unless told, as passwords are")
    arguments = parser.parse_args()
    try:
        settings = NatsSettings()
    except ValueError as error:
        parser.error(str(error))
    url = arguments.nats_url or settings.nats_url.get_secret_value()
    if not url:
        parser.error("--nats-url or GATEWAY_NATS_URL is needed")
    try:
        lines = asyncio.run(apply(url, settings.nats_tls_ca_file))
    except (NatsError, OSError, TimeoutError) as error:
        print(f"cannot apply the topology at {without_password(url)}: {error!r}", file=sys.stderr)  # noqa: T201
        return 1
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
