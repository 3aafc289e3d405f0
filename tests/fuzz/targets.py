"""Who reads what strangers send. A target raises AssertionError for whatever may not come out of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from google.protobuf import message_factory
from google.protobuf.message import DecodeError, Message

from packshot.v1 import compositor_pb2, jobs_pb2, packshot_pb2, reviews_pb2, segmenter_pb2, validator_pb2
from services.common import validation
from services.common.decoder.isolated import IsolatedDecoder
from services.common.errors import ServiceError
from services.common.photo import PhotoError, PhotoLimits
from services.gateway.catalogue.reader import read_catalogue
from services.gateway.catalogue.rows import CatalogueError, RowError, item_key

_LIMITS: Final = PhotoLimits(max_pixels=1_000_000)
_FINDINGS: Final = ("PHOTO_DECODER_CRASHED", "PHOTO_DECODE_TIMEOUT", "PHOTO_DECODE_MEMORY")
_SERVED: Final = (compositor_pb2, jobs_pb2, packshot_pb2, reviews_pb2, segmenter_pb2, validator_pb2)
REQUESTS: Final[dict[str, type[Message]]] = {
    method.input_type.name: message_factory.GetMessageClass(method.input_type)
    for module in _SERVED
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Every message a service takes, by name."""

Target = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Photos:
    """The decoder, in a process of its own: an exception without a type, a crash and a hang are all told apart."""

    decoder: IsolatedDecoder

    def __call__(self, data: bytes) -> None:
        try:
            photo = self.decoder.decode(data, _LIMITS)
        except PhotoError as error:
            assert error.reason not in _FINDINGS, f"{error.reason}: {error.message}"
            assert error.message
            return
        assert photo.image.dtype == np.uint8
        assert photo.image.shape[2] == 3
        assert photo.alpha is None or photo.alpha.shape == photo.image.shape[:2]


def catalogue(data: bytes) -> None:
    """The catalogue's reader: every row is an item or has an error, and keys are unique."""
    try:
        rows = read_catalogue(data).rows
    except CatalogueError:
        return
    assert rows
    for row in rows:
        assert row.error_reason in {"", *RowError}
        assert row.error_reason or (row.sku and row.image_url)
    keys = [item_key(row) for row in rows]
    assert len(set(keys)) == len(keys)


def message(data: bytes) -> None:
    """Every request there is, parsed and checked: each either is one or says which field is wrong."""
    for kind in REQUESTS.values():
        try:
            request = kind.FromString(data)
        except DecodeError:
            continue
        try:
            validation.check(request)
        except ServiceError as error:
            assert error.reason == "INVALID_FIELD"
            assert error.violations
            assert error.to_status().ByteSize() < 8192, "it has to fit into trailers"


@contextmanager
def targets() -> Iterator[dict[str, Target]]:
    """By the kind of what they read."""
    decoder = IsolatedDecoder(1, timeout_s=10, memory_mb=512)
    try:
        yield {"photos": Photos(decoder), "catalogues": catalogue, "messages": message}
    finally:
        decoder.close()
