"""The backdrop behind the product, continued from what is beside it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_SMOOTHING_PX = 3.0


def continue_backdrop(picture: Float, known: Float) -> Float:
    """Continue a backdrop smoothly to where it is hidden: a quadratic through what is known, and what that leaves,
    spread inwards by pull-push.

    Args:
        picture: (h, w, 3) float32; small, since everything here is smooth.
        known: (h, w) float32, 1 where the backdrop is seen and 0 where it is not; somewhere it must be.

    Returns:
        (h, w, 3) float32, smooth everywhere.

    Reference:
        Gortler, Grzeszczuk, Szeliski, Cohen, "The Lumigraph", SIGGRAPH 1996, section 3.4 (pull-push).
    """
    rows, cols = np.mgrid[-1 : 1 : known.shape[0] * 1j, -1 : 1 : known.shape[1] * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(rows), rows, cols, rows * cols, rows * rows, cols * cols], axis=-1)
    seen = terms[known > 0]
    # Six normal equations; the ridge keeps a backdrop seen on one side only from running away on the other.
    normal = seen.T @ seen + np.diag([0, 1, 1, 1, 1, 1]).astype(np.float32) * np.float32(1e-3 * len(seen))
    smooth = np.float32(terms @ np.linalg.solve(normal, seen.T @ picture[known > 0]))
    return smooth + _spread(picture - smooth, known)


def _spread(values: Float, known: Float) -> Float:
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
    # The backdrop's own texture, carried inwards, would be a stain.
    smooth: Float = cv2.GaussianBlur(filled, (0, 0), _SMOOTHING_PX).reshape(*known.shape, 3)
    return smooth
