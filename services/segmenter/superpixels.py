"""Small regions of even colour that follow the edges of an image, and what lies beside what.

References
----------
Machairas et al., "Waterpixels", IEEE Transactions on Image Processing 24(11), 2015: one marker per cell of a
regular grid, placed where the gradient is lowest, flooded on the gradient plus the distance from the cell's centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

_GRADIENT_TO_RELIEF = 6.0  # flooding height per ΔE76 per pixel; the relief has 8 bits
_COMPACTNESS = 6.0  # flooding height added from a cell's centre to its border


@dataclass(frozen=True, slots=True)
class Superpixels:
    """A partition of an image of H x W pixels into n regions.

    Attributes:
        labels: int32 (H, W), region of every pixel, 0 … n-1, every region has pixels.
        sizes: float32 (n,), pixels per region.
        colors: float32 (n, 3), mean CIELAB.
        positions: float32 (n, 2), mean (row, col) as shares of the height and the width.
        neighbours: bool (n, n), symmetric, False on the diagonal.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.float32]
    colors: NDArray[np.float32]
    positions: NDArray[np.float32]
    neighbours: NDArray[np.bool_]

    def share_of(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Share of each region's pixels inside a mask (H, W); float32 (n,) in [0, 1]."""
        inside = np.bincount(self.labels.ravel(), mask.ravel(), len(self.sizes))
        return np.asarray(inside / self.sizes, dtype=np.float32)

    def paint(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give every pixel its region's value: (n,) to (H, W)."""
        return values[self.labels]


def superpixels(lab: NDArray[np.float32], count: int) -> Superpixels:
    """Partition an image into about `count` regions.

    Args:
        lab: CIELAB, float32 (H, W, 3).
        count: regions wanted; small images get fewer.
    """
    height, width = lab.shape[:2]
    cell_px = max(3.0, float(np.sqrt(height * width / count)))
    row_edges = np.linspace(0, height, max(1, round(height / cell_px)) + 1).astype(int)
    col_edges = np.linspace(0, width, max(1, round(width / cell_px)) + 1).astype(int)
    gradient = gradient_magnitude(lab)

    markers = np.zeros((height, width), np.int32)
    label = 0
    for top, bottom in pairwise(row_edges.tolist()):
        for left, right in pairwise(col_edges.tolist()):
            row_margin, col_margin = (bottom - top) // 5, (right - left) // 5
            core = gradient[top + row_margin : bottom - row_margin, left + col_margin : right - col_margin]
            row, col = np.unravel_index(int(np.argmin(core)), core.shape)
            label += 1
            markers[top + row_margin + row, left + col_margin + col] = label

    relief = _GRADIENT_TO_RELIEF * gradient + _COMPACTNESS * _distance_from_centres(row_edges, col_edges)
    flooded = cv2.watershed(cv2.merge([np.clip(relief, 0, 255).astype(np.uint8)] * 3), markers.copy())
    return _describe(lab, _fill_ridges(np.where(flooded > 0, flooded, markers)))


def gradient_magnitude(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colour change per pixel of a lightly smoothed CIELAB image (H, W, 3); float32 (H, W) in ΔE76 per pixel."""
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.sqrt((across**2 + down**2).sum(axis=2)), dtype=np.float32)


def _distance_from_centres(row_edges: NDArray[np.int_], col_edges: NDArray[np.int_]) -> NDArray[np.float32]:
    """Chessboard distance to the centre of the pixel's grid cell: 0 at the centre, 1 on the cell's border."""

    def along(edges: NDArray[np.int_]) -> NDArray[np.float64]:
        sizes = np.diff(edges)
        centres = np.repeat((edges[:-1] + edges[1:] - 1) / 2, sizes)
        return np.asarray(np.abs(np.arange(edges[-1]) - centres) / np.maximum(np.repeat(sizes, sizes) / 2, 0.5))

    return np.maximum(along(row_edges)[:, None], along(col_edges)[None, :]).astype(np.float32)


def _fill_ridges(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give the unlabelled watershed lines (≤ 0) the label of the nearest region, and number regions from 0."""
    ridge = labels <= 0
    if ridge.any():
        _, nearest = cv2.distanceTransformWithLabels(
            ridge.astype(np.uint8), cv2.DIST_L1, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        region_of = np.zeros(int(nearest.max()) + 1, np.int32)
        region_of[nearest[~ridge]] = labels[~ridge]
        labels = region_of[nearest]
    _, numbered = np.unique(labels, return_inverse=True)
    return numbered.reshape(labels.shape).astype(np.int32)


def _describe(lab: NDArray[np.float32], labels: NDArray[np.int32]) -> Superpixels:
    height, width = labels.shape
    flat = labels.ravel()
    sizes = np.bincount(flat).astype(np.float32)
    count = len(sizes)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(np.bincount(flat, values.ravel(), count) / sizes, dtype=np.float32)

    rows = np.broadcast_to(((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None], labels.shape)
    cols = np.broadcast_to(((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :], labels.shape)
    neighbours = np.zeros((count, count), np.bool_)
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        differ = one != other
        neighbours[one[differ], other[differ]] = True
    return Superpixels(
        labels=labels,
        sizes=sizes,
        colors=np.stack([mean(lab[..., channel]) for channel in range(3)], axis=1),
        positions=np.stack([mean(rows), mean(cols)], axis=1),
        neighbours=neighbours | neighbours.T,
    )
