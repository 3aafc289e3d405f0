"""ProcessImages: many photos over one stream, each answered when it is done, none able to end the stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final

import grpc
import structlog
from opentelemetry.context import Context
from opentelemetry.trace import Link, get_current_span

from packshot.v1.packshot_pb2 import (
    ProcessImageResponse,
    ProcessImagesRequest,
    ProcessImagesResponse,
    ProcessOptions,
    StreamItem,
)
from services.common import validation
from services.common.errors import ServiceError, internal, invalid_argument
from services.common.interceptors import request_id
from services.common.telemetry.traces import tracer

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

    Reads on only while fewer than `max_items` photos are unanswered, so a caller who sends fast, or reads slowly,
    is slowed down by flow control instead of filling memory.

    Args:
        process: Processes one photo: item id, bytes, options.
        max_items: Photos in work, or done and not yet sent, at the same time.
        max_upload_bytes: Limit of a photo that comes in chunks.
        stopping: Set when the service stops: no further photos are taken.
    """

    def __init__(self, process: ProcessItem, *, max_items: int, max_upload_bytes: int, stopping: asyncio.Event) -> None:
        self._process = process
        self._max_upload_bytes = max_upload_bytes
        self._stopping = stopping
        self._places = asyncio.Semaphore(max_items)
        self._answers: asyncio.Queue[ProcessImagesResponse | None] = asyncio.Queue()
        self._uploads: dict[str, _Upload] = {}
        self._refused_uploads: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}

    async def answer(
        self, requests: AsyncIterator[ProcessImagesRequest]
    ) -> AsyncGenerator[ProcessImagesResponse, None]:
        """Yields an answer per item until the caller has sent all and all are answered.

        Raises:
            ServiceError: UNAVAILABLE when the service stops; what is not answered by then may be sent again.
        """
        reader = asyncio.create_task(self._read(requests))
        try:
            while (response := await self._answers.get()) is not None:
                yield response
                self._places.release()
            await reader
        finally:
            tasks = [reader, *self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[ProcessImagesRequest]) -> None:
        try:
            taking = asyncio.create_task(self._take_all(requests))
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped = not taking.done()
                taking.cancel()
                stopping.cancel()
                await asyncio.gather(taking, stopping, return_exceptions=True)
            await asyncio.gather(*self._running.values())
            if stopped:
                raise ServiceError(
                    grpc.StatusCode.UNAVAILABLE,
                    "STOPPING",
                    "this gateway stops; send the photos without an answer again",
                    retry_after_s=1.0,
                )
            taking.result()
        finally:
            self._answers.put_nowait(None)

    async def _take_all(self, requests: AsyncIterator[ProcessImagesRequest]) -> None:
        async for request in requests:
            await self._take(request)
        for item_id in self._uploads:
            message = "the stream ended before the photo's last chunk"
            await self._fail(item_id, invalid_argument("chunk.last", "UPLOAD_INCOMPLETE", message))

    async def _take(self, request: ProcessImagesRequest) -> None:
        kind = request.WhichOneof("message")
        try:
            if kind == "item":
                # Fields are named as in unary errors, from the item on.
                validation.check(request.item)
                await self._take_item(request.item)
            elif kind == "chunk":
                await self._take_chunk(request)
            else:
                validation.check(request)
        except ServiceError as error:
            item_id = getattr(request, kind).item_id if kind else ""
            if kind == "item" and not request.item.photo:
                await self._refuse_announced(item_id, error)
            await self._fail(item_id, error)

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

    async def _refuse_announced(self, item_id: str, error: ServiceError) -> None:
        """The chunks of a refused item are on their way. An upload of the same id could not be told apart: it fails."""
        self._refused_uploads.add(item_id)
        if self._uploads.pop(item_id, None) is not None:
            await self._fail(item_id, error)

    async def _take_chunk(self, request: ProcessImagesRequest) -> None:
        chunk = request.chunk
        if chunk.item_id in self._refused_uploads:
            # Already answered with an error.
            if chunk.last:
                self._refused_uploads.discard(chunk.item_id)
            return
        upload = self._uploads.get(chunk.item_id)
        try:
            validation.check(request)
            if upload is None:
                raise invalid_argument(
                    "chunk.item_id", "UNKNOWN_ITEM", f"{chunk.item_id!r} was not announced by an item without photo"
                )
            if len(upload.photo) + len(chunk.data) > self._max_upload_bytes:
                raise invalid_argument(
                    "chunk.data",
                    "PHOTO_TOO_LARGE",
                    f"the photo has more than {self._max_upload_bytes} bytes",
                    {"limit_bytes": str(self._max_upload_bytes)},
                )
        except ServiceError:
            # One error for the photo, not one for each of its chunks.
            self._uploads.pop(chunk.item_id, None)
            if not chunk.last:
                self._refused_uploads.add(chunk.item_id)
            raise
        upload.photo += chunk.data
        if chunk.last:
            del self._uploads[chunk.item_id]
            if not upload.photo:
                raise invalid_argument("photo", "PHOTO_EMPTY", "the photo has 0 bytes")
            await self._start(chunk.item_id, bytes(upload.photo), upload.options)

    async def _start(self, item_id: str, photo: bytes, options: ProcessOptions) -> None:
        await self._places.acquire()
        self._running[item_id] = asyncio.create_task(self._run(item_id, photo, options))

    async def _run(self, item_id: str, photo: bytes, options: ProcessOptions) -> None:
        # A trace of its own that links to the stream's: a stream lives as long as its caller feeds it.
        stream = Link(get_current_span().get_span_context())
        about = {"packshot.request_id": request_id(), "packshot.item_id": item_id}
        with (
            structlog.contextvars.bound_contextvars(item_id=item_id),
            tracer.start_as_current_span("process photo", Context(), attributes=about, links=[stream]),
        ):
            await self._answer(item_id, photo, options)

    async def _answer(self, item_id: str, photo: bytes, options: ProcessOptions) -> None:
        try:
            result = await self._process(item_id, photo, options)
            response = ProcessImagesResponse(item_id=item_id, result=result)
        except ServiceError as error:
            response = ProcessImagesResponse(item_id=item_id, error=error.to_status())
        except Exception:
            log.exception("item failed")
            response = ProcessImagesResponse(item_id=item_id, error=internal(request_id()).to_status())
        finally:
            del self._running[item_id]
        self._answers.put_nowait(response)

    async def _fail(self, item_id: str, error: ServiceError) -> None:
        await self._places.acquire()
        self._answers.put_nowait(ProcessImagesResponse(item_id=item_id, error=error.to_status()))
