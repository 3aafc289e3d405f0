"""What decoding a photo takes and gives: limits, warnings and the decoded photo."""

from collections.abc import Callable
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
