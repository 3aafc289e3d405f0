"""Turn a finished file into measurements."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.photo import Decode, DecodedPhoto, decode_photo
from services.validator.catalogue import CATALOGUE, Kind, Measurement, Measurements, Origin
from services.validator.measurements.border import find_border
from services.validator.measurements.color_mode import color_mode
from services.validator.measurements.dimensions import aspect_ratio, longest_side_px
from services.validator.measurements.fill import bbox_area_share, bounding_box, fill_ratio, matte_area_share
from services.validator.measurements.frame_contact import touches_frame
from services.validator.measurements.fringe_width import fringe_width
from services.validator.measurements.halo import halo
from services.validator.measurements.inner_blur import inner_blur
from services.validator.measurements.jaggedness import jaggedness
from services.validator.measurements.leftover_translucency import leftover_translucency
from services.validator.measurements.outline import outline_of
from services.validator.measurements.pieces import piece_count
from services.validator.measurements.purity import TOLERANT_WHITE, WHITE, clear_background, white_share
from services.validator.measurements.regions import SOLID_ALPHA, Regions, frame_ring, regions_of_image, regions_of_matte
from services.validator.measurements.shade import soft_shade
from services.validator.measurements.sharpness import sharpness

_NO_LIGHT_BACKGROUND = "no light background reaches the frame, and no matte says where the product is"
# A halo is what is left of an old background on a new, white one.
_MOSTLY = 0.5
_NO_CLEAR_BACKGROUND = "all of the background is next to the product"
_NO_PRODUCT = "there is no product in the image"
_EDGE_MEASURES = ("halo", "fringe_width", "jaggedness", "leftover_translucency")


class MeasureError(ValueError):
    """What was handed in beside the file cannot be used.

    `field` is "matte" or "known", `reason` an UPPER_SNAKE code.
    """

    def __init__(self, field: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.reason = reason


def measure(
    data: bytes,
    *,
    matte: NDArray[np.float32] | None = None,
    known: Mapping[str, float] = MappingProxyType({}),
    decode: Decode = decode_photo,
) -> Measurements:
    """Measure a finished image.

    Args:
        data: the file's bytes.
        matte: float32 (H, W) in [0, 1] on the image's own pixels, where the product is known. Without one a file's own
            transparency serves, and without that the background is found from the pixels (`measurements/regions.py`).
        known: measurements that the finished file cannot show (`Origin.KNOWN` in the catalogue), by name.
        decode: turns the file into pixels.

    Returns:
        Every quantity of the catalogue by name, in its order; one that could not be measured has no value but a reason.

    Raises:
        PhotoError: the bytes are no image, or one past the limits.
        MeasureError: the matte has another size than the image, or a known measurement has a wrong name or value.
    """
    _check_known(known)
    photo = decode(data)
    _check_matte(matte, photo.image.shape[:2])
    values: dict[str, float | str | None] = dict(known)
    reasons: dict[str, str] = {}
    _measure_file(data, photo, values)
    _measure_pixels(photo, matte if matte is not None else photo.alpha, values, reasons)
    return MappingProxyType(
        {
            name: Measurement(name, value, quantity.unit, "" if value is not None else _why_not(name, reasons))
            for name, quantity in CATALOGUE.items()
            for value in (values.get(name),)
        }
    )


def _measure_file(data: bytes, photo: DecodedPhoto, values: dict[str, float | str | None]) -> None:
    height, width = photo.image.shape[:2]
    values["width_px"] = float(width)
    values["height_px"] = float(height)
    values["longest_side_px"] = float(longest_side_px(height, width))
    values["aspect_ratio"] = aspect_ratio(height, width)
    values["format"] = photo.format
    values["color_mode"] = color_mode(photo.color_mode)
    values["has_transparency"] = float(photo.alpha is not None)
    values["is_animated"] = float(photo.is_animated)
    values["file_size_bytes"] = float(len(data))


def _measure_pixels(
    photo: DecodedPhoto,
    matte: NDArray[np.float32] | None,
    values: dict[str, float | str | None],
    reasons: dict[str, str],
) -> None:
    image = _over_white(photo.image, photo.alpha) if photo.alpha is not None else photo.image
    height, width = image.shape[:2]
    border = find_border(image)
    values["border_share"] = border.share
    regions = regions_of_matte(matte) if matte is not None else regions_of_image(image, border)
    _measure_purity(photo, regions, values, reasons)
    if matte is not None:
        values["matte_area_share"] = matte_area_share(matte)
    else:
        reasons["matte_area_share"] = "needs the product's matte"
    if regions is None:
        for name in ("fill_ratio", "bbox_area_share", "touches_frame", "piece_count", *_EDGE_MEASURES):
            reasons[name] = _NO_LIGHT_BACKGROUND
        product = np.full((height, width), 255, np.uint8)
        _put(values, reasons, "sharpness", sharpness(image, product), "there are too few edges")
        return

    box = bounding_box(regions.product if matte is None else cv2.inRange(matte, SOLID_ALPHA, np.inf))
    values["fill_ratio"] = fill_ratio(box, height, width)
    values["bbox_area_share"] = bbox_area_share(box, height, width)
    values["touches_frame"] = float(touches_frame(regions.product))
    values["piece_count"] = float(piece_count(regions.product))
    if not regions.product.any():
        for name in ("sharpness", *_EDGE_MEASURES):
            reasons[name] = _NO_PRODUCT
        return
    _put(
        values,
        reasons,
        "sharpness",
        sharpness(image, regions.surface),
        "there are too few edges inside the product: its surface is plain",
    )
    if not _stands_on_white(values):
        for name in _EDGE_MEASURES:
            reasons[name] = "the product does not stand on white"
        return
    _measure_edge(image, regions, matte, values, reasons)


def _measure_edge(
    image: NDArray[np.uint8],
    regions: Regions,
    matte: NDArray[np.float32] | None,
    values: dict[str, float | str | None],
    reasons: dict[str, str],
) -> None:
    """What is left of the cut where product and white meet."""
    _put(
        values,
        reasons,
        "halo",
        halo(image, regions.surface, matte),
        "the product is too small or too thin to have an inside to compare its rim with",
    )
    covered = regions.product if matte is None else cv2.inRange(matte, SOLID_ALPHA, np.inf)
    outline = outline_of(image, covered, matte)
    too_short = "too little of the outline is plain: the product is small, hairy, openwork or nearly white at its edge"
    too_straight = f"{too_short}, or runs along the pixel grid, where steps do not show"
    blur_px = inner_blur(image, regions.surface)
    _put(values, reasons, "fringe_width", fringe_width(outline, blur_px, max(image.shape[:2])), too_short)
    _put(values, reasons, "jaggedness", jaggedness(outline), too_straight)
    _put(
        values,
        reasons,
        "leftover_translucency",
        leftover_translucency(image, regions.product, matte),
        "the product is translucent by nature: haze and holes cannot be told from it",
    )


def _measure_purity(
    photo: DecodedPhoto,
    regions: Regions | None,
    values: dict[str, float | str | None],
    reasons: dict[str, str],
) -> None:
    """Purity of the background, or of the canvas's outer ring where no background can be told apart.

    A transparent pixel is not white, whatever colour lies below.
    """
    image = photo.image
    if photo.alpha is not None:
        image = image.copy()
        image[photo.alpha < 1] = 0
    background = regions.background if regions is not None else frame_ring(*image.shape[:2])
    if not background.any():
        for name in (
            "background_purity",
            "background_purity_clear",
            "background_purity_unshaded",
            "background_purity_tolerant",
        ):
            reasons[name] = "the product covers the whole canvas"
        return
    values["background_purity"] = white_share(image, background, WHITE)
    clear = clear_background(background, photo.format) if regions is not None else background
    if clear.any():
        values["background_purity_clear"] = white_share(image, clear, WHITE)
    else:
        reasons["background_purity_clear"] = _NO_CLEAR_BACKGROUND
    unshaded = cv2.bitwise_and(clear, cv2.bitwise_not(soft_shade(image, clear)))
    if unshaded.any():
        values["background_purity_unshaded"] = white_share(image, unshaded, WHITE)
    else:
        reasons["background_purity_unshaded"] = _NO_CLEAR_BACKGROUND
    values["background_purity_tolerant"] = white_share(image, background, TOLERANT_WHITE)


def _stands_on_white(values: Mapping[str, float | str | None]) -> bool:
    share = values.get("background_purity_tolerant")
    return isinstance(share, float) and share >= _MOSTLY


def _over_white(image: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What a viewer on a white page sees: uint8 (H, W, 3)."""
    coverage = cv2.merge([alpha, alpha, alpha])
    white = np.full_like(image, 255)
    blended = cv2.multiply(image, coverage, dtype=cv2.CV_32F) + cv2.multiply(white, 1 - coverage, dtype=cv2.CV_32F)
    visible: NDArray[np.uint8] = np.rint(blended).astype(np.uint8)
    return visible


