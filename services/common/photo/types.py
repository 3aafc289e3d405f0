"""What decoding a photo takes and gives: limits, errors, warnings and the decoded photo."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """What a photo may cost; checked before a pixel is decoded."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 64_000_000
    min_side_px: int = 2


DEFAULT_LIMITS: Final = PhotoLimits()


class Empty(Protocol):
    """Makes an array whose values do not matter yet, as `np.empty` does: where, is its business."""

    def __call__(self, shape: tuple[int, ...], dtype: type[np.generic], /) -> NDArray[Any]:
        """An array to be written."""


class PhotoError(ValueError):
    """A photo that cannot be used.

    Attributes:
        reason: one of the codes below, for machines.
        message: what is wrong and the limit, for people.
        metadata: measured values and limits by name, e.g. {"width_px": "1", "min_side_px": "2"}.

    Reasons:
        PHOTO_EMPTY: no bytes.
        PHOTO_TOO_LARGE: more bytes than `PhotoLimits.max_bytes`.
        PHOTO_NOT_AN_IMAGE: the bytes are no picture format known.
        PHOTO_UNSUPPORTED: a picture, but of a format or kind that is not decoded; the message names it.
        PHOTO_TOO_MANY_PIXELS: the header claims more than `PhotoLimits.max_pixels`.
        PHOTO_TOO_SMALL: a side is shorter than `PhotoLimits.min_side_px`.
        PHOTO_METADATA_TOO_LARGE: text or profiles in the file expand beyond what is sane.
        PHOTO_TRUNCATED: the file ends before its pixels do.
        PHOTO_CORRUPT: the file is damaged.
        PHOTO_DECODE_MEMORY: decoding takes more memory than there is, or than a photo may take.
        PHOTO_DECODE_TIMEOUT, PHOTO_DECODER_CRASHED: the decoder was ended, or ended itself; only where it runs in a
            process of its own, see `services.common.decoder`.
        MATTE_*: the same for a matte, and MATTE_NOT_GREY for anything but an 8-bit grey PNG.
    """

    def __init__(self, reason: str, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(reason, message, metadata)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class PhotoWarning:
    """Something odd about a photo that was decoded all the same.

    Codes:
        PHOTO_ANIMATED: only the first frame was used.
        PHOTO_MULTIPAGE: only the first (HEIC: the primary) picture was used.
        PHOTO_TRUNCATED_TAIL: the file ends early, but all pixels were there.
        ICC_PROFILE_INVALID: the colour profile cannot be used; colours were taken as sRGB.
        ICC_PROFILE_MISSING: CMYK without a profile; converted by the plain subtractive formula.
        COLOR_SPACE_UNSUPPORTED: wide primaries or high dynamic range; colours were taken as sRGB.
        EXIF_INVALID: the orientation could not be read; the photo was taken as upright.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """Upright sRGB pixels and what the file said about itself.

    Attributes:
        image: uint8 (H, W, 3), RGB in sRGB, upright, C-contiguous, read-only.
        alpha: float32 (H, W) in [0, 1], straight (`image` is not multiplied by it); None without an
            alpha channel and when every pixel is opaque.
        format: "JPEG", "PNG", "WEBP", "TIFF", "HEIC", "AVIF", "GIF" or "BMP".
        color_mode: Pillow's name for the pixels in the file: "RGB", "RGBA", "CMYK", "L", "P", "I;16" ...
        has_alpha_channel: the file has alpha or a transparent colour, used or not.
        icc_profile: description of the embedded profile, or of the one code points stand for; None without.
        is_animated: the file has more frames than the one decoded.
        warnings: what was odd.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.float32] | None
    format: str
    color_mode: str
    has_alpha_channel: bool
    icc_profile: str | None
    is_animated: bool
    warnings: tuple[PhotoWarning, ...]


Decode = Callable[[bytes], DecodedPhoto]
"""A photo's bytes to pixels; raises PhotoError."""
