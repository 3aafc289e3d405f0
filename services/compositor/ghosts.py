"""Faint patches that hang in the air beside a product: what an estimate leaves of the old background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_CELL_PX = 4  # patches nearer to the product than that are part of its edge
_SOLID = 0.5


def without_ghosts(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Alpha without its parts that are nowhere half opaque: no product is made of mist.

    A loose piece is solid somewhere, and mist around a product hangs together with it; both stay.

    Args:
        alpha: (H, W) float32 in [0, 1], exactly 0 where there is nothing.

    Returns:
        (H, W) float32 in [0, 1].
    """
    height, width = alpha.shape
    size = (max(1, width // _CELL_PX), max(1, height // _CELL_PX))
    solid = (alpha >= _SOLID) * np.uint8(255)  # a quarter of a float's memory
    # The mean of a cell is above 0 where any of its pixels is.
    there, sure = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) > 0 for part in (alpha, solid))
    count, parts = cv2.connectedComponents(there.view(np.uint8), connectivity=8)
    is_ghost = np.ones(count, bool)
    is_ghost[parts[sure]] = False
    is_ghost[0] = False  # nothing at all
    if not is_ghost.any():
        return alpha
    ghosts = cv2.resize(is_ghost[parts].view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    # A cell at its rim may have been left out when sizes are no multiples of a cell.
    ghosts = cv2.dilate(ghosts, np.ones((3, 3), np.uint8))
    return np.where(ghosts > 0, np.float32(0), alpha)
