"""Photo bytes to upright sRGB pixels, and matte bytes to alpha."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from services.common.photo.color import profile_of_coding_points, to_srgb
from services.common.photo.formats import coding_points, ends_early
from services.common.photo.pixels import load_pixels, to_rgb_array
from services.common.photo.types import (
    DEFAULT_LIMITS,
    DecodedPhoto,
    Empty,
    PhotoLimits,
    PhotoWarning,
)
from services.common.photo_error import PhotoError
from services.common.photo_format import identify, unsupported

# The plugins are called directly: Image.open would apply the process-wide Image.MAX_IMAGE_PIXELS, would try
# every format registered by anybody, and would open a JPEG that carries a second picture as "MPO".
_OPENERS: Final[dict[str, Callable[[BytesIO], ImageFile.ImageFile]]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "TIFF": TiffImageFile,
    "HEIC": pillow_heif.HeifImageFile,
    "AVIF": AvifImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
}
_PAGED_FORMATS: Final = ("TIFF", "HEIC")
_UPRIGHTING: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PAGES_IGNORED: Final = PhotoWarning("PHOTO_MULTIPAGE", "The file has several pictures; the first was used.")
_FRAMES_IGNORED: Final = PhotoWarning("PHOTO_ANIMATED", "The photo is animated; its first frame was used.")
_PNG_GREY_8_BITS: Final = b"\x08\x00"
_TIFF_DNG_VERSION: Final = 50706

_SAYS_TOO_MUCH_METADATA: Final = re.compile("Decompressed data too large|Too much memory used in text")
_SAYS_OUT_OF_MEMORY: Final = re.compile("out of memory|memory allocation error|cannot allocate memory", re.I)
_SAYS_UNSUPPORTED: Final = re.compile(
    "unsupported|not supported|not yet supported|cannot handle|unknown pixel mode|unknown data organization", re.I
)
_SAYS_TRUNCATED: Final = re.compile("truncated|unexpected end|end of file|premature", re.I)


def decode_photo(data: bytes, limits: PhotoLimits = DEFAULT_LIMITS, *, empty: Empty = np.empty) -> DecodedPhoto:
    """Decode a photo to upright sRGB pixels.

    JPEG, PNG, WebP, TIFF, HEIC, AVIF, GIF and BMP. The orientation (EXIF, XMP, or the container's) is applied,
    the ICC profile is converted to sRGB, samples of 16 bits are rounded to 8, palettes are resolved. Colour under
    transparent pixels stays as it is in the file. Safe to call from several threads.

    Args:
        data: the file.
        limits: what the photo may cost; checked before pixels are decoded.
        empty: makes the arrays of the answer.

    Returns:
        The pixels, alpha when the file has any, and warnings on what was odd.

    Raises:
        PhotoError: for every input that cannot be decoded, see `PhotoError` for the reasons.
    """
    _check_size_of_file(data, limits)
    file_format = identify(data)
    try:
        file = _read(data, file_format, limits)
    except PhotoError:
        raise
    except Exception as error:  # decoders raise nearly any type on damaged files
        raise _as_photo_error(error, data, file_format) from error
    try:
        return _to_photo(file, file_format, empty)
    except MemoryError as error:
        raise _out_of_memory() from error


def decode_matte(data: bytes, limits: PhotoLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """Decode a matte from an 8-bit grey PNG without palette or alpha, as `encode_matte` writes it.

    Returns:
        float32 (H, W) in [0, 1].

    Raises:
        PhotoError: with a MATTE_* reason.
    """
    try:
        _check_size_of_file(data, limits)
        if identify(data) != "PNG" or data[24:26] != _PNG_GREY_8_BITS:
            raise PhotoError("MATTE_NOT_GREY", "A matte is an 8-bit greyscale PNG without alpha.")
        try:
            picture = PngImageFile(BytesIO(data))
            _check_pixels(picture, PhotoLimits(limits.max_bytes, limits.max_pixels, min_side_px=1))
            picture.load()
            return _unit_range(picture)
        except PhotoError:
            raise
        except Exception as error:  # see decode_photo
            raise _as_photo_error(error, data, "PNG") from error
    except PhotoError as error:
        raise PhotoError(error.reason.replace("PHOTO_", "MATTE_"), f"matte: {error.message}", error.metadata) from error


@dataclass(slots=True)
class _PhotoFile:
    """What the decoders found: pixels as stored, and what there is to do with them."""

    picture: Image.Image
    alpha: Image.Image | None
    orientation: int
    profile: bytes | None
    color_mode: str
    is_animated: bool
    warnings: tuple[PhotoWarning, ...]


def _read(data: bytes, file_format: str, limits: PhotoLimits) -> _PhotoFile:
    def reopen() -> ImageFile.ImageFile:
        return _OPENERS[file_format](BytesIO(data))

    file = reopen()
    _check_pixels(file, limits)
    _check_kind(file)
    color_mode = file.mode
    warnings: list[PhotoWarning] = []
    has_more_frames = file_format != "JPEG" and bool(getattr(file, "is_animated", False))
    if has_more_frames:
        warnings.append(_PAGES_IGNORED if file_format in _PAGED_FORMATS else _FRAMES_IGNORED)
    picture, alpha = load_pixels(file, reopen)
    orientation = _read_orientation(file, warnings)
    profile = file.info.get("icc_profile")
    if not isinstance(profile, bytes):
        profile, color_warnings = profile_of_coding_points(coding_points(data, file_format))
        warnings.extend(color_warnings)
    if ends_early(data, file_format):
        warnings.append(PhotoWarning("PHOTO_TRUNCATED_TAIL", "The file ends early, after its last pixel."))
    is_animated = has_more_frames and file_format not in _PAGED_FORMATS
    return _PhotoFile(picture, alpha, orientation, profile, color_mode, is_animated, tuple(warnings))


def _to_photo(file: _PhotoFile, file_format: str, empty: Empty) -> DecodedPhoto:
    picture, alpha = file.picture, file.alpha
    if alpha is not None and alpha.getextrema() == (255, 255):
        alpha = None
    if file.orientation in _UPRIGHTING:
        # Let go of the pixels as stored: a photo is held in memory once, not once per step.
        file.picture = picture = picture.transpose(_UPRIGHTING[file.orientation])
        file.alpha = alpha = alpha.transpose(_UPRIGHTING[file.orientation]) if alpha is not None else file.alpha
    picture, description, warnings = to_srgb(picture, file.profile)
    return DecodedPhoto(
        image=to_rgb_array(picture, empty),
        alpha=None if alpha is None else _unit_range(alpha, empty),
        format=file_format,
        color_mode=file.color_mode,
        has_alpha_channel=file.alpha is not None,
        icc_profile=description,
        is_animated=file.is_animated,
        warnings=(*file.warnings, *warnings),
    )


def _check_size_of_file(data: bytes, limits: PhotoLimits) -> None:
    if not data:
        raise PhotoError("PHOTO_EMPTY", "The photo is empty (0 bytes).")
    if len(data) > limits.max_bytes:
        raise PhotoError(
            "PHOTO_TOO_LARGE",
            f"The photo has {len(data)} bytes; the limit is {limits.max_bytes}.",
            {"size_bytes": str(len(data)), "max_bytes": str(limits.max_bytes)},
        )


def _check_pixels(file: ImageFile.ImageFile, limits: PhotoLimits) -> None:
    width, height = file.size
    sides = {"width_px": str(width), "height_px": str(height)}
    if width * height > limits.max_pixels:
        raise PhotoError(
            "PHOTO_TOO_MANY_PIXELS",
            f"The photo has {width} × {height} = {width * height} pixels; the limit is {limits.max_pixels}.",
            sides | {"pixels": str(width * height), "max_pixels": str(limits.max_pixels)},
        )
    if min(width, height) < limits.min_side_px:
        raise PhotoError(
            "PHOTO_TOO_SMALL",
            f"The photo is {width} × {height} pixels; each side needs at least {limits.min_side_px}.",
            sides | {"min_side_px": str(limits.min_side_px)},
        )


def _check_kind(file: ImageFile.ImageFile) -> None:
    """Refuse what opens as a photo and is none: raw sensor data, samples with no agreed white."""
    if isinstance(file, TiffImageFile) and _TIFF_DNG_VERSION in file.tag_v2:
        raise unsupported("Camera raw (DNG)")
    if file.mode in ("I", "F"):
        raise unsupported(f"{file.format} with signed, 32-bit or floating-point samples")


def _read_orientation(file: ImageFile.ImageFile, warnings: list[PhotoWarning]) -> int:
    """EXIF orientation still to be applied, 1 to 8: Pillow uprights TIFF, libheif uprights HEIC while loading."""
    if isinstance(file, TiffImageFile):
        return 1
    try:
        orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # see decode_photo
        warnings.append(PhotoWarning("EXIF_INVALID", "The EXIF data is damaged; the photo was taken as upright."))
        return 1
    return orientation if isinstance(orientation, int) else 1


def _unit_range(picture: Image.Image, empty: Empty = np.empty) -> NDArray[np.float32]:
    """Mode "L" to float32 (H, W) in [0, 1]."""
    levels: NDArray[np.uint8] = np.asarray(picture)
    unit: NDArray[np.float32] = empty(levels.shape, np.float32)
    return np.divide(levels, np.float32(255), out=unit, dtype=np.float32)


def _as_photo_error(error: Exception, data: bytes, file_format: str) -> PhotoError:
    """Say what a decoder's exception means for the photo."""
    text = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or _SAYS_OUT_OF_MEMORY.search(text):
        return _out_of_memory()
    if isinstance(error, Image.DecompressionBombError):
        return PhotoError("PHOTO_TOO_MANY_PIXELS", f"The {file_format} photo has too many pixels.")
    if _SAYS_TOO_MUCH_METADATA.search(text):
        return PhotoError(
            "PHOTO_METADATA_TOO_LARGE", f"Text or profiles in the {file_format} file are too large: {text}."
        )
    if _SAYS_UNSUPPORTED.search(text):
        return unsupported(f"This kind of {file_format} ({text})")
    if _SAYS_TRUNCATED.search(text) or ends_early(data, file_format):
        return PhotoError("PHOTO_TRUNCATED", f"The {file_format} file ends before its last pixel; send it again.")
    return PhotoError("PHOTO_CORRUPT", f"The {file_format} file is damaged: {text}.")


def _out_of_memory() -> PhotoError:
    return PhotoError("PHOTO_DECODE_MEMORY", "Decoding the photo needs more memory than there is; send fewer pixels.")
