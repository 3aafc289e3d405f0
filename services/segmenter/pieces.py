"""The connected parts of a product."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_MIN_SHARE_OF_LARGEST = 0.01


@dataclass(frozen=True, slots=True)
class Piece:
    """One connected part: its box in pixels, half-open, and the share of the frame's pixels that it covers."""

    top: int
    left: int
    bottom: int
    right: int
    area_share: float


def find_pieces(matte: NDArray[np.float32]) -> tuple[Piece, ...]:
    """Pieces of a matte (H, W) in [0, 1] at one half, largest first; crumbs under 1 % of the largest are no pieces."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((matte >= 0.5).astype(np.uint8), connectivity=8)
    if len(stats) < 2:
        return ()
    rows = sorted(stats[1:].tolist(), key=lambda row: (-row[cv2.CC_STAT_AREA], row[cv2.CC_STAT_TOP]))
    smallest = _MIN_SHARE_OF_LARGEST * rows[0][cv2.CC_STAT_AREA]
    return tuple(
        Piece(top=top, left=left, bottom=top + height, right=left + width, area_share=area / matte.size)
        for left, top, width, height, area in rows
        if area >= smallest
    )


def touches_frame(matte: NDArray[np.float32]) -> bool:
    """Whether the product reaches the frame's outermost row or column of pixels."""
    rim = np.concatenate([matte[0], matte[-1], matte[:, 0], matte[:, -1]])
    return bool((rim >= 0.5).any())
