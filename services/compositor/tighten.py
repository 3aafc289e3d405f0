"""Pulling a matte's edge inwards by a fraction of a pixel."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from services.compositor.band import Band

Float = NDArray[np.float32]

_STEP_PX = 1.0
_THIN = 0.4  # alpha an opening has to remove for a pixel to be part of something thin
_FLAT = 0.02  # gradient per px below which there is no direction to move in, as on the ridge of a hair


def tighten_matte(matte: Float, by_px: float) -> Float:
    """Move the edge inwards along its normal, keeping its softness.

    Every pixel near the edge takes the alpha found `by_px` further out. What is so thin that nothing would be left of
    it, such as hair, stays.

    Args:
        matte: (H, W) float32 in [0, 1].
        by_px: distance, 0 or more.

    Returns:
        (H, W) float32 in [0, 1], nowhere above `matte`.
    """
    if by_px == 0:
        return matte
    thin = _thin_parts(matte, by_px)
    remaining = by_px
    while remaining > 1e-6:
        matte = _step(matte, min(remaining, _STEP_PX))
        remaining -= _STEP_PX
    return np.maximum(matte, thin)


def _thin_parts(matte: Float, by_px: float) -> Float:
    """What an opening removes (top hat), less the little that it removes from slanted and curved edges too."""
    side = 2 * math.ceil(by_px) + 1
    opened = cv2.morphologyEx(matte, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    ridges = (matte - opened > _THIN).view(np.uint8)
    thin: Float = np.where(cv2.dilate(ridges, np.ones((3, 3), np.uint8)) > 0, matte, np.float32(0))
    return thin


def _step(matte: Float, by_px: float) -> Float:
    reach = np.ones((5, 5), np.uint8)
    near = (cv2.dilate(matte, reach) > 0) & (cv2.erode(matte, reach) < 1) & (matte > 0)
    band = Band.where(near)
    if not len(band):
        return matte
    smooth = cv2.GaussianBlur(matte, (0, 0), 0.8)
    along_rows = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8).ravel()[band.index]
    along_cols = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8).ravel()[band.index]
    length = np.hypot(along_rows, along_cols)
    step = by_px * length / (length * length + _FLAT * _FLAT)
    further_out = _bilinear(matte, band.rows - step * along_rows, band.cols - step * along_cols)
    tightened = matte.copy()
    here = band.index
    tightened.ravel()[here] = np.minimum(further_out, matte.ravel()[here])
    return tightened


def _bilinear(matte: Float, rows: Float, cols: Float) -> Float:
    height, width = matte.shape
    rows, cols = np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)
    top = np.minimum(rows.astype(np.intp), max(height - 2, 0))
    left = np.minimum(cols.astype(np.intp), max(width - 2, 0))
    down, right = (rows - top).astype(np.float32), (cols - left).astype(np.float32)
    bottom, beyond = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    upper = (1 - right) * matte[top, left] + right * matte[top, beyond]
    lower = (1 - right) * matte[bottom, left] + right * matte[bottom, beyond]
    mixed: Float = ((1 - down) * upper + down * lower).astype(np.float32)
    return mixed
