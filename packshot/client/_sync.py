"""The client for ordinary code."""

import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc
from google.protobuf.message import Message

from packshot import errors
from packshot.client import _channel
from packshot.client._channel import translated
from packshot.client._credentials import Token, channel_credentials
from packshot.client._jobs import Jobs
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
from packshot.client._reviews import Reviews
from packshot.client._streams import MAX_BREAKS, Answer, Stream, next_try_s, outcome
from packshot.v1.packshot_pb2 import (
    CheckImageRequest,
    CheckImageResponse,
    CutOutImageRequest,
    CutOutImageResponse,
    ProcessImageRequest,
    ProcessImageResponse,
    ProcessOptions,
)
from packshot.v1.packshot_pb2_grpc import PackshotServiceStub
from packshot.v1.rules_pb2 import GetRulePackRequest, ListRulePacksRequest, RulePack
from packshot.v1.status_pb2 import GetStatusRequest, GetStatusResponse
from packshot.v1.status_pb2_grpc import StatusServiceStub

ResponseT = TypeVar("ResponseT")


class PackshotClient:
    """Talks to a gateway. Safe to share between threads; close it, or use it in a `with` block.

    Every method raises PackshotError (see packshot.errors), and ValueError for arguments no server would be
    asked about. Calls that find the gateway unavailable are tried four times within about two seconds, and for ten
    when it has answered before. One that is full says when to call again: that is done while the timeout allows.

    Args:
        address: "HOST:PORT", "dns:///NAME:PORT" (all replicas are used) or "unix:/PATH".
        api_key: The key the gateway knows you by.
        token: A JWT in its place, or what is called for one before each call, so that it can be renewed.
        timeout_s: How long a call may take, for calls that do not say it themselves.
        tls: Encrypt, and check the server against the system's certificates.
        credentials: Encrypt with these; see `tls_credentials` for a private authority or an own certificate.

    Attributes:
        jobs: Durable jobs of many photos.
        reviews: Results that wait for a person.
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
        self._address = address
        self._timeout_s = timeout_s
        self._answered = False
        self._metadata = _channel.metadata(api_key)
        options = _channel.options(address)
        opened_with = channel_credentials(address, tls=tls, credentials=credentials, token=token)
        if opened_with is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, opened_with, options)
        self._stub = PackshotServiceStub(self._channel)
        self._status_stub = StatusServiceStub(self._channel)
        self.jobs = Jobs(self._channel, address, self._metadata, timeout_s)
        self.reviews = Reviews(self._channel, address, self._metadata, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection and what still runs on it."""
        self._channel.close()

    def process(
        self,
        photo: Photo,
        *,
        request_id: str = "",
        timeout_s: float | None = None,
        **arguments: Unpack[ProcessArguments],
    ) -> ProcessImageResponse:
        """One packshot and one report per marketplace; see ProcessArguments for what can be asked for.

        Photos above 20 MiB travel in chunks, up to the server's limit of 64 MiB.
        """
        options = process_options(arguments)
        data = read_photo(photo)
        if len(data) > MAX_UNARY_BYTES:
            return self._process_large(photo, data, options, request_id, timeout_s)
        request = ProcessImageRequest(photo=data, options=options, request_id=request_id)
        return self._ask(self._stub.ProcessImage, request, file_of(photo), timeout_s)

    def process_many(
        self,
        photos: Iterable[tuple[str, Photo]],
        *,
        concurrency: int = 4,
        timeout_s: float | None = None,
        **arguments: Unpack[ProcessArguments],
    ) -> Iterator[tuple[str, Answer]]:
        """Many photos over one stream; yields (item id, answer or error) as they finish, in any order.

        A photo that fails does not stop the others. A stream that breaks, e.g. because the gateway is
        replaced, is opened again and the unanswered photos are sent once more.

        Args:
            photos: (item id, photo) pairs; taken only as fast as answers come. The ids are yours, unique
                among unanswered photos: up to 256 of A-Z a-z 0-9 . _ : / - and space.
            concurrency: Photos sent and not yet answered.
            timeout_s: The longest wait for any next answer.

        Raises:
            PackshotError: For all photos not yet yielded: the gateway stays unreachable, the key is wrong, or
                nothing came within the timeout.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        return self._process_many(iter(photos), concurrency, timeout_s or self._timeout_s, process_options(arguments))

    def check(
        self,
        image: Photo,
        *,
        marketplaces: Sequence[str] = (),
        category: str = "",
        as_of: datetime.date | None = None,
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> CheckImageResponse:
        """One report per marketplace about a finished image of up to 20 MiB; changes nothing."""
        request = CheckImageRequest(
            image=read_photo(image, max_bytes=MAX_UNARY_BYTES),
            marketplaces=marketplaces,
            category=category,
            as_of_date=iso_date(as_of),
            request_id=request_id,
        )
        return self._ask(self._stub.CheckImage, request, file_of(image), timeout_s)

    def cut_out(
        self,
        photo: Photo,
        *,
        region_of_interest: Region | None = None,
        keep_background: bool = False,
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> CutOutImageResponse:
        """The product of a photo of up to 20 MiB, with transparency, at the photo's resolution and position.

        Args:
            keep_background: Keep the photo's colours in transparent pixels, so that an editor can repaint the
                edge.
        """
        request = CutOutImageRequest(
            photo=read_photo(photo, max_bytes=MAX_UNARY_BYTES),
            region_of_interest=bounding_box(region_of_interest),
            keep_background=keep_background,
            request_id=request_id,
        )
        return self._ask(self._stub.CutOutImage, request, file_of(photo), timeout_s)

    def list_rule_packs(self) -> list[RulePack]:
        """Every marketplace's pack, without its rules."""
        return list(self._ask(self._stub.ListRulePacks, ListRulePacksRequest()).packs)

    def get_rule_pack(self, pack_id: str, *, category: str = "") -> RulePack:
        """A pack with its rules: all of them, or those that apply to a category."""
        request = GetRulePackRequest(id=pack_id, category=category)
        return self._ask(self._stub.GetRulePack, request).pack

    def status(self) -> GetStatusResponse:
        """How the house is, for who runs it: which parts answer, with what they work, and what waits."""
        return self._ask(self._status_stub.GetStatus, GetStatusRequest())

    def _ask(
        self,
        method: Callable[..., ResponseT],
        request: Message,
        file: str | None = None,
        timeout_s: float | None = None,
    ) -> ResponseT:
        """The answer to a single call; `file` is the photo's path."""
        patience = Patience(timeout_s or self._timeout_s, answered=self._answered)
        while True:
            try:
                with translated(self._address, file):
                    response = method(request, timeout=patience.left_s(), metadata=self._metadata)
            except errors.PackshotError as error:
                time.sleep(patience.wait_s(error))
            else:
                self._answered = True
                return response

    def _process_large(
        self, photo: Photo, data: bytes, options: ProcessOptions, request_id: str, timeout_s: float | None
    ) -> ProcessImageResponse:
        stream = Stream(self._stub, self._metadata)
        item_id = request_id or "photo"
        try:
            stream.send(item_id, options, data)
            with translated(self._address, file_of(photo)):
                answer = outcome(stream.receive(timeout_s or self._timeout_s, self._address), photo)
        finally:
            stream.close()
        if isinstance(answer, errors.PackshotError):
            raise answer
        return answer

    def _process_many(
        self,
        photos: Iterator[tuple[str, Photo]],
        concurrency: int,
        timeout_s: float,
        options: ProcessOptions,
    ) -> Iterator[tuple[str, Answer]]:
        unanswered: dict[str, Photo] = {}
        answered, breaks = False, 0
        stream = Stream(self._stub, self._metadata)
        try:
            while True:
                while len(unanswered) < concurrency and (item := next(photos, None)) is not None:
                    item_id, photo = item
                    if item_id in unanswered:
                        raise ValueError(f"item id {item_id!r} is still unanswered: ids must be unique")
                    try:
                        data = read_photo(photo)
                    except errors.PackshotError as error:
                        yield item_id, error
                        continue
                    unanswered[item_id] = photo
                    stream.send(item_id, options, data)
                if not unanswered:
                    return
                try:
                    with translated(self._address):
                        response = stream.receive(timeout_s, self._address)
                except errors.UnavailableError as error:
                    breaks += 1
                    nobody_there = error.reason == "SERVER_UNREACHABLE" and not answered
                    if nobody_there or breaks > MAX_BREAKS:
                        raise
                    stream.close()
                    time.sleep(next_try_s(breaks))
                    photos = chain(list(unanswered.items()), photos)
                    unanswered.clear()
                    stream = Stream(self._stub, self._metadata)
                    continue
                answered, breaks = True, 0
                if response.item_id in unanswered:
                    photo = unanswered.pop(response.item_id)
                    yield response.item_id, outcome(response, photo)
        finally:
            stream.close()
