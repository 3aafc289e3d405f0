"""The one decoder of the house: photo bytes to upright sRGB pixels, and finished pixels back to bytes.

    decoded = decode_photo(data)        # JPEG, PNG, WebP, TIFF, HEIC, AVIF, GIF, BMP
    decoded.image                       # uint8 (H, W, 3), sRGB, upright
    data = encode_jpeg(decoded.image)

Everything wrong with a photo is a `PhotoError` with a reason; what is odd but usable is a `PhotoWarning`.
"""

from services.common.photo.decode import decode_matte, decode_photo
from services.common.photo.encode import encode_jpeg, encode_matte, encode_png
from services.common.photo.types import (
    DEFAULT_LIMITS,
    Decode,
    DecodedPhoto,
    PhotoLimits,
    PhotoWarning,
)
from services.common.photo_error import PhotoError

__all__ = [
    "DEFAULT_LIMITS",
    "Decode",
    "DecodedPhoto",
    "PhotoError",
    "PhotoLimits",
    "PhotoWarning",
    "decode_matte",
    "decode_photo",
    "encode_jpeg",
    "encode_matte",
    "encode_png",
]
