"""Puts an outline on the image's own edges by a graph cut between two colour models.

Reference: Rother, Kolmogorov and Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts",
SIGGRAPH 2004.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.masks import grow, resize, working_size

_SIDE_PX = 512
_BAND_SHARE = 0.02  # of the longest side, on either side of the outline: how far a small model's outline may be off
_DECIDED = 0.85  # probability from which a pixel away from the outline is not asked again
_LEAST_SEEDS = 50  # px of either side, for its colour model
_ROUNDS = 2


def grab_cut(image: NDArray[np.uint8], seeds: NDArray[np.uint8], rounds: int) -> NDArray[np.bool_]:
    """Product mask (H, W) of an image (H, W, 3) with GrabCut's labels (H, W) as seeds.

    With too few seeds of a side for its colour model, the seeds are the answer.
    """
    product = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if min(np.count_nonzero(product), np.count_nonzero(~product)) < 8:
        return product
    labels = seeds.copy()
    cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's generator, which is one per thread
    cv2.grabCut(image, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def cut_along(image: NDArray[np.uint8], matte: NDArray[np.float32]) -> NDArray[np.float32]:
    """A learned matte with its outline on the image's edges.

    Only a band around the outline, and what the matte leaves undecided, is cut anew. The answer is the mean of cut and
    matte: where both agree it is sharp, where colour does not tell the matte still has its say.

    Args:
        image: (H, W, 3) uint8 RGB.
        matte: float32 (h, w) in [0, 1], any size, covering the same frame.

    Returns:
        float32 (h, w) in [0, 1], longest side at most 512.
    """
    height, width = working_size(image.shape[0], image.shape[1], _SIDE_PX)
    matte = resize(matte, height, width)
    product = matte >= 0.5
    band = max(2, round(_BAND_SHARE * max(height, width)))
    asked = grow(product, band) & grow(~product, band) | (matte > 1 - _DECIDED) & (matte < _DECIDED)
    seeds = np.where(product, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[product & ~asked] = cv2.GC_FGD
    seeds[~product & ~asked] = cv2.GC_BGD
    if min(np.count_nonzero(seeds == cv2.GC_FGD), np.count_nonzero(seeds == cv2.GC_BGD)) < _LEAST_SEEDS:
        return matte
    cut = grab_cut(resize(image, height, width), seeds, _ROUNDS)
    return np.asarray((cut + matte) / 2, np.float32)
