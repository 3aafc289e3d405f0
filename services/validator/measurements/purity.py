"""Background purity: how much of the background is white."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WHITE = 255
TOLERANT_WHITE = 250
# JPEG's largest block is 16 px wide (4:2:0), and smooth chroma upsampling reaches one more chroma sample beyond it.
_LOSSY_REACH_PX = 18
_LOSSY_FORMATS = ("JPEG", "WEBP", "HEIC", "AVIF")
# In any format the outermost pixels of a soft edge are all but white.
_SOFT_EDGE_PX = 2


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


def clear_background(background: NDArray[np.uint8], file_format: str) -> NDArray[np.uint8]:
    """The background out of the product's reach: what is not white there was not white before encoding either.

    Args:
        background: uint8 (H, W), non-zero on background.
        file_format: the decoder's name of it. 18 px along rows or columns are left out for a format that encodes in
            blocks with loss, 2 px for the others.

    Returns:
        uint8 (H, W), non-zero on the background that is left.
    """
    reach_px = _LOSSY_REACH_PX if file_format in _LOSSY_FORMATS else _SOFT_EDGE_PX
    square = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    clear: NDArray[np.uint8] = cv2.erode(background, square, borderType=cv2.BORDER_CONSTANT, borderValue=255)
    return clear
