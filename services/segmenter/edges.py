"""Brings a small matte to an image's full size, with its edge on the image's edge.

References
----------
He, Sun and Tang, "Guided Image Filtering", PAMI 35(6), 2013: a matte as a local linear function of colour.
He and Sun, "Fast Guided Filter", arXiv:1505.00996, 2015: the coefficients at a small size, applied at full size.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.masks import grow, resize, working_size

_GUIDE_SIDE_PX = 512
_RADIUS_PX = 4
_EPSILON = 1e-4  # of colours in [0, 1]: below this variance a window counts as flat
_GAIN = 2.0  # what a blurred edge is steepened by
_BAND_PX = 12  # at the guide's size; softness farther from the outline is doubt, not edge
_STRIP_ROWS = 256


def sharpen_to(image: NDArray[np.uint8], matte: NDArray[np.float32]) -> NDArray[np.float32]:
    """Upsample a matte to its image.

    Args:
        image: (H, W, 3) uint8 RGB.
        matte: float32 (h, w) in [0, 1], any size, covering the same frame.

    Returns:
        float32 (H, W) in [0, 1]: soft along the outline only; 0 and 1 elsewhere.
    """
    height, width = image.shape[:2]
    guide = resize(image, *working_size(height, width, _GUIDE_SIDE_PX)).astype(np.float32) / np.float32(255)
    coarse = _decided(resize(matte, *guide.shape[:2]))
    if not coarse.any():
        return np.zeros((height, width), np.float32)
    slope, offset = _linear_model(guide, coarse)
    once = _steepened((slope * guide).sum(axis=2) + offset)
    slope, offset = _linear_model(guide, once)
    return _apply(image, slope, offset)


def _decided(matte: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 or 1 but near the outline, so that an undecided model leaves no half-transparent inside or veil outside."""
    product = matte >= 0.5
    near = grow(product, _BAND_PX) & grow(~product, _BAND_PX)
    return np.where(near, matte, product).astype(np.float32)


def _steepened(matte: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip((matte - 0.5) * _GAIN + 0.5, 0.0, 1.0), dtype=np.float32)


def _linear_model(
    guide: NDArray[np.float32], matte: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slope (h, w, 3) and offset (h, w) with matte ≈ slope · colour + offset in the windows around every pixel."""

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        side = 2 * _RADIUS_PX + 1
        averaged: NDArray[np.float32] = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT_101)
        return averaged

    mean_matte = mean(matte)
    mean_color = mean(guide)
    covariance = mean(guide * matte[..., None]) - mean_color * mean_matte[..., None]
    # Only windows that the outline crosses have a slope.
    crossed = (mean_matte > 1e-4) & (mean_matte < 1 - 1e-4)
    slope = np.zeros_like(guide)
    if crossed.any():
        spread = np.empty((int(crossed.sum()), 3, 3), np.float32)
        for one in range(3):
            for other in range(one, 3):
                product = mean(guide[..., one] * guide[..., other]) - mean_color[..., one] * mean_color[..., other]
                spread[:, one, other] = spread[:, other, one] = product[crossed]
        spread += _EPSILON * np.eye(3, dtype=np.float32)
        slope[crossed] = np.linalg.solve(spread, covariance[crossed][..., None])[..., 0]
    offset = mean_matte - (slope * mean_color).sum(axis=2)
    return mean(slope), mean(offset)


def _apply(image: NDArray[np.uint8], slope: NDArray[np.float32], offset: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evaluate the model at full size, a strip of rows at a time to keep memory small."""
    height, width = image.shape[:2]
    slope = resize(slope / np.float32(255), height, width)
    matte: NDArray[np.float32] = resize(offset, height, width).copy()
    for top in range(0, height, _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        matte[rows] += np.einsum("hwc,hwc->hw", slope[rows], image[rows].astype(np.float32))
    matte = _steepened(matte)
    matte[matte < 1 / 255] = 0.0
    matte[matte > 254 / 255] = 1.0
    return matte
