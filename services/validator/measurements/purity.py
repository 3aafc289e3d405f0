"""Background purity: how much of the background is white."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WHITE = 255
TOLERANT_WHITE = 250


def white_share(image: NDArray[np.uint8], background: NDArray[np.uint8], at_least: int = WHITE) -> float:
    """Share of the background's pixels whose three channels all reach a level.

    With the default level of 255 this is the exact background purity: a pixel counts only if the *decoded* file has
    (255, 255, 255) there. JPEG writes 8x8 blocks, so the blocks an edge runs through ring by a level or two on their
    white side as well. Those pixels are background and count against the purity; they are why a clean packshot
    reaches about 0.99 and not 1.

    Args:
        image: uint8 (H, W, 3) RGB.
        background: uint8 (H, W), non-zero on background.
        at_least: level from 0 to 255.

    Returns:
        Share in [0, 1].

    Raises:
        ValueError: there is no background pixel.
    """
    total = cv2.countNonZero(background)
    if total == 0:
        raise ValueError("there is no background pixel")
    white = cv2.inRange(image, (at_least, at_least, at_least), (255, 255, 255))
    return float(cv2.countNonZero(cv2.bitwise_and(white, background)) / total)
