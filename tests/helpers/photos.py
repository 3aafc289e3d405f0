"""Photo files for tests: pictures whose every corner differs, and hand-made PNGs for what Pillow does not write."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def corners(height_px: int = 32, width_px: int = 48) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): red, green, blue and yellow quarters, so that no rotation or mirroring looks the same."""
    image = np.empty((height_px, width_px, 3), np.uint8)
    row, col = height_px // 2, width_px // 2
    image[:row, :col] = (220, 30, 30)
    image[:row, col:] = (30, 160, 60)
    image[row:, :col] = (40, 60, 200)
    image[row:, col:] = (230, 210, 40)
    return image


def gradients(height_px: int = 40, width_px: int = 64) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): smooth in both directions, every channel different."""
    rows, cols = np.mgrid[:height_px, :width_px]
    red, green = rows * 255 // (height_px - 1), cols * 255 // (width_px - 1)
    return np.stack([red, green, (red + green) // 2], axis=-1).astype(np.uint8)


def save(picture: Image.Image | NDArray[Any], file_format: str, **options: Any) -> bytes:
    """Encode with Pillow."""
    out = BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(out, file_format, **options)
    return out.getvalue()


def exif_orientation(orientation: int) -> bytes:
    """EXIF that holds nothing but an orientation, 1 to 8."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def raw_png(width_px: int, height_px: int, bit_depth: int, color_type: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG of unfiltered rows (without their filter bytes); `chunks` go before the pixels."""
    header = struct.pack(">IIBBBBB", width_px, height_px, bit_depth, color_type, 0, 0, 0)
    stride = len(rows) // height_px if height_px else 0
    filtered = b"".join(b"\0" + rows[start : start + stride] for start in range(0, len(rows), stride or 1))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + b"".join(chunks)
        + png_chunk(b"IDAT", zlib.compress(filtered))
        + png_chunk(b"IEND", b"")
    )
