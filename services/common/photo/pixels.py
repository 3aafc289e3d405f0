"""The pixels of a picture file, whatever their layout, as 8-bit colour and straight 8-bit alpha."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from services.common.photo.types import Empty

_ROWS_AT_ONCE: Final = 256
_WHITE_OF_16_BITS: Final = 65535
_WHITE_OF_12_BITS: Final = 4095
_TIFF_BITS_PER_SAMPLE: Final = 258
_TIFF_PHOTOMETRIC: Final = 262
_TIFF_WHITE_IS_ZERO: Final = 0

# Of 16-bit colour Pillow keeps the high byte; its unpacker for the other byte order keeps the low byte instead.
_LOW_BYTE_DEPTH: Final = {
    ";16B": ";16L",
    ";16L": ";16B",
    ";16N": ";16B" if sys.byteorder == "little" else ";16L",
}
_COLOR_OF_16_BITS: Final = ("RGB", "RGBA", "RGBX")
# A PNG names its transparent grey in samples of the file; Pillow has spread them to 0..255 meanwhile.
_LEVELS_PER_SAMPLE: Final = {"L;2": 85, "L;4": 17}
_STRAIGHT_MODES: Final = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}


def load_pixels(
    file: ImageFile.ImageFile, reopen: Callable[[], ImageFile.ImageFile]
) -> tuple[Image.Image, Image.Image | None]:
    """Decode a file and part its pixels into colour and alpha.

    Samples of 16 bits are rounded to the nearest of 256 levels, but for grey with alpha, premultiplied and CMYK
    samples, of which Pillow keeps the high byte (at most one level off).

    Args:
        file: opened and not decoded yet; decoded by this call.
        reopen: opens the same file anew.

    Returns:
        Picture of mode "L", "RGB", "CMYK" or "LAB", and straight alpha of mode "L"; None without alpha.
    """
    raw_mode = _raw_mode(file)
    file.load()
    transparent = file.info.get("transparency")
    if file.mode.startswith("I;16"):
        return _grey_of_16_bits(file, transparent)
    if raw_mode[:-4] in _COLOR_OF_16_BITS and raw_mode[-4:] in _LOW_BYTE_DEPTH:
        return _color_of_16_bits(file, _load_low_bytes(reopen(), raw_mode), transparent)
    if file.mode == "P":
        return _part(file.convert("RGBA" if file.has_transparency_data else "RGB"))
    if file.mode in ("1", "L", "RGB") and transparent is not None:
        if raw_mode in _LEVELS_PER_SAMPLE:
            file.info["transparency"] = transparent * _LEVELS_PER_SAMPLE[raw_mode]
        return _part(file.convert("RGBA" if file.mode == "RGB" else "LA"))
    if file.mode in _STRAIGHT_MODES:
        return _part(file.convert(_STRAIGHT_MODES[file.mode]))
    return _part(file)


def to_rgb_array(picture: Image.Image, empty: Empty = np.empty) -> NDArray[np.uint8]:
    """Mode "L" or "RGB" to read-only uint8 (H, W, 3), some rows at a time: Pillow would copy all pixels twice."""
    width, height = picture.size
    image = empty((height, width, 3), np.uint8)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = slice(top, min(top + _ROWS_AT_ONCE, height))
        band = np.asarray(picture.crop((0, rows.start, width, rows.stop)))
        image[rows] = band if band.ndim == 3 else band[..., None]
    image.setflags(write=False)
    return image


def _part(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    if picture.mode in ("LA", "RGBA"):
        return picture.convert(picture.mode[:-1]), picture.getchannel("A")
    return picture, None


def _raw_mode(file: ImageFile.ImageFile) -> str:
    """How samples lie in the file, in Pillow's words, e.g. "RGB;16B"; "" where a format does not say."""
    args = file.tile[0].args if file.tile else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


@cache
def _level_of_sample(white: int) -> NDArray[np.uint8]:
    """uint8 (65536,): sample to nearest level, where the sample `white` (and any above) is level 255."""
    samples = np.arange(65536, dtype=np.uint32)
    return np.minimum((samples * 510 + white) // (2 * white), 255).astype(np.uint8)


def _grey_of_16_bits(file: ImageFile.ImageFile, transparent: object) -> tuple[Image.Image, Image.Image | None]:
    white, is_inverted = _WHITE_OF_16_BITS, False
    if isinstance(file, TiffImageFile):
        if file.tag_v2.get(_TIFF_BITS_PER_SAMPLE) == (12,):
            white = _WHITE_OF_12_BITS
        # Pillow inverts samples of up to 8 bits only.
        is_inverted = file.tag_v2.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO
    samples = np.asarray(file)
    picture = Image.fromarray(_level_of_sample(white)[samples])
    if is_inverted:
        picture = ImageOps.invert(picture)
    if transparent is None:
        return picture, None
    return picture, Image.fromarray(np.where(samples == transparent, np.uint8(0), np.uint8(255)))


def _load_low_bytes(file: ImageFile.ImageFile, raw_mode: str) -> Image.Image:
    low = raw_mode[:-4] + _LOW_BYTE_DEPTH[raw_mode[-4:]]
    file.tile = [
        tile._replace(args=(low, *tile.args[1:]) if isinstance(tile.args, tuple) else low) for tile in file.tile
    ]
    file.load()
    return file


def _color_of_16_bits(
    high: Image.Image, low: Image.Image, transparent: object
) -> tuple[Image.Image, Image.Image | None]:
    """Join the high and low bytes of RGB(A) samples, some rows at a time to stay lean, and round to 8 bits."""
    table = _level_of_sample(_WHITE_OF_16_BITS)
    width, height = high.size
    levels = np.empty((height, width, len(high.getbands())), np.uint8)
    alpha = np.empty((height, width), np.uint8)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = slice(top, min(top + _ROWS_AT_ONCE, height))
        box = (0, rows.start, width, rows.stop)
        samples = np.asarray(high.crop(box)).astype(np.uint16) << 8
        samples |= np.asarray(low.crop(box))
        levels[rows] = table[samples]
        if transparent is not None:
            alpha[rows] = np.where((samples == transparent).all(axis=2), 0, 255)
    picture, alpha_channel = _part(Image.fromarray(levels))
    return picture, Image.fromarray(alpha) if transparent is not None else alpha_channel
