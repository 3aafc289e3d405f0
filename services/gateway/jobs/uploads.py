"""UploadJobItems: photos as chunks of a stream, each an item of the job as soon as it is whole.

What was whole when a stream breaks stays; its caller sends all again, and what is there is read over.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

import grpc
from sqlalchemy import select

from packshot.v1.jobs_pb2 import UploadChunk, UploadItem, UploadJobItemsRequest, UploadStart
from services.common import validation
from services.common.errors import ServiceError, invalid_argument
from services.gateway.catalogue.rows import MAX_ROWS
from services.gateway.jobs.errors import stopping as stopping_error
from services.gateway.jobs.files import keep_photo
from services.gateway.jobs.store import JobStore
from services.gateway.limits import TenantLimits
from services.gateway.state import jobs
from services.gateway.state.jobs import NewItem
from services.gateway.state.tables import Item, JobState

_BATCH_ITEMS: Final = 50
_BATCH_BYTES: Final = 8 * 2**20
_BATCH_S: Final = 0.5
"""Photos are kept several at a time: less waiting for the disk, fewer transactions, fewer events."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came of a stream."""

    job_id: str
    added: int
    skipped: int


@dataclass(slots=True)
class _Photo:
    """A photo that is coming in; `content` is None when it is read over or has too many bytes."""

    item: UploadItem
    content: bytearray | None
    too_large: bool = False


class Upload:
    """One caller's stream.

    Args:
        store: Where photos and items go.
        limits: Of the tenant, past which the stream is read later; None: there are none.
        tenant: Whose they are.
        max_photo_bytes: An item whose photo has more fails.
        stopping: Set when the service stops: nothing more is read.
    """

    def __init__(
        self,
        store: JobStore,
        limits: TenantLimits | None,
        tenant: str,
        *,
        max_photo_bytes: int,
        stopping: asyncio.Event,
    ) -> None:
        self._store = store
        self._limits = limits
        self._tenant = tenant
        self._max_photo_bytes = max_photo_bytes
        self._stopping = stopping
        self._job_id = ""
        self._photo: _Photo | None = None
        self._waiting: list[tuple[UploadItem, bytes | None]] = []
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        self._room = 0
        self._added = 0
        self._skipped = 0

    async def receive(self, requests: AsyncIterator[UploadJobItemsRequest]) -> Uploaded:
        """Reads the stream to its end.

        Raises:
            ServiceError: A message is wrong or out of order, or the service stops. What was whole before stays.
            StateError: NotFoundError, ConflictError JOB_NOT_OPEN, UnavailableError.
            ObjectStoreError: A photo cannot be kept.
        """
        async with aclosing(_until(self._stopping, requests)) as messages:
            start = await self._start(messages)
            try:
                async for message in messages:
                    if self._waiting and monotonic() - self._waiting_since >= _BATCH_S:
                        await self._keep_waiting()
                    if message is not None:
                        await self._take(message)
            finally:
                await self._keep_waiting()
        if self._photo is not None:
            key = self._photo.item.item_key
            raise invalid_argument("chunk.last", "UPLOAD_INCOMPLETE", f"the stream ended within the photo of {key!r}")
        if start.complete:
            await self._close()
        return Uploaded(self._job_id, self._added, self._skipped)

    async def _start(self, messages: AsyncIterator[UploadJobItemsRequest | None]) -> UploadStart:
        async for message in messages:
            if message is None:
                continue
            validation.check(message)
            if message.WhichOneof("message") != "start":
                break
            self._job_id = message.start.job_id
            async with self._store.database.read() as session:
                job = await jobs.get_job(session, self._tenant, self._job_id)
            # A repeated end of uploads is no error: the answer to the first may have been lost.
            if job.state is not JobState.OPEN and not message.start.complete:
                raise _not_open(self._job_id)
            self._room = MAX_ROWS - job.total
            return message.start
        raise invalid_argument("message", "UPLOAD_NOT_STARTED", "the first message must be `start`")

    async def _close(self) -> None:
        now = datetime.now(UTC)
        await self._store.database.write(lambda session: jobs.close_uploads(session, self._tenant, self._job_id, now))
        self._store.changed(self._job_id)

    async def _take(self, message: UploadJobItemsRequest) -> None:
        validation.check(message)
        match message.WhichOneof("message"):
            case "item":
                await self._take_item(message.item)
            case "chunk":
                await self._take_chunk(message.chunk)
            case _:
                raise invalid_argument("start", "UPLOAD_STARTED", "`start` comes once, first")

    async def _take_item(self, item: UploadItem) -> None:
        if self._photo is not None:
            raise invalid_argument(
                "item", "UPLOAD_INCOMPLETE", f"the photo of {self._photo.item.item_key!r} has had no last chunk yet"
            )
        is_there = await self._is_there(item.item_key)
        if not is_there:
            if self._room < 1:
                raise _full(self._job_id)
            self._room -= 1
        self._photo = _Photo(item, None if is_there else bytearray())

    async def _take_chunk(self, chunk: UploadChunk) -> None:
        photo = self._photo
        if photo is None:
            raise invalid_argument("chunk", "UPLOAD_NOT_ANNOUNCED", "a chunk comes after the `item` it belongs to")
        if photo.content is not None:
            photo.content += chunk.data
            if len(photo.content) > self._max_photo_bytes:
                photo.content, photo.too_large = None, True
        if chunk.last:
            self._photo = None
            await self._finish(photo)

    async def _finish(self, photo: _Photo) -> None:
        if photo.content is None and not photo.too_large:
            self._skipped += 1
            return
        if self._limits is not None:
            await self._limits.wait_for_bytes(self._tenant, len(photo.content or b""))
        if not self._waiting:
            self._waiting_since = monotonic()
        self._waiting.append((photo.item, None if photo.content is None else bytes(photo.content)))
        self._waiting_bytes += len(photo.content or b"")
        if len(self._waiting) >= _BATCH_ITEMS or self._waiting_bytes >= _BATCH_BYTES:
            await self._keep_waiting()

    async def _keep_waiting(self) -> None:
        """Photos first, then the rows that speak of them; what is broken off within it can be done again."""
        if not self._waiting:
            return
        items = await asyncio.gather(*(self._kept(item, content) for item, content in self._waiting))
        now = datetime.now(UTC)
        added, skipped = await self._store.database.write(
            lambda session: jobs.add_items(session, self._tenant, self._job_id, items, now)
        )
        self._waiting, self._waiting_bytes = [], 0
        self._added += added
        self._skipped += skipped
        self._store.changed(self._job_id)

    async def _kept(self, item: UploadItem, content: bytes | None) -> NewItem:
        """The item, its photo in the store; one without a photo has failed."""
        reason, message, photo_object = "", "", ""
        if content is None:
            reason, message = "PHOTO_TOO_LARGE", f"the photo has more than {self._max_photo_bytes} bytes"
        elif not content:
            reason, message = "PHOTO_EMPTY", "the photo has 0 bytes"
        else:
            photo_object = await keep_photo(self._store.objects, self._tenant, content)
        return NewItem(
            key=item.item_key,
            sku=item.sku,
            photo_object=photo_object,
            category=item.category,
            marketplaces=tuple(item.marketplaces),
            error_reason=reason,
            error_message=message,
        )

    async def _is_there(self, key: str) -> bool:
        if any(item.item_key == key for item, _ in self._waiting):
            return True
        wanted = select(Item.id).where(Item.tenant == self._tenant, Item.job_id == self._job_id, Item.key == key)
        async with self._store.database.read() as session:
            return await session.scalar(wanted) is not None


