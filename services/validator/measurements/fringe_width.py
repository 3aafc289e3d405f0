"""Fringe width: how much wider the way from product to white is than the product is blurred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.validator.measurements.outline import Outline

_FEWEST_STRETCHES = 6
_LOW, _HIGH = 0.2, 0.8
_QUANTILE = 0.25
# Of a Gaussian edge: its 20 to 80 % and its 10 to 90 % width in standard deviations.
_SIGMAS_20_80, _SIGMAS_10_90 = 1.683, 2.563
# What a sharp photo's own edges measure: taken where the product's surface is plain.
_SHARP_PX = 0.9
_AT_PX = 2000


def fringe_width(outline: Outline, inner_blur_px: float | None, longest_side_px: int) -> float | None:
    """Width of the transition from product to white beyond the product's own blur, in px on a canvas of 2000 px.

    The transition is measured between 20 and 80 % of the way from the inside's colour to white, on the mean of every
    stretch of outline, and stated as the 10 to 90 % width of the Gaussian edge that gives the same. The lower quartile
    of the stretches counts: a bad matte is soft all around, a shadow or a part out of focus is not.

    Args:
        outline: of the product.
        inner_blur_px: blur of the edges inside the product, px of the image; None when its surface is plain: then the
            photo is taken to be sharp.
        longest_side_px: of the canvas.

    Returns:
        The width, at least 0, or None if there are fewer than 6 stretches of outline to judge it by.
    """
    if len(outline.coverage) < _FEWEST_STRETCHES:
        return None
    rise = _reaches(outline, _HIGH) - _reaches(outline, _LOW)
    blur_px = float(np.quantile(rise, _QUANTILE)) / _SIGMAS_20_80
    excess_px = blur_px - (_SHARP_PX if inner_blur_px is None else inner_blur_px)
    return max(0.0, excess_px) * _SIGMAS_10_90 * _AT_PX / longest_side_px


def _reaches(outline: Outline, level: float) -> NDArray[np.float32]:
    """Where each stretch first reaches a coverage, px inwards of its half: float32 (N,)."""
    coverage, offsets = outline.coverage, outline.offsets_px
    reached = coverage >= level
    last = len(offsets) - 1
    first = np.clip(np.where(reached.any(axis=1), np.argmax(reached, axis=1), last), 1, last)
    row = np.arange(len(coverage))
    low, high = coverage[row, first - 1], coverage[row, first]
    part = np.clip((level - low) / np.maximum(high - low, 1e-3), 0, 1)
    places: NDArray[np.float32] = offsets[first - 1] + part * (offsets[first] - offsets[first - 1])
    return places
