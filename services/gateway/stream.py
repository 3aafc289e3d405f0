"""ProcessImages: many photos over one stream, each answered when it is done, none able to end the stream."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import grpc
import structlog

from packshot.v1.packshot_pb2 import (
    PhotoChunk,
    ProcessImageResponse,
    ProcessImagesRequest,
    ProcessImagesResponse,
    ProcessOptions,
    StreamItem,
)
from services.common import validation
from services.common.errors import ServiceError, invalid_argument

ProcessItem = Callable[[str, bytes, ProcessOptions], Awaitable[ProcessImageResponse]]

MAX_OPEN_UPLOADS: Final = 4

log = structlog.get_logger()


class _Upload:
    """A photo that is still coming in."""

    def __init__(self, options: ProcessOptions) -> None:
        self.options = options
        self.photo = bytearray()


class PhotoStream:
    """One caller's stream.

    Reads on only while fewer than `max_items` photos are unanswered, so a fast caller is slowed down by flow
    control instead of filling memory.

    Args:
        process: Processes one photo: item id, bytes, options.
        max_items: Photos in work at the same time.
        max_upload_bytes: Limit of a photo that comes in chunks.
    """

    def __init__(self, process: ProcessItem, *, max_items: int, max_upload_bytes: int) -> None:
        self._process = process
        self._max_upload_bytes = max_upload_bytes
        self._places = asyncio.Semaphore(max_items)
        self._answers: asyncio.Queue[ProcessImagesResponse | None] = asyncio.Queue()
        self._uploads: dict[str, _Upload] = {}
        self._refused_uploads: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}

    async def answer(self, requests: AsyncIterator[ProcessImagesRequest]) -> AsyncIterator[ProcessImagesResponse]:
        """Yields an answer per item until the caller has sent all and all are answered."""
        reader = asyncio.create_task(self._read(requests))
        try:
            while (response := await self._answers.get()) is not None:
                yield response
            await reader
        finally:
            tasks = [reader, *self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[ProcessImagesRequest]) -> None:
        try:
            async for request in requests:
                await self._take(request)
            for item_id in self._uploads:
                self._fail(
                    item_id,
                    invalid_argument(
                        "chunk.last", "UPLOAD_INCOMPLETE", "the stream ended before the photo's last chunk"
                    ),
                )
            await asyncio.gather(*self._running.values())
        finally:
            self._answers.put_nowait(None)

    async def _take(self, request: ProcessImagesRequest) -> None:
        kind = request.WhichOneof("message")
        item_id = getattr(request, kind).item_id if kind else ""
        try:
            validation.check(request)
            if kind == "item":
                await self._take_item(request.item)
            else:
                await self._take_chunk(request.chunk)
        except ServiceError as error:
            if kind == "item" and not request.item.photo:
                self._refused_uploads.add(item_id)
            self._fail(item_id, error)

    async def _take_item(self, item: StreamItem) -> None:
        if item.item_id in self._running or item.item_id in self._uploads:
            raise ServiceError(
                grpc.StatusCode.ALREADY_EXISTS, "ITEM_ID_IN_USE", f"item {item.item_id!r} is not answered yet"
            )
        if item.photo:
            await self._start(item.item_id, item.photo, item.options)
        elif len(self._uploads) >= MAX_OPEN_UPLOADS:
            raise ServiceError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "TOO_MANY_UPLOADS",
                f"{MAX_OPEN_UPLOADS} photos are being uploaded already; finish one first",
                metadata={"limit": str(MAX_OPEN_UPLOADS)},
            )
        else:
            self._refused_uploads.discard(item.item_id)
            self._uploads[item.item_id] = _Upload(item.options)

    async def _take_chunk(self, chunk: PhotoChunk) -> None:
        if chunk.item_id in self._refused_uploads:
            # Already answered with an error; its chunks were on their way.
            if chunk.last:
                self._refused_uploads.discard(chunk.item_id)
            return
        upload = self._uploads.get(chunk.item_id)
        if upload is None:
            raise invalid_argument(
                "chunk.item_id", "UNKNOWN_ITEM", f"{chunk.item_id!r} was not announced by an item without photo"
            )
        size = len(upload.photo) + len(chunk.data)
        if size > self._max_upload_bytes:
            del self._uploads[chunk.item_id]
            if not chunk.last:
                self._refused_uploads.add(chunk.item_id)
            raise invalid_argument(
                "chunk.data",
                "PHOTO_TOO_LARGE",
                f"the photo has more than {self._max_upload_bytes} bytes",
                {"limit_bytes": str(self._max_upload_bytes)},
            )
        upload.photo += chunk.data
        if chunk.last:
            del self._uploads[chunk.item_id]
            if not upload.photo:
                raise invalid_argument("item.photo", "PHOTO_EMPTY", "the photo has 0 bytes")
            await self._start(chunk.item_id, bytes(upload.photo), upload.options)

    async def _start(self, item_id: str, photo: bytes, options: ProcessOptions) -> None:
        await self._places.acquire()
        self._running[item_id] = asyncio.create_task(self._run(item_id, photo, options))

    async def _run(self, item_id: str, photo: bytes, options: ProcessOptions) -> None:
        try:
            result = await self._process(item_id, photo, options)
            response = ProcessImagesResponse(item_id=item_id, result=result)
        except ServiceError as error:
            response = ProcessImagesResponse(item_id=item_id, error=error.to_status())
        except Exception:
            log.exception("item failed", item_id=item_id)
            internal = ServiceError(grpc.StatusCode.INTERNAL, "INTERNAL", "an internal error, please report it")
            response = ProcessImagesResponse(item_id=item_id, error=internal.to_status())
        finally:
            self._places.release()
            del self._running[item_id]
        self._answers.put_nowait(response)

    def _fail(self, item_id: str, error: ServiceError) -> None:
        self._answers.put_nowait(ProcessImagesResponse(item_id=item_id, error=error.to_status()))
