"""What service, zygote and child say to each other: one JSON object a packet, with descriptors beside it.

Nothing the service reads can run code, as a pickle could: a decoder that was taken over writes these messages.
"""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np

from services.common.decoder.shared_arrays import SharedArrays, map_array
from services.common.photo.types import DecodedPhoto, PhotoLimits, PhotoWarning
from services.common.photo_error import PhotoError

_MAX_PACKET_BYTES: Final = 2**16
_MAX_DESCRIPTORS: Final = 4
_MAX_TEXT: Final = 2000
_CHANNELS: Final = 3


class MessageError(ValueError):
    """A message that nobody of ours writes."""


@dataclass(frozen=True, slots=True)
class Order:
    """A photo to decode. The descriptors beside it: the file's bytes, and the socket for the answer."""

    cpu_s: int
    wall_s: int
    memory_bytes: int
    limits: PhotoLimits

    def to_json(self) -> dict[str, Any]:
        """The inverse of `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, message: Mapping[str, Any]) -> Self:
        """The order in a message."""
        return cls(message["cpu_s"], message["wall_s"], message["memory_bytes"], PhotoLimits(**message["limits"]))


def send(to: socket.socket, message: Mapping[str, Any], files: Sequence[int] = ()) -> None:
    """Sends one packet; raises OSError when nobody is there any more."""
    socket.send_fds(to, [json.dumps(message).encode()], files)


def receive(source: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next packet and its descriptors, which are the caller's to close; None at the end.

    Raises:
        MessageError: it is no JSON object.
        TimeoutError: nothing came in the socket's time.
    """
    try:
        data, files, _, _ = socket.recv_fds(source, _MAX_PACKET_BYTES, _MAX_DESCRIPTORS)
    except ConnectionResetError:  # the other side went away without reading all
        return None, []
    if not data:
        return None, files
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise MessageError("the decoder sent no message")
    return message, files


def photo_message(photo: DecodedPhoto, arrays: SharedArrays) -> tuple[dict[str, Any], list[int]]:
    """A decoded photo as a message and its pixels' descriptors."""
    files = [arrays.file_of(photo.image)]
    if photo.alpha is not None:
        files.append(arrays.file_of(photo.alpha))
    height, width = photo.image.shape[:2]
    facts = {
        "height_px": height,
        "width_px": width,
        "format": photo.format,
        "color_mode": photo.color_mode,
        "has_alpha_channel": photo.has_alpha_channel,
        "icc_profile": photo.icc_profile,
        "is_animated": photo.is_animated,
        "warnings": [[warning.code, warning.message[:_MAX_TEXT]] for warning in photo.warnings],
    }
    return {"photo": facts}, files


def photo_of(message: Mapping[str, Any], files: Sequence[int], limits: PhotoLimits) -> DecodedPhoto:
    """The photo in a message, its pixels where they lie.

    Raises:
        MessageError: the message or the pixels are not what `photo_message` makes.
    """
    try:
        facts = message["photo"]
        shape = (int(facts["height_px"]), int(facts["width_px"]))
        if min(shape) < 1 or shape[0] * shape[1] > limits.max_pixels or len(files) not in (1, 2):
            raise MessageError(f"pixels of {shape} in {len(files)} files")
        profile = facts["icc_profile"]
        return DecodedPhoto(
            image=map_array(files[0], (*shape, _CHANNELS), np.uint8),
            alpha=map_array(files[1], shape, np.float32) if len(files) == 2 else None,
            format=str(facts["format"]),
            color_mode=str(facts["color_mode"]),
            has_alpha_channel=bool(facts["has_alpha_channel"]),
            icc_profile=None if profile is None else str(profile),
            is_animated=bool(facts["is_animated"]),
            warnings=tuple(PhotoWarning(str(code), str(text)) for code, text in facts["warnings"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MessageError(f"the decoder's answer is damaged: {error}") from error


def error_message(error: PhotoError) -> dict[str, Any]:
    """What is wrong with a photo, as a message."""
    return {"error": [error.reason, error.message[:_MAX_TEXT], dict(error.metadata)]}


def error_of(message: Mapping[str, Any]) -> PhotoError:
    """The inverse of `error_message`.

    Raises:
        MessageError: the message is damaged.
    """
    try:
        reason, text, metadata = message["error"]
        return PhotoError(str(reason), str(text), {str(name): str(value) for name, value in metadata.items()})
    except (AttributeError, TypeError, ValueError) as error:
        raise MessageError(f"the decoder's answer is damaged: {error}") from error
