"""Pictures of any colour space to sRGB by their ICC profile.

References:
    ICC.1:2022, image technology colour management. Relative colorimetric intent with black point
    compensation (ISO 18619) keeps white white and the darkest black black.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from services.common.photo.types import PhotoWarning

_MAX_PROFILE_BYTES: Final = 8 * 2**20
_CACHED_TRANSFORMS: Final = 16
_CREATED: Final = (2000, 1, 1, 0, 0, 0)

# ICC colour space signature of a profile, by Pillow mode of the picture it may describe.
_SPACE_OF_MODE: Final = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}


@cache
def srgb_profile() -> bytes:
    """The sRGB profile embedded in everything encoded (ICC v4, 588 bytes), the same bytes on every run.

    LittleCMS writes the time of creation into the header (bytes 24 to 35, ICC.1 7.2.8); it is set to a
    constant. The profile identifier (bytes 84 to 99) stays zero: not calculated.
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = b"".join(part.to_bytes(2, "big") for part in _CREATED)
    return bytes(profile)


def to_srgb(picture: Image.Image, profile: bytes | None) -> tuple[Image.Image, str | None, tuple[PhotoWarning, ...]]:
    """Convert a picture to sRGB.

    Args:
        picture: mode "L", "RGB", "CMYK" or "LAB"; may be changed in place.
        profile: the embedded ICC profile. It is ignored with a warning where it is damaged or made for
            another colour space; an RGB profile on a grey picture is honoured.

    Returns:
        The picture in mode "L" (grey that needs no conversion) or "RGB", the profile's description, warnings.
    """
    if picture.mode == "LAB":
        return _apply(_lab_transform(), picture), None, ()
    if not profile:
        if picture.mode == "CMYK":
            warning = PhotoWarning(
                "ICC_PROFILE_MISSING", "The CMYK photo has no colour profile; its colours are approximate."
            )
            return picture.convert("RGB"), None, (warning,)
        return picture, None, ()
    conversion = _conversion(profile, picture.mode)
    if conversion.problem is not None:
        warning = PhotoWarning(
            "ICC_PROFILE_INVALID", f"The colour profile was ignored, colours taken as sRGB: {conversion.problem}."
        )
        if picture.mode == "CMYK":
            picture = picture.convert("RGB")
        return picture, conversion.description, (warning,)
    if conversion.transform is not None:
        picture = _apply(conversion.transform, picture.convert(conversion.input_mode))
    return picture, conversion.description, ()


@dataclass(frozen=True, slots=True)
class _Conversion:
    """How to get from a profile to sRGB: the transform, None where it would change nothing, or the problem."""

    description: str | None
    input_mode: str = "RGB"
    transform: ImageCms.ImageCmsTransform | None = None
    problem: str | None = None


@lru_cache(maxsize=_CACHED_TRANSFORMS)
def _conversion(profile: bytes, mode: str) -> _Conversion:
    if len(profile) > _MAX_PROFILE_BYTES:
        return _Conversion(None, problem=f"it has {len(profile)} bytes, more than {_MAX_PROFILE_BYTES}")
    description: str | None = None
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        description = _printable(opened.profile.profile_description)
        space = opened.profile.xcolor_space.strip()
        input_mode = "RGB" if mode == "L" and space == "RGB" else mode
        if space != _SPACE_OF_MODE[input_mode]:
            return _Conversion(description, problem=f"it describes {space} and the photo is {mode}")
        transform = _transform(opened, input_mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        return _Conversion(description, problem=f"it is damaged ({error})")
    return _Conversion(description, input_mode, None if _changes_nothing(transform, input_mode) else transform)


def _printable(description: str | None) -> str | None:
    text = "".join(character for character in description or "" if character.isprintable()).strip()
    return text[:200] or None


@cache
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        profile,
        ImageCms.ImageCmsProfile(BytesIO(srgb_profile())),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether the transform moves no colour by more than one level: the many sRGB profiles under many names."""
    probes: dict[str, Callable[[], Image.Image]] = {"RGB": _rgb_grid, "L": _grey_ramp}
    if mode not in probes:
        return False
    probe = probes[mode]()
    before = np.asarray(probe.convert("RGB"), np.int16)
    after = np.asarray(_apply(transform, probe), np.int16)
    return int(np.abs(after - before).max()) <= 1


@cache
def _rgb_grid() -> Image.Image:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(len(levels), -1, 3))


@cache
def _grey_ramp() -> Image.Image:
    return Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])


def _apply(transform: ImageCms.ImageCmsTransform, picture: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(picture, transform)
    if converted is None:  # only with inPlace=True
        raise TypeError("LittleCMS returned no picture")
    return converted
