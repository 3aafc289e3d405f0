"""Pictures of any colour space to sRGB by their ICC profile.

References:
    ICC.1:2022, image technology colour management. Relative colorimetric intent with black point
    compensation (ISO 18619) keeps white white and the darkest black black.
"""

import struct
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

# ITU-T H.273, tables 2 and 3.
_P3_PRIMARIES: Final = 12
_WIDE_PRIMARIES: Final = (9, 10)  # BT.2020, XYZ
_HDR_TRANSFERS: Final = (8, 16, 18)  # linear, PQ, HLG
_SRGB_NAME: Final = "sRGB built-in"  # what LittleCMS calls its sRGB
_P3_COLORANTS: Final = {
    b"rXYZ": (0.515102, 0.241182, -0.001050),
    b"gXYZ": (0.291965, 0.692236, 0.041882),
    b"bXYZ": (0.157153, 0.066582, 0.784378),
}

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


@cache
def _display_p3_profile() -> bytes:
    """Display P3: the sRGB profile with other primaries (SMPTE EG 432-1, adapted to D50)."""
    name = "Display P3".ljust(len(_SRGB_NAME)).encode("utf-16-be")
    profile = bytearray(srgb_profile().replace(_SRGB_NAME.encode("utf-16-be"), name))
    for entry in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        colorant = _P3_COLORANTS.get(bytes(profile[entry : entry + 4]))
        if colorant is not None:
            values = int.from_bytes(profile[entry + 4 : entry + 8], "big") + 8
            profile[values : values + 12] = struct.pack(">3i", *(round(value * 65536) for value in colorant))
    return bytes(profile)


def profile_of_coding_points(points: tuple[int, int] | None) -> tuple[bytes | None, tuple[PhotoWarning, ...]]:
    """The ICC profile that stands for a file's code points of primaries and transfer (ITU-T H.273).

    Display P3 is converted. Wider primaries and transfers of high dynamic range count as sRGB with a warning,
    the code points of ordinary video and "unspecified" without one.
    """
    if points is None:
        return None, ()
    primaries, transfer = points
    if primaries in _WIDE_PRIMARIES or transfer in _HDR_TRANSFERS:
        message = "Colours have wide primaries or high dynamic range; they were taken as sRGB"
        return None, (PhotoWarning("COLOR_SPACE_UNSUPPORTED", f"{message} (code points {primaries}, {transfer})."),)
    return (_display_p3_profile() if primaries == _P3_PRIMARIES else None), ()


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
        if picture.mode != conversion.input_mode:
            picture = picture.convert(conversion.input_mode)
        picture = _apply(conversion.transform, picture)
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
    after = np.asarray(_apply(transform, probe.copy()), np.int16)
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
    """Convert, in place where the modes allow it."""
    in_place = picture.mode == "RGB"
    converted = ImageCms.applyTransform(picture, transform, inPlace=in_place)
    return picture if converted is None else converted
