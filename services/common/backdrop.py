"""The backdrop behind the product, continued from what is beside it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_SMOOTHING_PX = 13  # along a row, so that texture does not become streaks
_BLENDING_PX = 1.5


def continue_backdrop(picture: Float, known: Float) -> Float:
    """Continue a backdrop to where it is hidden, without its texture.

    Rows are interpolated from the left to the right of what hides them: a photo's horizons, table edges and sweeps run
    along its rows. Where a row is hidden whole, colours spread from above and below (pull-push).

    Args:
        picture: (h, w, 3) float32; small, since everything here is smooth.
        known: (h, w) float32, 1 where the backdrop is seen and 0 where it is not; somewhere it must be.

    Returns:
        (h, w, 3) float32, smooth along its rows everywhere.

    Reference:
        Gortler, Grzeszczuk, Szeliski, Cohen, "The Lumigraph", SIGGRAPH 1996, section 3.4 (pull-push).
    """
    weight = cv2.blur(known, (_SMOOTHING_PX, 3))
    smooth = cv2.blur(picture * known[..., None], (_SMOOTHING_PX, 3)) / np.maximum(weight, 1e-6)[..., None]
    filled = np.where(known[..., None] > 0, smooth, spread(smooth, known))
    across = _along_rows(smooth, known > 0)
    continued = np.where(np.isnan(across), filled, across).astype(np.float32)
    blended: Float = cv2.GaussianBlur(continued, (0, 0), _BLENDING_PX).reshape(picture.shape)
    return blended


def _along_rows(smooth: Float, known: NDArray[np.bool_]) -> Float:
    """Each row's gaps from their two ends; not a number where one of them is missing."""
    height, width = known.shape
    cols = np.broadcast_to(np.arange(width), known.shape)
    left = np.maximum.accumulate(np.where(known, cols, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, cols, width)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(height)[:, None]
    share = ((cols - left) / np.maximum(right - left, 1))[..., None]
    between = (1 - share) * smooth[rows, np.maximum(left, 0)] + share * smooth[rows, np.minimum(right, width - 1)]
    across: Float = np.where(((left >= 0) & (right < width))[..., None], between, np.nan)
    return across


def spread(values: Float, known: Float) -> Float:
    """Fill a picture (h, w, 3) float32 from where `known` (h, w) float32 in [0, 1] is not 0 (pull-push, see there)."""
    levels = [(values * known[..., None], known)]
    while max(levels[-1][1].shape) > 1:
        height, width = levels[-1][1].shape
        size = (width + 1) // 2, (height + 1) // 2
        colour, weight = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in levels[-1])
        levels.append((colour.reshape(size[1], size[0], 3), weight.reshape(size[1], size[0])))
    filled = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for colour, weight in reversed(levels[:-1]):
        height, width = weight.shape
        filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 3)
        filled = colour + (1 - weight[..., None]) * filled
    spread: Float = filled.astype(np.float32, copy=False)
    return spread