def _not_open(job_id: str) -> ServiceError:
    return ServiceError(
        grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_OPEN", f"{job_id} takes no more photos; make another job"
    )


def _full(job_id: str) -> ServiceError:
    return ServiceError(
        grpc.StatusCode.FAILED_PRECONDITION,
        "JOB_FULL",
        f"{job_id} has {MAX_ROWS:,} photos, the most a job may have; make another job",
        metadata={"limit": str(MAX_ROWS)},
    )


async def _until(
    stop: asyncio.Event, requests: AsyncIterator[UploadJobItemsRequest]
) -> AsyncGenerator[UploadJobItemsRequest | None, None]:
    """The stream's messages, None while none comes; ServiceError UNAVAILABLE once the service stops."""
    stream = aiter(requests)
    stopped = asyncio.create_task(stop.wait())
    taking: asyncio.Future[UploadJobItemsRequest | None] | None = None
    try:
        while True:
            if taking is None:
                taking = asyncio.ensure_future(anext(stream, None))
            either: set[asyncio.Future[Any]] = {taking, stopped}
            await asyncio.wait(either, timeout=_BATCH_S, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done() and not taking.done():
                raise stopping_error("send what is left again")
            if not taking.done():
                yield None
                continue
            message = taking.result()
            if message is None:
                return
            taking = None
            yield message
    finally:
        for waiting in (stopped, taking):
            if waiting is not None and not waiting.done():
                waiting.cancel()
