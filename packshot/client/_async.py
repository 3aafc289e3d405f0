"""The client for asyncio; the same methods as the sync one."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import grpc

from packshot import errors
from packshot.client import _channel
from packshot.client._requests import (
    MAX_UNARY_BYTES,
    Photo,
    ProcessArguments,
    Region,
    bounding_box,
    file_of,
    iso_date,
    process_options,
    read_photo,
    stream_messages,
)
from packshot.client._streams import MAX_BREAKS, Answer, ended_early, next_try_s, outcome
from packshot.v1.packshot_pb2 import (
    CheckImageRequest,
    CheckImageResponse,
    CutOutImageRequest,
    CutOutImageResponse,
    ProcessImageRequest,
    ProcessImageResponse,
    ProcessImagesRequest,
    ProcessImagesResponse,
    ProcessOptions,
)
from packshot.v1.packshot_pb2_grpc import PackshotServiceStub
from packshot.v1.rules_pb2 import GetRulePackRequest, ListRulePacksRequest, RulePack

if TYPE_CHECKING:
    from packshot.v1.packshot_pb2_grpc import PackshotServiceAsyncStub


class AsyncPackshotClient:
    """Talks to a gateway from asyncio. Make it inside the event loop, and close it or use `async with`.

    Arguments, methods and errors are PackshotClient's.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        tls: bool = False,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._metadata = _channel.metadata(api_key)
        options = _channel.options(address)
        if credentials is None and tls:
            credentials = grpc.ssl_channel_credentials()
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options)
        self._stub = PackshotServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection and what still runs on it."""
        await self._channel.close()

    async def process(
        self,
        photo: Photo,
        *,
        request_id: str = "",
        timeout_s: float | None = None,
        **arguments: Unpack[ProcessArguments],
    ) -> ProcessImageResponse:
        """See PackshotClient.process."""
        options = process_options(arguments)
        data = await asyncio.to_thread(read_photo, photo)
        if len(data) > MAX_UNARY_BYTES:
            return await self._process_large(photo, data, options, request_id, timeout_s)
        request = ProcessImageRequest(photo=data, options=options, request_id=request_id)
        with self._errors(file_of(photo)):
            return await self._stub.ProcessImage(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata)

    def process_many(
        self,
        photos: Iterable[tuple[str, Photo]],
        *,
        concurrency: int = 4,
        timeout_s: float | None = None,
        **arguments: Unpack[ProcessArguments],
    ) -> AsyncIterator[tuple[str, Answer]]:
        """See PackshotClient.process_many; `async for` over it."""
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        return self._process_many(iter(photos), concurrency, timeout_s or self._timeout_s, process_options(arguments))

    async def check(
        self,
        image: Photo,
        *,
        marketplaces: Sequence[str] = (),
        category: str = "",
        as_of: datetime.date | None = None,
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> CheckImageResponse:
        """See PackshotClient.check."""
        request = CheckImageRequest(
            image=await asyncio.to_thread(read_photo, image, max_bytes=MAX_UNARY_BYTES),
            marketplaces=marketplaces,
            category=category,
            as_of_date=iso_date(as_of),
            request_id=request_id,
        )
        with self._errors(file_of(image)):
            return await self._stub.CheckImage(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata)

    async def cut_out(
        self,
        photo: Photo,
        *,
        region_of_interest: Region | None = None,
        keep_background: bool = False,
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> CutOutImageResponse:
        """See PackshotClient.cut_out."""
        request = CutOutImageRequest(
            photo=await asyncio.to_thread(read_photo, photo, max_bytes=MAX_UNARY_BYTES),
            region_of_interest=bounding_box(region_of_interest),
            keep_background=keep_background,
            request_id=request_id,
        )
        with self._errors(file_of(photo)):
            return await self._stub.CutOutImage(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata)

    async def list_rule_packs(self) -> list[RulePack]:
        """See PackshotClient.list_rule_packs."""
        with self._errors():
            response = await self._stub.ListRulePacks(
                ListRulePacksRequest(), timeout=self._timeout_s, metadata=self._metadata
            )
        return list(response.packs)

    async def get_rule_pack(self, pack_id: str, *, category: str = "") -> RulePack:
        """See PackshotClient.get_rule_pack."""
        request = GetRulePackRequest(id=pack_id, category=category)
        with self._errors():
            response = await self._stub.GetRulePack(request, timeout=self._timeout_s, metadata=self._metadata)
        return response.pack

    async def _process_large(
        self, photo: Photo, data: bytes, options: ProcessOptions, request_id: str, timeout_s: float | None
    ) -> ProcessImageResponse:
        stream = _Stream(self._stub, self._metadata)
        item_id = request_id or "photo"
        try:
            stream.send(item_id, options, data)
            with self._errors(file_of(photo)):
                answer = outcome(await stream.receive(timeout_s or self._timeout_s, self._address), photo)
        finally:
            stream.close()
        if isinstance(answer, errors.PackshotError):
            raise answer
        return answer

    async def _process_many(
        self,
        photos: Iterator[tuple[str, Photo]],
        concurrency: int,
        timeout_s: float,
        options: ProcessOptions,
    ) -> AsyncIterator[tuple[str, Answer]]:
        unanswered: dict[str, Photo] = {}
        breaks = 0
        stream = _Stream(self._stub, self._metadata)
        try:
            while True:
                while len(unanswered) < concurrency and (item := next(photos, None)) is not None:
                    item_id, photo = item
                    if item_id in unanswered:
                        raise ValueError(f"item id {item_id!r} is still unanswered: ids must be unique")
                    try:
                        data = await asyncio.to_thread(read_photo, photo)
                    except errors.PackshotError as error:
                        yield item_id, error
                        continue
                    unanswered[item_id] = photo
                    stream.send(item_id, options, data)
                if not unanswered:
                    return
                try:
                    with self._errors():
                        response = await stream.receive(timeout_s, self._address)
                except errors.UnavailableError:
                    breaks += 1
                    if breaks > MAX_BREAKS:
                        raise
                    stream.close()
                    await asyncio.sleep(next_try_s(breaks))
                    photos = chain(list(unanswered.items()), photos)
                    unanswered.clear()
                    stream = _Stream(self._stub, self._metadata)
                    continue
                breaks = 0
                if response.item_id in unanswered:
                    photo = unanswered.pop(response.item_id)
                    yield response.item_id, outcome(response, photo)
        finally:
            stream.close()

    @contextmanager
    def _errors(self, file: str | None = None) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise errors.from_rpc_error(error, self._address, file) from error


class _Stream:
    """One ProcessImages call, driven by whoever reads its answers."""

    def __init__(self, stub: "PackshotServiceAsyncStub", metadata: tuple[tuple[str, str], ...]) -> None:
        self._requests: asyncio.Queue[ProcessImagesRequest | None] = asyncio.Queue()
        self._call = stub.ProcessImages(self._messages(), metadata=metadata)

    def send(self, item_id: str, options: ProcessOptions, data: bytes) -> None:
        for message in stream_messages(item_id, options, data):
            self._requests.put_nowait(message)

    async def receive(self, timeout_s: float, address: str) -> ProcessImagesResponse:
        """The next answer; raises as the sync client's."""
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._call.read()
        except TimeoutError:
            raise errors.no_answer_in_time(address) from None
        if not isinstance(response, ProcessImagesResponse):  # grpc.aio.EOF
            raise ended_early(address)
        return response

    def close(self) -> None:
        self._requests.put_nowait(None)
        self._call.cancel()

    async def _messages(self) -> AsyncIterator[ProcessImagesRequest]:
        while (message := await self._requests.get()) is not None:
            yield message
