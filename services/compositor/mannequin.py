"""Garments that somebody or something wears: openings through which the backdrop shows, and what holds them up.

Nothing of a garment is invented here. An opening is opened where its colour can only be the backdrop's. A body, a hand
or a pole that is part of the cutout is told to a person: where a garment ends under a chin is not in the pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import continue_backdrop
from services.common.color import srgb_to_lab
from services.compositor.findings import Finding

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SMALL_PX = 256  # longer side of the photo at which regions are looked for
_SAME = 3.0  # ΔE76 from the continued backdrop, per pixel
_SAME_MEAN = 1.5
_ALIKE = 10.0  # ΔE76; where much of the garment is as close as that, colour proves nothing
_MOST_ALIKE = 0.05  # of the garment
_WHITEST = 98.0  # L* of a backdrop that white print looks like
_LEAST_HOLE = 0.002  # of the product's area

_SKIN_HUE = (25.0, 75.0)  # degrees, as the segmenter sees skin
_SKIN_CHROMA = (9.0, 42.0)
_SKIN_LIGHTNESS = (20.0, 90.0)
_LEAST_SKIN, _MOST_SKIN = 0.01, 0.5  # of the product's area, in one region; more is a product of that colour
_POLE_WIDTH, _POLE_HEIGHT = 0.12, 0.08  # of the product's box, at most and at least

SUPPORT = Finding(
    "STAND_OR_BODY",
    False,
    "a body, a hand or a stand is part of the cutout",
    "retouch it by hand, or shoot the product without it",
)


def open_holes(image: NDArray[np.uint8], matte: Float) -> Float:
    """Open what is enclosed by the product and shows the backdrop, such as a neck hole.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].

    Returns:
        (H, W) float32 in [0, 1]; the matte as it is where colour cannot prove an opening: before a white or uneven
        backdrop, or if the garment itself is of the backdrop's colour.
    """
    lab, backdrop, product = _look(image, matte)
    if backdrop is None:
        return matte
    gap = np.linalg.norm(lab - backdrop, axis=2)
    beside = ~_grown(product, 2)
    if float(np.median(backdrop[..., 0])) > _WHITEST or not beside.any() or float(gap[beside].mean()) > _SAME_MEAN:
        return matte
    inside = ~_grown(~product, 2)
    same = inside & (gap <= _SAME)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(same.view(np.uint8), connectivity=4)
    holes = np.zeros_like(product)
    for label in range(1, count):
        region = labels == label
        if stats[label, cv2.CC_STAT_AREA] >= _LEAST_HOLE * product.sum() and gap[region].mean() <= _SAME_MEAN:
            holes |= region
    garment = inside & ~_grown(holes, 2)
    if not holes.any() or not garment.any() or float((gap[garment] <= _ALIKE).mean()) > _MOST_ALIKE:
        return matte
    height, width = matte.shape
    # A soft edge as wide as what was looked at: refining finds the exact one.
    opened: Float = cv2.resize(holes.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.minimum(matte, 1 - opened)


def find_support(image: NDArray[np.uint8], matte: Float) -> tuple[Finding, ...]:
    """Say whether skin, or a pole below, is part of the product; for products that are worn or held.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].
    """
    lab, _, product = _look(image, matte)
    if not product.any():
        return ()
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    skin = product.copy()
    for value, (low, high) in ((hue, _SKIN_HUE), (chroma, _SKIN_CHROMA), (lab[..., 0], _SKIN_LIGHTNESS)):
        skin &= (value >= low) & (value <= high)
    _, _, stats, _ = cv2.connectedComponentsWithStats(skin.view(np.uint8), connectivity=4)
    largest = int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))
    share = largest / int(product.sum())
    return (SUPPORT,) if _LEAST_SKIN <= share <= _MOST_SKIN or _has_pole(product) else ()


def _has_pole(product: Mask) -> bool:
    """Whether the lowest part is one narrow upright run below something wide."""
    rows = np.flatnonzero(product.any(axis=1))
    cols = np.flatnonzero(product.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1
    low = product[rows[-1] + 1 - max(2, round(_POLE_HEIGHT * height)) : rows[-1] + 1]
    counts = low.sum(axis=1)
    spans = [np.ptp(np.flatnonzero(row)) + 1 for row in low if row.any()]
    narrow = max(2.0, _POLE_WIDTH * width)
    return bool(len(spans) == len(low) and max(spans) <= narrow and counts.min() >= 1 and height > 2 * narrow)


def _look(image: NDArray[np.uint8], matte: Float) -> tuple[Float, Float | None, Mask]:
    """Image and continued backdrop in CIELAB (None if none is seen) and where the product is, all small."""
    height, width = matte.shape
    scale = min(1.0, _SMALL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    lab = srgb_to_lab(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    coverage = cv2.resize(matte, size, interpolation=cv2.INTER_AREA)
    known = 1 - _grown(coverage > 0, 2).astype(np.float32)
    return lab, continue_backdrop(lab, known) if known.any() else None, coverage > 0.5


def _grown(mask: Mask, radius_px: int) -> Mask:
    square = np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
    grown: Mask = cv2.dilate(mask.astype(np.uint8), square) > 0
    return grown
