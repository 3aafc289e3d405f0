"""How much each region stands out from what the frame is bordered by.

References
----------
Zhu, Liang, Wei and Sun, "Saliency Optimization from Robust Background Detection", CVPR 2014: boundary connectivity,
background-weighted contrast, and their least-squares combination over the region graph.
Wei, Wen, Zhu and Sun, "Geodesic Saliency Using Background Priors", ECCV 2012: small colour steps between
neighbours are weakened before they are summed to a geodesic distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.segmenter.region_graph import settle
from services.segmenter.superpixels import Superpixels

_SMALL_STEP = 3.0  # ΔE76 between neighbours that costs nothing: noise and shading
_GEODESIC_SIGMA = 10.0  # ΔE76 along the way within which two regions belong together
_CONTRAST_SIGMA = 0.4  # share of the frame over which regions are compared
_SMOOTHNESS_SIGMA = 10.0  # ΔE76 between neighbours across which saliency may change
_SMOOTHNESS_FLOOR = 0.1
_BACKGROUND_WEIGHT = 5.0


def saliency(regions: Superpixels, outside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Saliency of every region.

    Args:
        regions: the partition.
        outside: bool (H, W), pixels that are taken as the background's border (the frame's rim, or all that lies
            outside the region of interest).

    Returns:
        float32 (n,) in [0, 1]; all zeros when nothing stands out.
    """
    difference = _pairwise(regions.colors)
    rim_px = regions.share_of(outside) * regions.sizes
    background = _background_probability(regions, difference, rim_px)

    apart = _pairwise(regions.positions)
    contrast = (difference * np.exp(-(apart**2) / (2 * _CONTRAST_SIGMA**2))) @ background
    contrast = _stretch(contrast)

    # Two steps of neighbourhood, as the paper does, let saliency bridge thin regions.
    reach = regions.neighbours.astype(np.float32)
    near = (reach + reach @ reach) > 0
    np.fill_diagonal(near, False)
    weight = near * (np.exp(-(difference**2) / (2 * _SMOOTHNESS_SIGMA**2)) + _SMOOTHNESS_FLOOR)
    pull = _BACKGROUND_WEIGHT * background + contrast + 1e-6
    return _stretch(settle(weight, pull, contrast / pull))


def _background_probability(
    regions: Superpixels, difference: NDArray[np.float32], rim_px: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How heavily a region, with everything that continues it in colour, is connected to the frame's border."""
    on_rim = rim_px > 0
    linked = regions.neighbours | np.outer(on_rim, on_rim)
    distance = np.where(linked, np.maximum(difference - _SMALL_STEP, 0.0), np.float32(np.inf)).astype(np.float32)
    np.fill_diagonal(distance, 0.0)
    for via in range(len(distance)):  # Floyd-Warshall
        np.minimum(distance, distance[:, via : via + 1] + distance[via : via + 1, :], out=distance)
    belongs = np.exp(-(distance**2) / (2 * _GEODESIC_SIGMA**2))
    spanned_area = belongs @ regions.sizes
    rim_length = belongs @ rim_px / 2.0
    connectivity = rim_length / np.sqrt(spanned_area)
    return np.asarray(1.0 - np.exp(-(connectivity**2) / 2.0), dtype=np.float32)


def _pairwise(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances (n, n) between the rows of (n, k)."""
    squares = (points**2).sum(axis=1)
    squared = squares[:, None] + squares[None, :] - 2.0 * points @ points.T
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)), dtype=np.float32)


def _stretch(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6:
        return np.zeros_like(values, dtype=np.float32)
    return np.asarray((values - low) / (high - low), dtype=np.float32)
