"""Finished pixels to bytes: the same pixels give the same bytes, and nothing of the source's metadata."""

import zlib
from functools import cache
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.common.photo.color import srgb_profile

# Signature and IHDR chunk: everything of a PNG that has to come before the profile.
_PNG_HEADER_BYTES: Final = 33


def encode_jpeg(image: NDArray[np.uint8], quality: int = 95) -> bytes:
    """Encode as baseline JPEG, 4:4:4, with the sRGB profile.

    Huffman tables are the standard ones: optimal ones save 6 % of the bytes and take three times as long.

    Args:
        image: uint8 (H, W, 3), sRGB.
        quality: libjpeg's scale, 1 to 100.

    Raises:
        ValueError: for pixels of another shape or type, or a quality out of range.
    """
    _check_pixels(image, channels=(3,))
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is {quality}; it has to be 1 to 100")
    out = BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality, subsampling=0, icc_profile=srgb_profile())
    return out.getvalue()


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode as PNG with the sRGB profile, lossless and fast.

    Args:
        image: uint8 (H, W, 3) sRGB, or (H, W, 4) with straight alpha.

    Raises:
        ValueError: for pixels of another shape or type.
    """
    _check_pixels(image, channels=(3, 4))
    png = _png(image)
    return png[:_PNG_HEADER_BYTES] + _profile_chunk() + png[_PNG_HEADER_BYTES:]


def encode_matte(matte: NDArray[np.float32]) -> bytes:
    """Encode a matte as 8-bit grey PNG, rounded to the nearest of 256 levels.

    Args:
        matte: floating point (H, W) in [0, 1]; values outside are clipped.

    Raises:
        ValueError: for another shape or type, or values that are not numbers.
    """
    if matte.ndim != 2 or matte.size == 0 or not np.issubdtype(matte.dtype, np.floating):
        raise ValueError(f"a matte is floating point (H, W), not {matte.dtype} {matte.shape}")
    if not np.isfinite(matte).all():
        raise ValueError("the matte has values that are not finite")
    levels = np.multiply(matte, 255, dtype=np.float32)
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    return _png(levels.astype(np.uint8))


def _check_pixels(image: NDArray[Any], channels: tuple[int, ...]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in channels or image.size == 0:
        raise ValueError(
            f"an image is uint8 (H, W, {' or '.join(map(str, channels))}), not {image.dtype} {image.shape}"
        )


def _png(pixels: NDArray[Any]) -> bytes:
    # The decoders' processes import this module and never encode: without OpenCV each is half as large.
    import cv2

    # Measured on 2048 × 2048 packshots: a third faster than Pillow at level 1 for 3 % more bytes.
    options = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    done, buffer = cv2.imencode(".png", pixels, options)
    if not done:
        raise ValueError(f"OpenCV could not encode {pixels.shape} as PNG")
    return bytes(buffer)


@cache
def _profile_chunk() -> bytes:
    """The sRGB profile as iCCP chunk (PNG 3rd edition, 11.3.2.3)."""
    body = b"iCCP" + b"sRGB\0\0" + zlib.compress(srgb_profile(), 9)
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
