"""Trimap from a soft matte: where the matte can be believed and where it has to be worked out again."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUND, UNKNOWN, PRODUCT = 0, 128, 255

_SOFT_LOW, _SOFT_HIGH = 0.02, 0.98
# A soft band at least `thickness` px thick is widened by half of that on both sides: a matte enlarged n times is unsure
# of its edge by about n px, and the same factor sets how thick it draws it.
_WIDENINGS_PX = ((4, 2), (8, 4), (16, 8), (32, 12))
_LOOKED_AT_PX = 512  # longer side at which raggedness is seen
_SMOOTHING_PX = 4.0
_STRETCH_PX = (41, 41)
_RAGGED = 0.3  # pixels that smoothing moves per pixel of an outline two pixels wide
_LEAST_OUTLINE = 0.012  # of a stretch; less is a tip
_FURRY = 0.1  # of the outline; the hairy scenes of the benchmark have 0.12 to 0.99, products without hair to 0.08
_FUR_REACH = 0.018  # of the longer side
_DOUBT = 0.4  # uncertainty from which on a pixel counts as undecided
_DOUBT_REACH = 0.02  # how far from the band, as a share of the longest side


def make_trimap(matte: NDArray[np.float32], *, min_radius_px: int = 2) -> NDArray[np.uint8]:
    """Mark a band of unknown pixels along the matte's edge, narrow where the edge is hard, wider where it is soft.

    Args:
        matte: (H, W) float32 in [0, 1].
        min_radius_px: how far the band reaches beyond the last soft pixel, and beyond a hard edge.

    Returns:
        (H, W) uint8: 0 background, 128 unknown, 255 product. A side is empty only if the matte has none of it.
    """
    sure_product = (matte >= _SOFT_HIGH).view(np.uint8)
    sure_background = (matte <= _SOFT_LOW).view(np.uint8)
    soft = 1 - sure_product - sure_background
    unknown = cv2.dilate(soft, _disc(min_radius_px))
    for thickness_px, widening_px in _WIDENINGS_PX:
        core = cv2.erode(soft, _square(thickness_px // 2))
        if not cv2.countNonZero(core):
            break
        unknown = cv2.bitwise_or(unknown, cv2.dilate(core, _square(thickness_px // 2 + widening_px)))
    # A hard edge has no soft pixel to start from.
    near = _square(min_radius_px)
    hard_edge = cv2.bitwise_and(cv2.dilate(sure_product, near), cv2.dilate(sure_background, near))
    unknown = cv2.bitwise_or(unknown, hard_edge)

    trimap: NDArray[np.uint8] = np.where(sure_product, np.uint8(PRODUCT), np.uint8(BACKGROUND))
    unknown = cv2.bitwise_or(unknown, _around_fur(matte))
    trimap[unknown > 0] = UNKNOWN
    for side, sure in ((PRODUCT, sure_product), (BACKGROUND, sure_background)):
        # A product thinner than the band is all unknown: what the matte was sure of has to serve.
        if not np.any(trimap == side):
            trimap[sure > 0] = side
    return trimap


def with_doubt(trimap: NDArray[np.uint8], uncertainty: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The trimap with what is undecided near its band unknown, too, as around fur.

    Args:
        trimap: (H, W) uint8, from `make_trimap`.
        uncertainty: (h, w) float32 in [0, 1], any size: how undecided whoever made the matte is about each pixel.

    Returns:
        (H, W) uint8; the trimap as it was where a side would be left empty.
    """
    band = (trimap == UNKNOWN).view(np.uint8)
    widened = np.where(_doubtful(band, uncertainty) > 0, np.uint8(UNKNOWN), trimap)
    emptied = any(np.any(trimap == side) and not np.any(widened == side) for side in (BACKGROUND, PRODUCT))
    return trimap if emptied else widened


def _around_fur(matte: NDArray[np.float32]) -> NDArray[np.uint8]:
    """1 along ragged stretches of the outline (H, W): hair reaches further than a matte shows.

    Ragged is an outline that smoothing moves all along; a corner moves in one place only. Where little of the whole
    outline is ragged, that is a sharp part of a product without hair: nothing is marked.
    """
    height, width = matte.shape
    scale = _LOOKED_AT_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale))) if scale < 1 else (width, height)
    solid = (cv2.resize(matte, size, interpolation=cv2.INTER_AREA) > 0.5).view(np.uint8)
    smooth = (cv2.GaussianBlur(solid.astype(np.float32), (0, 0), _SMOOTHING_PX) > 0.5).view(np.uint8)
    outline = cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, _square(1))
    moved, length = (cv2.blur(part.astype(np.float32), _STRETCH_PX) for part in (solid ^ smooth, outline))
    ragged = ((moved > _RAGGED * length) & (length > _LEAST_OUTLINE)).view(np.uint8)
    if cv2.countNonZero(outline & ragged) < _FURRY * cv2.countNonZero(outline):
        return np.zeros_like(matte, np.uint8)
    reach = _square(max(1, round(_FUR_REACH * max(size))))
    band = cv2.bitwise_and(cv2.dilate(outline, reach), ragged)
    enlarged: NDArray[np.uint8] = cv2.resize(band, (width, height), interpolation=cv2.INTER_NEAREST)
    return enlarged


def _doubtful(band: NDArray[np.uint8], uncertainty: NDArray[np.float32]) -> NDArray[np.uint8]:
    """1 in undecided pixels not far from the band (H, W); found at the size of the uncertainty, (H, W) again."""
    height, width = uncertainty.shape
    reach = _square(max(1, round(_DOUBT_REACH * max(height, width))))
    near = cv2.dilate(cv2.resize(band, (width, height), interpolation=cv2.INTER_NEAREST), reach)
    doubtful = ((uncertainty >= _DOUBT) & (near > 0)).view(np.uint8)
    enlarged: NDArray[np.uint8] = cv2.resize(doubtful, band.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return enlarged


def _disc(radius_px: int) -> NDArray[np.uint8]:
    side = 2 * radius_px + 1
    element: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return element


def _square(radius_px: int) -> NDArray[np.uint8]:
    """A square is separable: its cost does not grow with its area, which counts for the wide bands."""
    return np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
