"""Collects what a source sends: not more than is allowed, and not to the end when it is no photo."""

from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Final

from services.common.photo_error import PhotoError
from services.common.photo_format import identify
from services.gateway.sources.errors import SourceError

_SIGNATURE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Expected:
    """What shall come.

    Attributes:
        is_photo: The first bytes have to be a photo's; what they are counts, not the Content-Type.
    """

    max_bytes: int
    is_photo: bool

    def check_size(self, size_bytes: int, host: str) -> None:
        """Raises SOURCE_TOO_LARGE."""
        if size_bytes > self.max_bytes:
            raise SourceError(
                "SOURCE_TOO_LARGE",
                f"{host} sends more than {self.max_bytes} bytes, which is the limit; link to a smaller file",
                is_permanent=True,
            )


async def collect(chunks: AsyncIterable[bytes], expected: Expected, host: str) -> bytes:
    """All the bytes.

    Raises:
        SourceError: SOURCE_TOO_LARGE, SOURCE_NOT_AN_IMAGE or SOURCE_EMPTY, as soon as it is known.
    """
    data = bytearray()
    sniffed = not expected.is_photo
    async for chunk in chunks:
        expected.check_size(len(data) + len(chunk), host)
        data += chunk
        if not sniffed and len(data) >= _SIGNATURE_BYTES:
            _sniff(data, host)
            sniffed = True
    if not data:
        raise SourceError("SOURCE_EMPTY", f"{host} sends an empty file; link to the photo itself", is_permanent=True)
    if not sniffed:
        _sniff(data, host)
    return bytes(data)


def _sniff(data: bytearray, host: str) -> None:
    head = bytes(data[:_SIGNATURE_BYTES])
    try:
        identify(head)
    except PhotoError as error:
        page = " (it is a web page; link to the photo itself)" if b"<html" in head.lower() else ""
        raise SourceError(
            "SOURCE_NOT_AN_IMAGE", f"{host} sends no usable photo: {error.message}{page}", is_permanent=True
        ) from error
