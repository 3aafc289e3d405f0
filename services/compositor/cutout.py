"""The product by itself at the photo's size and position."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def make_cutout(
    image: NDArray[np.uint8],
    foreground: NDArray[np.uint8],
    matte: NDArray[np.float32],
    *,
    keep_background: bool = False,
) -> NDArray[np.uint8]:
    """Put colour and alpha of the product into one picture.

    Args:
        image: (H, W, 3) uint8 sRGB, the photo.
        foreground: (H, W, 3) uint8 sRGB, from `foreground.estimate_foreground`.
        matte: (H, W) float32 in [0, 1].
        keep_background: keep the photo's own pixels as colour, so that an editor can repaint the matte and find what it
            hid; otherwise colours are free of the old background and 0 wherever alpha is 0.

    Returns:
        (H, W, 4) uint8: straight RGBA.
    """
    alpha = cv2.convertScaleAbs(matte, alpha=255.0)
    if keep_background:
        return np.dstack([image, alpha])
    return np.dstack([cv2.bitwise_and(foreground, foreground, mask=alpha), alpha])
