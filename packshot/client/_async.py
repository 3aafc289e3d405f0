"""The client for asyncio; the same methods as the sync one."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self, Unpack

import grpc
from google.protobuf.message import Message

from packshot.client import _channel
from packshot.client._async_jobs import AsyncJobs
from packshot.client._async_reviews import AsyncReviews
from packshot.client._channel import translated
from packshot.client._credentials import Token, channel_credentials
from packshot.client._patience import Patience
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
)
from packshot.client._streams import Answer
from packshot.client._sync import PackshotClient, ResponseT
from packshot.errors import PackshotError
from packshot.v1.packshot_pb2 import (
    CheckImageRequest,
    CheckImageResponse,
    CutOutImageRequest,
    CutOutImageResponse,
    ProcessImageRequest,
    ProcessImageResponse,
)
from packshot.v1.packshot_pb2_grpc import PackshotServiceStub
from packshot.v1.rules_pb2 import GetRulePackRequest, ListRulePacksRequest, RulePack
from packshot.v1.status_pb2 import GetStatusRequest, GetStatusResponse
from packshot.v1.status_pb2_grpc import StatusServiceStub


class AsyncPackshotClient:
    """Talks to a gateway from asyncio. Make it inside the event loop, and close it or use `async with`.

    Arguments, methods and errors are PackshotClient's.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str | None = None,
        token: Token | None = None,
        timeout_s: float = 60.0,
        tls: bool = False,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        # grpc.aio forgets why a stream ended when that happens during a write ("Internal error from Core"), and with it
        # errors like a wrong key: streams are the sync client's, each with its own, so that closing it ends the stream.
        self._stream_client = partial(
            PackshotClient, address, api_key=api_key, token=token, timeout_s=timeout_s, tls=tls, credentials=credentials
        )
        self._address = address
        self._timeout_s = timeout_s
        self._answered = False
        self._metadata = _channel.metadata(api_key)
        options = _channel.options(address)
        opened_with = channel_credentials(address, tls=tls, credentials=credentials, token=token)
        if opened_with is None:
            self._channel = grpc.aio.insecure_channel(address, options)
        else:
            self._channel = grpc.aio.secure_channel(address, opened_with, options)
        self._stub = PackshotServiceStub(self._channel)
        self._status_stub = StatusServiceStub(self._channel)
        self.jobs = AsyncJobs(self._channel, address, self._metadata, timeout_s, self._stream_client)
        self.reviews = AsyncReviews(self._channel, address, self._metadata, timeout_s)

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
            with self._stream_client() as client:
                return await asyncio.to_thread(
                    client.process, photo, request_id=request_id, timeout_s=timeout_s, **arguments
                )
        request = ProcessImageRequest(photo=data, options=options, request_id=request_id)
        return await self._ask(self._stub.ProcessImage, request, file_of(photo), timeout_s)

    async def process_many(
        self,
        photos: Iterable[tuple[str, Photo]],
        *,
        concurrency: int = 4,
        timeout_s: float | None = None,
        **arguments: Unpack[ProcessArguments],
    ) -> AsyncIterator[tuple[str, Answer]]:
        """See PackshotClient.process_many; `async for` over it. `photos` is iterated in another thread."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="packshot-stream")
        try:
            with self._stream_client() as client:
                answers = client.process_many(photos, concurrency=concurrency, timeout_s=timeout_s, **arguments)
                while (answer := await loop.run_in_executor(thread, next, answers, None)) is not None:
                    yield answer
        finally:
            thread.shutdown(wait=False)

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
        return await self._ask(self._stub.CheckImage, request, file_of(image), timeout_s)

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
        return await self._ask(self._stub.CutOutImage, request, file_of(photo), timeout_s)

    async def list_rule_packs(self) -> list[RulePack]:
        """See PackshotClient.list_rule_packs."""
        return list((await self._ask(self._stub.ListRulePacks, ListRulePacksRequest())).packs)

    async def get_rule_pack(self, pack_id: str, *, category: str = "") -> RulePack:
        """See PackshotClient.get_rule_pack."""
        request = GetRulePackRequest(id=pack_id, category=category)
        return (await self._ask(self._stub.GetRulePack, request)).pack

    async def status(self) -> GetStatusResponse:
        """See PackshotClient.status."""
        return await self._ask(self._status_stub.GetStatus, GetStatusRequest())

    async def _ask(
        self,
        method: Callable[..., Awaitable[ResponseT]],
        request: Message,
        file: str | None = None,
        timeout_s: float | None = None,
    ) -> ResponseT:
        """The answer to a single call; `file` is the photo's path."""
        patience = Patience(timeout_s or self._timeout_s, answered=self._answered)
        while True:
            try:
                with translated(self._address, file):
                    response = await method(request, timeout=patience.left_s(), metadata=self._metadata)
            except PackshotError as error:
                await asyncio.sleep(patience.wait_s(error))
            else:
                self._answered = True
                return response
