"""Openings that a proposal has filled, through which the backdrop shows: handles, loops, rungs.

A learned model sees a loop and fills it. What the backdrop looks like behind the product can be continued from what is
beside it; a patch inside the product that looks like that, within what the continuation is known to be off by, and
that ends all around in something unlike it, is an opening.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import continue_backdrop
from services.segmenter.masks import disc, grow, resize, shrink, to_lab, working_size

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SIDE_PX: Final = 512
_NEAR_PX, _FAR_PX = 5, 16  # the backdrop counts from here on; between the two it is known what a continuation gives
_MOST_OFF: Final = 6.0  # ΔE76; a backdrop that cannot be continued any better proves nothing
_LEAST_GAP: Final = 2.0  # ΔE76, of grain and JPEG
_SLACK: Final = 1.3
_MOST_MEAN_GAP: Final = 3.5
_RIM_PX = (2, 5)  # around an opening, where its rim is looked at
_UNLIKE: Final = 6.0
_LEAST_UNLIKE_RIM: Final = 0.5
_MOST_ALIKE: Final = 0.2  # of the rest of the product; glass and white on white look like the backdrop all over
_ALIKE: Final = 8.0
_LEAST_SHARE: Final = 0.0004  # of the frame
_WHITE: Final = 97.0  # L*: a white print looks like that backdrop, too
_DOUBTFUL: Final = 0.9  # mean of the matte up to which such a patch is no print


def open_holes(image: NDArray[np.uint8], matte: Floats) -> Floats:
    """Open what can only be the backdrop.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: float32 (h, w) in [0, 1], any size, covering the same frame.

    Returns:
        float32 (h, w) in [0, 1]: the matte, 0 in the openings that were found.
    """
    height, width = working_size(image.shape[0], image.shape[1], _SIDE_PX)
    small = resize(matte, height, width)
    product = small >= 0.5
    beside = ~grow(product, _NEAR_PX)
    if not beside.any() or not product.any():
        return matte
    lab = to_lab(resize(image, height, width))
    reach = _reach(lab, product, beside)
    if reach is None:
        return matte
    backdrop = continue_backdrop(lab, beside.astype(np.float32))
    gap = np.linalg.norm(lab - backdrop, axis=2)
    same = shrink(product, 2) & (cv2.blur(gap, (3, 3)) <= reach)
    same = cv2.morphologyEx(same.view(np.uint8), cv2.MORPH_OPEN, disc(2)) > 0
    rest = product & ~grow(same, 3)
    if not rest.any() or (gap[rest] <= max(_ALIKE, 2 * reach)).mean() > _MOST_ALIKE:
        return matte
    is_white = float(np.median(backdrop[beside][:, 0])) > _WHITE
    holes = np.zeros_like(product)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(same.view(np.uint8), connectivity=4)
    for label in range(1, count):
        patch = labels == label
        if stats[label, cv2.CC_STAT_AREA] < _LEAST_SHARE * patch.size or gap[patch].mean() > _MOST_MEAN_GAP:
            continue
        if is_white and small[patch].mean() > _DOUBTFUL:
            continue
        rim = grow(patch, _RIM_PX[1]) & ~grow(patch, _RIM_PX[0]) & product
        if rim.any() and (gap[rim] > max(_UNLIKE, 2 * reach)).mean() >= _LEAST_UNLIKE_RIM:
            holes |= grow(patch, _RIM_PX[0])
    if not holes.any():
        return matte
    opened: Floats = np.minimum(matte, 1 - resize(holes.astype(np.float32), *matte.shape))
    return opened


def _reach(lab: Floats, product: Mask, beside: Mask) -> float | None:
    """ΔE76 up to which a colour counts as the backdrop's, by how well its near part follows from its far part; None
    where that says nothing."""
    far = ~grow(product, _FAR_PX)
    between = beside & ~far
    if not far.any() or not between.any():
        return None
    off = np.linalg.norm(lab - continue_backdrop(lab, far.astype(np.float32)), axis=2)[between]
    usual = float(np.percentile(off, 80))
    return max(_LEAST_GAP, _SLACK * usual) if usual <= _MOST_OFF else None