def _put(
    values: dict[str, float | str | None], reasons: dict[str, str], name: str, value: float | None, why_not: str
) -> None:
    if value is None:
        reasons[name] = why_not
    else:
        values[name] = value


def _why_not(name: str, reasons: Mapping[str, str]) -> str:
    quantity = CATALOGUE[name]
    if quantity.origin is Origin.PERSON:
        return f"cannot be measured yet: a person has to look for {quantity.meaning}"
    if quantity.origin is Origin.KNOWN:
        return "the finished image does not show it: only the stage that made the image knows"
    return reasons[name]


def _check_known(known: Mapping[str, float]) -> None:
    names = [name for name, quantity in CATALOGUE.items() if quantity.origin is not Origin.IMAGE]
    for name, value in known.items():
        if name not in names:
            raise MeasureError(
                "known", "UNKNOWN_MEASUREMENT", f"{name!r} is no measurement that can be handed in: {', '.join(names)}"
            )
        if not np.isfinite(value) or (CATALOGUE[name].kind is Kind.FLAG and value not in (0, 1)):
            allowed = "0 or 1" if CATALOGUE[name].kind is Kind.FLAG else "a finite number"
            raise MeasureError("known", "BAD_MEASUREMENT", f"{name} is {value}, it must be {allowed}")


def _check_matte(matte: NDArray[np.float32] | None, shape: tuple[int, ...]) -> None:
    if matte is None:
        return
    if matte.shape != shape:
        raise MeasureError(
            "matte",
            "MATTE_SIZE_MISMATCH",
            f"the matte is {_size(matte.shape)}, the image is {_size(shape)}",
        )
    if matte.dtype != np.float32:
        raise MeasureError("matte", "MATTE_NOT_FLOAT32", f"the matte is {matte.dtype}, it must be float32")


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in reversed(shape))
