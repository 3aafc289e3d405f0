"""Number of separate pieces of the product."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# A part smaller than this share of the largest one is a crumb, not a piece.
SMALLEST_SHARE = 0.005


def piece_count(product: NDArray[np.uint8]) -> int:
    """Count the 8-connected parts of the product.

    Parts under 0.5 % of the largest one's area are left out: they are crumbs of an edge, thread ends, or noise.

    Args:
        product: uint8 (H, W), non-zero on the product.

    References:
        Bolelli et al., "Spaghetti Labeling: Directed Acyclic Graphs for Block-Based Connected Components Labeling",
        IEEE TIP 29, 2020 (OpenCV's `connectedComponentsWithStats`).
    """
    count, _, stats, _ = cv2.connectedComponentsWithStats(product, connectivity=8)
    if count <= 1:
        return 0
    areas = stats[1:, cv2.CC_STAT_AREA]
    return int(np.count_nonzero(areas >= SMALLEST_SHARE * areas.max()))
