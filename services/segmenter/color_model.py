"""Colour histograms of product and background over an adaptive palette, and their separation on the region graph.

References
----------
Boykov and Jolly, "Interactive Graph Cuts", ICCV 2001: histogram likelihoods with a contrast-sensitive smoothness.
Grady, "Random Walks for Image Segmentation", PAMI 28(11), 2006: the relaxed, linear form solved here.
Cheng et al., "Global Contrast Based Salient Region Detection", PAMI 37(3), 2015: quantised, smoothed colour space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.region_graph import settle
from services.segmenter.superpixels import Superpixels

_CELL = np.array([10.0, 8.0, 8.0], np.float32)  # L*, a*, b* extent of a palette cell
_MAX_COLORS = 80
_MIN_COLOR_SHARE = 0.0008
_SMOOTHING_DELTA_E = 6.0


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one image.

    Attributes:
        indices: int32 (H, W), palette colour of every pixel.
        colors: float32 (k, 3), CIELAB.
        smoothing: float32 (k, k), rows sum to one: how a count at one colour spreads to similar ones.
    """

    indices: NDArray[np.int32]
    colors: NDArray[np.float32]
    smoothing: NDArray[np.float32]

    def histogram(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Smoothed colour histogram of the pixels in a mask (H, W); sums to one; uniform for an empty mask."""
        counts = np.bincount(self.indices[mask], minlength=len(self.colors)).astype(np.float32) + 1e-6
        spread = counts @ self.smoothing
        return np.asarray(spread / spread.sum(), dtype=np.float32)


def palette(lab: NDArray[np.float32]) -> Palette:
    """Quantise a CIELAB image (H, W, 3) to at most 80 colours that it really has; rare ones join the nearest."""
    pixels = lab.reshape(-1, 3)
    cells = np.round(pixels / _CELL).astype(np.int32) + 32
    _, cell_of, counts = np.unique(
        (cells[:, 0] * 64 + cells[:, 1]) * 64 + cells[:, 2], return_inverse=True, return_counts=True
    )
    means = np.stack([np.bincount(cell_of, pixels[:, c]) for c in range(3)], axis=1) / counts[:, None]
    order = np.argsort(-counts, kind="stable")[:_MAX_COLORS]
    kept = order[counts[order] >= max(1.0, _MIN_COLOR_SHARE * len(pixels))]
    if len(kept) == 0:
        kept = order[:1]
    nearest = np.argmin(((means[:, None] - means[kept][None]) ** 2).sum(axis=2), axis=1)
    indices = nearest[cell_of]
    totals = np.bincount(indices, minlength=len(kept))
    colors = np.stack([np.bincount(indices, pixels[:, c], len(kept)) for c in range(3)], axis=1) / totals[:, None]
    apart = ((colors[:, None] - colors[None]) ** 2).sum(axis=2)
    smoothing = np.exp(-apart / (2 * _SMOOTHING_DELTA_E**2))
    smoothing /= smoothing.sum(axis=1, keepdims=True)
    return Palette(
        indices=indices.reshape(lab.shape[:2]).astype(np.int32),
        colors=colors.astype(np.float32),
        smoothing=smoothing.astype(np.float32),
    )


def separate(
    regions: Superpixels,
    colors: Palette,
    lab: NDArray[np.float32],
    start: NDArray[np.float32],
    prior: NDArray[np.float32],
    background: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Alternate between colour models of product and background and the labelling of the regions that they imply.

    Args:
        regions, colors, lab: the image as regions, as palette and as CIELAB (H, W, 3).
        start: (n,) in [0, 1], product probability to begin with.
        prior: (n,) log-odds of being product that do not depend on colour.
        background: bool (n,), regions held to be background.

    Returns:
        float32 (n,) product probability in [0, 1].
    """
    count, width = len(regions.sizes), len(colors.colors)
    table = np.bincount(regions.labels.ravel() * width + colors.indices.ravel(), minlength=count * width)
    shares = table.reshape(count, width).astype(np.float32) / regions.sizes[:, None]

    weights = smoothness(regions.labels, lab, count)
    typical_side = float(np.sqrt(regions.sizes.mean()))
    product = start
    for _ in range(6):
        inside = ((product * regions.sizes) @ shares) @ colors.smoothing
        outside = (((1 - product) * regions.sizes) @ shares) @ colors.smoothing
        inside, outside = inside / max(inside.sum(), 1e-6) + 1e-4, outside / max(outside.sum(), 1e-6) + 1e-4
        odds = 1.2 * (shares @ np.log(inside / outside)) + prior
        believed = _logistic(odds)
        certainty = np.maximum(np.abs(2 * believed - 1), 0.02) * regions.sizes / (2 * typical_side)
        certainty = np.where(background, 1e3, certainty)
        believed = np.where(background, 0.0, believed)
        updated = _logistic(8 * (settle(weights, certainty, believed) - 0.5))
        settled = bool(np.abs(updated - product).max() < 0.01)
        product = updated
        if settled:
            break
    return product


def smoothness(labels: NDArray[np.int32], lab: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Weight (n, n) with which neighbours hold together: length of their common border, less where it has contrast."""
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    contrast = np.zeros(count * count)
    length = np.zeros(count * count)
    for one, other, a, b in (
        (labels[:, :-2], labels[:, 2:], smooth[:, :-2], smooth[:, 2:]),
        (labels[:-2], labels[2:], smooth[:-2], smooth[2:]),
    ):
        differ = one != other
        pair = one[differ].astype(np.int64) * count + other[differ]
        step = np.linalg.norm(a[differ] - b[differ], axis=1)
        contrast += np.bincount(pair, step, count * count)
        length += np.bincount(pair, minlength=count * count)
    contrast, length = (m.reshape(count, count) + m.reshape(count, count).T for m in (contrast, length))
    mean_contrast = contrast / np.maximum(length, 1)
    touching = length > 0
    scale = 2 * float((mean_contrast[touching] ** 2).mean()) + 1e-6 if touching.any() else 1.0
    return np.asarray(length / 2 * np.exp(-(mean_contrast**2) / scale), dtype=np.float32)


def _logistic(odds: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -12, 12))), dtype=np.float32)
