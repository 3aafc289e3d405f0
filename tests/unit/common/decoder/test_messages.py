"""The service believes a decoder nothing: one that was taken over writes these messages."""

import os
import socket
from typing import Any

import numpy as np
import pytest

from services.common.decoder.messages import MessageError, error_of, photo_of, receive, send
from services.common.decoder.shared_arrays import SharedArrays
from services.common.photo import DEFAULT_LIMITS

FACTS: dict[str, Any] = {
    "height_px": 2,
    "width_px": 3,
    "format": "PNG",
    "color_mode": "RGB",
    "has_alpha_channel": False,
    "icc_profile": None,
    "is_animated": False,
    "warnings": [],
}


def pixels(*shape: int) -> int:
    arrays = SharedArrays()
    return arrays.file_of(arrays.empty(shape, np.uint8))


def test_pixels_are_taken_where_they_lie() -> None:
    arrays = SharedArrays()
    image = arrays.empty((2, 3, 3), np.uint8)
    image[...] = 7
    photo = photo_of({"photo": FACTS}, [arrays.file_of(image)], DEFAULT_LIMITS)

    assert photo.image.tolist() == image.tolist()
    image[0, 0, 0] = 8
    assert photo.image[0, 0, 0] == 8, "the same memory"


@pytest.mark.parametrize(
    "claims",
    [
        {"height_px": 4},
        {"height_px": -2, "width_px": -3},
        {"height_px": 10**9, "width_px": 10**9},
        {"height_px": "many"},
        {"warnings": 5},
        {"warnings": [["only a code"]]},
    ],
    ids=repr,
)
def test_a_photo_that_is_not_what_it_claims(claims: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        photo_of({"photo": FACTS | claims}, [pixels(2, 3, 3)], DEFAULT_LIMITS)


def test_a_photo_without_pixels_or_facts() -> None:
    with pytest.raises(MessageError):
        photo_of({"photo": FACTS}, [], DEFAULT_LIMITS)
    with pytest.raises(MessageError):
        photo_of({"photo": {}}, [pixels(2, 3, 3)], DEFAULT_LIMITS)


def test_memory_that_could_be_taken_away_again_is_refused() -> None:
    """Reading it would end the service with SIGBUS."""
    loose = os.memfd_create("pixels", os.MFD_ALLOW_SEALING)
    os.ftruncate(loose, 2 * 3 * 3)
    read, write = os.pipe()
    for file in (loose, read):
        with pytest.raises(MessageError):
            photo_of({"photo": FACTS}, [file], DEFAULT_LIMITS)
    for file in (loose, read, write):
        os.close(file)


@pytest.mark.parametrize("error", ["PHOTO_CORRUPT", ["PHOTO_CORRUPT"], ["PHOTO_CORRUPT", "damaged", 5], None])
def test_an_error_that_is_none(error: object) -> None:
    with pytest.raises(MessageError):
        error_of({"error": error})


@pytest.mark.parametrize(
    "packet", [b"\x80\x04K\x01.", b"[1]", b"{", b"[" * 60_000, b'"text"'], ids=lambda p: repr(p[:9])
)
def test_what_is_no_message(packet: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.send(packet)
        with pytest.raises(MessageError):
            receive(ours)


def test_messages_arrive_one_by_one_and_then_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            send(theirs, {"first": 1})
            send(theirs, {"second": 2})
        assert [receive(ours)[0] for _ in range(3)] == [{"first": 1}, {"second": 2}, None]
