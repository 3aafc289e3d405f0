"""Small operations on masks and mattes that several modules share."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.proposal import Roi


def soft_iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Intersection over union of two mattes of one shape: sum of minima over sum of maxima; two empty ones give 1.

    Reference: Ruzicka (1958) similarity, the fuzzy-set form of the Jaccard index.
    """
    union = float(np.maximum(one, other).sum())
    return float(np.minimum(one, other).sum()) / union if union > 0 else 1.0


def disc(radius_px: int) -> NDArray[np.uint8]:
    """Disc-shaped structuring element."""
    kernel: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))
    return kernel


def grow(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc(radius_px)) > 0)


def shrink(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Erode; what lies beyond the frame counts as inside."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), disc(radius_px)) > 0)


def enclosed(mask: NDArray[np.bool_], min_share: float) -> NDArray[np.bool_]:
    """Components of a mask that do not reach the frame and cover at least a share of it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    kept = stats[:, cv2.CC_STAT_AREA] >= min_share * mask.size
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        kept[side] = False
    kept[0] = False
    return np.asarray(kept[labels])


def without_fragments(mask: NDArray[np.bool_], min_share_of_largest: float) -> NDArray[np.bool_]:
    """Keep components of at least a share of the largest one's area."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    area[0] = 0
    if area.max() == 0:
        return mask
    kept = area >= min_share_of_largest * area.max()
    kept[0] = False
    return np.asarray(kept[labels])


def to_lab(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """sRGB (H, W, 3) uint8 to CIELAB float32, L* in [0, 100]; OpenCV's conversion, D65."""
    lab: NDArray[np.float32] = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


def scale_roi(roi: Roi | None, source: tuple[int, ...], target: tuple[int, int]) -> Roi | None:
    """A region of interest of an image of one (height, width) in the pixels of another size, rounded outwards."""
    if roi is None:
        return None
    top, left, bottom, right = roi
    down, across = target[0] / source[0], target[1] / source[1]
    return math.floor(top * down), math.floor(left * across), math.ceil(bottom * down), math.ceil(right * across)


def clear_outside(matte: NDArray[np.float32], roi: Roi | None) -> NDArray[np.float32]:
    """A copy that is 0 outside a region of interest."""
    if roi is None:
        return matte
    top, left, bottom, right = roi
    cleared = np.zeros_like(matte)
    cleared[top:bottom, left:right] = matte[top:bottom, left:right]
    return cleared


def resize(array: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resize an image or matte: area average when it gets smaller, bilinear when it gets larger."""
    if array.shape[:2] == (height, width):
        return array
    smaller = height * width < array.shape[0] * array.shape[1]
    resized: NDArray[Any] = cv2.resize(
        array, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    return resized


def working_size(height: int, width: int, longest_px: int, shortest_px: int = 24) -> tuple[int, int]:
    """Size (height, width) at which an image is worked on: longest side as given, no side under `shortest_px`."""
    scale = min(1.0, longest_px / max(height, width))
    return max(shortest_px, round(height * scale)), max(shortest_px, round(width * scale))
