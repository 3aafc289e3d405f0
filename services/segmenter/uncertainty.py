"""What the proposals' own probabilities say about how right the answer is.

Reference: Nowozin, "Optimal Decisions from Probabilistic Models: the Intersection-over-Union Case", CVPR 2014: the
expected overlap of a mask under pixel probabilities.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def undecided(chance: NDArray[np.float32]) -> NDArray[np.float32]:
    """How open each pixel is: 0 where the chance of being product is 0 or 1, 1 where it is a half."""
    return np.asarray(1 - np.abs(2 * chance - 1), np.float32)


def expected_iou(product: NDArray[np.bool_], chance: NDArray[np.float32]) -> float:
    """Overlap (IoU) that a mask may be expected to have with the true product, in [0, 1].

    Args:
        product: bool (h, w), the mask.
        chance: float32 (h, w) in [0, 1], of each pixel being product.

    Returns:
        Expected intersection over expected union; 0 for an empty mask.
    """
    if not product.any():
        return 0.0
    intersection = float(chance[product].sum())
    return intersection / (float(product.sum()) + float(chance[~product].sum()))
