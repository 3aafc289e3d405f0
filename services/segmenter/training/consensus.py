"""One label of a photo out of several opinions of it: what they agree on, with its outline on the photo's edges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.edges import sharpen_to
from services.segmenter.graph_cut import cut_along
from services.segmenter.masks import disc, soft_iou

_LEAST_AGREEMENT = 0.85  # soft IoU
_DISPUTED = 0.5  # opinions as far apart as that
_OUTLINE_PX = 3  # half of what is no dispute but an outline that one of them draws a little farther out


def consensus(image: NDArray[np.uint8], opinions: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """The mean of opinions that agree, sharpened as the segmenter does; None when two of them do not agree.

    Args:
        image: (H, W, 3) uint8 RGB.
        opinions: at least one matte, float32 (H, W) in [0, 1]: votes, or a mask that may hold a shadow.

    Returns:
        float32 (H, W) in [0, 1], exactly one half over areas in dispute.
    """
    if any(soft_iou(one, other) < _LEAST_AGREEMENT for one, other in combinations(opinions, 2)):
        return None
    mean = np.asarray(np.mean(opinions, axis=0), np.float32)
    if not (mean >= 0.5).any():
        return None
    label = sharpen_to(image, cut_along(image, mean))
    apart = (np.ptp(np.stack(opinions), axis=0) > _DISPUTED).astype(np.uint8)
    label[cv2.morphologyEx(apart, cv2.MORPH_OPEN, disc(_OUTLINE_PX)) > 0] = 0.5
    return label
