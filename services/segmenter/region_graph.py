"""Values on a graph of regions that follow given ones and change least between neighbours that belong together.

Reference: Grady, "Random Walks for Image Segmentation", PAMI 28(11), 2006; the combinatorial Dirichlet problem.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def settle(
    weights: NDArray[np.floating[Any]], pull: NDArray[np.floating[Any]], target: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Minimise Σ weights[i, j] (x[i] - x[j])² over pairs plus Σ pull[i] (x[i] - target[i])².

    Args:
        weights: (n, n), symmetric, not negative.
        pull: (n,), positive: how strongly each value is held.
        target: (n,), what it is held to.

    Returns:
        float32 (n,), within the range of `target`.
    """
    laplacian = np.diag(weights.sum(axis=1) + pull) - weights
    # OpenCV's Cholesky, because BLAS threads that wait for a busy core make small systems a hundred times slower.
    solved, values = cv2.solve(
        laplacian.astype(np.float32), (pull * target).astype(np.float32).reshape(-1, 1), flags=cv2.DECOMP_CHOLESKY
    )
    if not solved:
        raise ValueError("the pull on every region must be positive")
    return np.asarray(values.reshape(-1), dtype=np.float32)
