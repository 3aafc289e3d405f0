"""Number of separate pieces of the product."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# A part smaller than this share of the largest one is a crumb, not a piece.
SMALLEST_SHARE = 0.005
# Parts are told apart as they are seen in a view of this size.
VIEW_SIDE_PX = 1000


def piece_count(product: NDArray[np.uint8]) -> int:
    """Count the 8-connected parts of the product in a view of at most 1000 px.

    Parts under 0.5 % of the largest one's area are left out: they are crumbs of an edge, thread ends, or noise.

    Args:
        product: uint8 (H, W), non-zero on the product.

    References:
        Bolelli et al., "Spaghetti Labeling: Directed Acyclic Graphs for Block-Based Connected Components Labeling",
        IEEE TIP 29, 2020 (OpenCV's `connectedComponentsWithStats`).
    """
    height, width = product.shape
    scale = VIEW_SIDE_PX / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        product = cv2.compare(cv2.resize(product, size, interpolation=cv2.INTER_AREA), 0, cv2.CMP_GT)
    count, _, stats, _ = cv2.connectedComponentsWithStats(product, connectivity=8)
    if count <= 1:
        return 0
    areas = stats[1:, cv2.CC_STAT_AREA]
    return int(np.count_nonzero(areas >= SMALLEST_SHARE * areas.max()))
