"""Thin parts that a proposal has lost a stretch of: cords, straps, wires.

Where a thin run of something unlike the backdrop, of the colour of both its ends, joins two parts of the product, it
is product.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import continue_backdrop
from services.segmenter.masks import grow, resize, to_lab, working_size

Floats = NDArray[np.float32]

_SIDE_PX: Final = 512
_LONGEST_PX: Final = 40  # of a stretch, about
_WIDEST_PX: Final = 10
_NEAR_PX: Final = 3  # the backdrop counts from here on
_UNLIKE: Final = 20.0  # ΔE76 from the backdrop
_ALIKE: Final = 15.0  # ΔE76 from its ends
_LEAST_SHARE: Final = 0.0003  # of the frame, that a part must have for anything to lead to it


def mend_gaps(image: NDArray[np.uint8], matte: Floats) -> Floats:
    """Join parts of the product by the stretch that is missing between them.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: float32 (h, w) in [0, 1], any size, covering the same frame.

    Returns:
        float32 (h, w) in [0, 1]: the matte, 1 in the stretches that were found.
    """
    height, width = working_size(image.shape[0], image.shape[1], _SIDE_PX)
    product = resize(matte, height, width) >= 0.5
    _, parts, stats, _ = cv2.connectedComponentsWithStats(product.view(np.uint8), connectivity=8)
    if (stats[1:, cv2.CC_STAT_AREA] >= _LEAST_SHARE * product.size).sum() < 2:
        return matte
    near = grow(product, _LONGEST_PX // 2)
    beside = ~grow(near, _NEAR_PX)
    if not beside.any():
        return matte
    lab = to_lab(resize(image, height, width))
    apart = np.linalg.norm(lab - continue_backdrop(lab, beside.astype(np.float32)), axis=2)
    lost = (near & ~product & (apart > _UNLIKE)).view(np.uint8)
    mended = np.zeros_like(product)
    stretches, labels = cv2.connectedComponents(lost, connectivity=8)
    for label in range(1, stretches):
        stretch = labels == label
        ends = grow(stretch, 2) & product
        joined = [part for part in np.unique(parts[ends]) if stats[part, cv2.CC_STAT_AREA] >= _LEAST_SHARE * ends.size]
        if len(joined) < 2 or 2 * cv2.distanceTransform(stretch.view(np.uint8), cv2.DIST_L2, 3).max() > _WIDEST_PX:
            continue
        colours = [lab[ends & (parts == part)].mean(axis=0) for part in joined]
        if all(np.linalg.norm(colour - lab[stretch].mean(axis=0)) <= _ALIKE for colour in colours):
            mended |= stretch
    if not mended.any():
        return matte
    joined_up: Floats = np.maximum(matte, resize(mended.astype(np.float32), *matte.shape))
    return joined_up
