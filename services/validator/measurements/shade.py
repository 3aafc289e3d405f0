"""A soft shadow beneath the product, as some marketplaces allow one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.validator.measurements.purity import TOLERANT_WHITE

_DARKEST = 128
_MOST_CHROMA = 12
_MOST_SLOPE = 8.0  # levels per pixel on a canvas of
_SLOPE_SIDE_PX = 2000
# A shadow fades into white along most of its outline; what is left of a backdrop ends in a step.
_LEAST_FADING_SHARE = 0.8


def soft_shade(image: NDArray[np.uint8], clear: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Find what of the background is a soft shadow.

    That is grey that changes slowly, begins at the product, fades into white, and ends before the canvas does. A grey
    backdrop reaches the frame, and residue of an old background ends in a step: neither is a shadow.

    Args:
        image: uint8 (H, W, 3) RGB.
        clear: uint8 (H, W), non-zero on the background out of the product's reach, from `purity.clear_background`.

    Returns:
        uint8 (H, W), 255 on shadow, within `clear`.
    """
    red, green, blue = cv2.split(image)
    darkest = cv2.min(cv2.min(red, green), blue)
    chroma = cv2.subtract(cv2.max(cv2.max(red, green), blue), darkest)
    grey = cv2.bitwise_and(cv2.inRange(darkest, _DARKEST, 254), clear)
    if not grey.any():
        return np.zeros_like(clear)
    grey[(chroma > _MOST_CHROMA) | (_slope(darkest) > _MOST_SLOPE * _SLOPE_SIDE_PX / max(image.shape))] = 0
    # In its last levels a shadow flickers between white and almost white.
    square = np.ones((5, 5), np.uint8)
    grey = cv2.bitwise_and(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, square), clear)

    count, labels = cv2.connectedComponents(grey)
    at_product = np.bincount(labels[(cv2.erode(clear, square) == 0) & (clear > 0)], minlength=count) > 0
    at_frame = np.zeros(count, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        at_frame[side] = True
    kept = at_product & ~at_frame & (_fading_share(labels, count, darkest, clear) >= _LEAST_FADING_SHARE)
    kept[0] = False
    shade: NDArray[np.uint8] = np.where(kept, 255, 0).astype(np.uint8)[labels]
    return shade


def _slope(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Levels per pixel: float32 (H, W), of a plane freed of the finest grain."""
    smooth = cv2.blur(plane, (5, 5))
    slope: NDArray[np.float32] = cv2.magnitude(
        cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    )
    return slope


def _fading_share(
    labels: NDArray[np.int32], count: int, darkest: NDArray[np.uint8], clear: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """For each part, the share of its outermost pixels, but for those beside the product, that are all but white."""
    inside = cv2.erode(np.where((labels > 0) | (clear == 0), 255, 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    outermost = (labels > 0) & (inside == 0)
    total = np.bincount(labels[outermost], minlength=count)
    fading = np.bincount(labels[outermost & (darkest >= TOLERANT_WHITE)], minlength=count)
    share: NDArray[np.float64] = fading / np.maximum(total, 1)
    return share
