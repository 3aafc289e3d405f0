"""What SAM is asked, made from a proposal's matte: for every piece a box, points inside and beside it, and a mask.

One prompt a piece: SAM segments one object per prompt, so a set of two mugs asked for at once often comes back as one
mug. The first point lies where the distance to the outline is largest, each next one where that distance times the
distance to the points before it is: Gonzalez's farthest-first rule ("Clustering to minimize the maximum intercluster
distance", Theoretical Computer Science 38, 1985), weighted by depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.masks import without_fragments
from services.segmenter.proposal import Point
from services.segmenter.sam.letterbox import GRID_STRIDE_PX, Letterbox

BACKGROUND, PRODUCT, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT = 0, 1, 2, 3  # SAM's point labels

_MIN_PIECE_SHARE = 0.01  # of the largest
_BOX_MARGIN = 0.05  # of the piece's longest side
_NEIGHBOURHOOD = 0.25  # of it: how far from the piece background points may lie
_MAX_POINTS = 5  # of each kind
_SURELY_PRODUCT = 0.9
_SURELY_BACKGROUND = 0.1
_MIN_CLEARANCE = 2.0  # grid pixels; a first product point is given even in thinner pieces
_MAX_LOGIT = 8.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: where exactly is this piece? G is the grid's side.

    Attributes:
        points: float32 (P, 2), (row, col) in pixels of the square; the last two are the box's corners.
        labels: int64 (P,), one of the point labels each.
        mask_logits: float32 (G, G), the piece as SAM's mask prompt.
        piece: float32 (G, G) in [0, 1], the matte of this piece alone.
        elsewhere: bool (G, G), product that is not this piece: the answer does not matter there.
    """

    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    mask_logits: NDArray[np.float32]
    piece: NDArray[np.float32]
    elsewhere: NDArray[np.bool_]


def make_prompts(matte: NDArray[np.float32], letterbox: Letterbox, told: Sequence[Point] = ()) -> tuple[Prompt, ...]:
    """One prompt a piece, largest first; none when no pixel reaches one half, none for crumbs under 1 % of the largest.

    Args:
        matte: float32 (G, G) in [0, 1] on the letterbox's grid.
        letterbox: where the image ends and padding begins.
        told: points of a person, on the grid. Of those that are product, each is given to the piece it lies in; the
            others to every piece they lie near to.
    """
    product = matte >= 0.5
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        without_fragments(product, _MIN_PIECE_SHARE).astype(np.uint8), connectivity=8
    )
    by_area = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    return tuple(_prompt(matte, labels == label, product, letterbox, told) for label in by_area)


def mask_logits(matte: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-odds of a matte, limited to ±8, which is as sure as SAM is of its own masks' insides."""
    least = 1 / (1 + np.exp(_MAX_LOGIT))
    odds = np.clip(matte, least, 1 - least)
    return np.asarray(np.log(odds / (1 - odds)), np.float32)


def spread_points(region: NDArray[np.bool_], count: int, *, always_one: bool) -> NDArray[np.int64]:
    """Up to `count` points (n, 2) as (row, col), deep inside a region and far from each other.

    No point comes closer than 2 px to the region's border or the frame, but for the first when `always_one` asks for it
    and the region has any pixel.
    """
    padded = np.pad(region, 1).astype(np.uint8)
    clearance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    deep = np.where(clearance > _MIN_CLEARANCE, clearance, np.float32(0))
    worth = clearance if always_one and not deep.any() else deep
    rows = np.arange(region.shape[0], dtype=np.float32)[:, None]
    cols = np.arange(region.shape[1], dtype=np.float32)[None]
    distance = np.full(region.shape, np.inf, np.float32)
    points: list[tuple[int, int]] = []
    while len(points) < count and worth.max() > 0:
        row, col = divmod(int(np.argmax(worth)), region.shape[1])
        points.append((row, col))
        distance = np.minimum(distance, np.hypot(rows - row, cols - col))
        worth = deep * distance
    return np.array(points, np.int64).reshape(-1, 2)


def _prompt(
    matte: NDArray[np.float32],
    piece: NDArray[np.bool_],
    product: NDArray[np.bool_],
    letterbox: Letterbox,
    told: Sequence[Point],
) -> Prompt:
    elsewhere = product & ~piece
    alone = np.where(elsewhere, np.float32(0), matte)
    sure = piece & (matte >= _SURELY_PRODUCT)
    inside = spread_points(sure if sure.any() else piece, _MAX_POINTS, always_one=True)
    inside = np.concatenate([_where(told, piece, is_product=True), inside])

    top, left, bottom, right = _box(piece, _NEIGHBOURHOOD, letterbox)
    near = np.zeros_like(piece)
    near[top:bottom, left:right] = True
    beside = spread_points(near & (matte < _SURELY_BACKGROUND), _MAX_POINTS, always_one=False)
    beside = np.concatenate([_where(told, near, is_product=False), beside])

    top, left, bottom, right = _box(piece, _BOX_MARGIN, letterbox)
    corners = np.array([[top, left], [bottom, right]], np.float32) * GRID_STRIDE_PX - [[0], [1]]
    corners = np.minimum(corners, [letterbox.height - 1, letterbox.width - 1])
    return Prompt(
        points=np.concatenate([_to_square(inside), _to_square(beside), corners]).astype(np.float32),
        labels=np.array(
            [PRODUCT] * len(inside) + [BACKGROUND] * len(beside) + [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT], np.int64
        ),
        mask_logits=mask_logits(alone),
        piece=alone,
        elsewhere=elsewhere,
    )


def _where(told: Sequence[Point], region: NDArray[np.bool_], *, is_product: bool) -> NDArray[np.int64]:
    """The points (n, 2) of one kind in a region."""
    inside = [
        (point.row, point.col) for point in told if point.is_product == is_product and region[point.row, point.col]
    ]
    return np.array(inside, np.int64).reshape(-1, 2)


def _box(piece: NDArray[np.bool_], margin_share: float, letterbox: Letterbox) -> tuple[int, int, int, int]:
    """Box of a piece on the grid, half-open, with a margin of at least one pixel, inside the image."""
    rows, cols = np.nonzero(piece.any(axis=1))[0], np.nonzero(piece.any(axis=0))[0]
    height, width = letterbox.grid_size
    margin = max(1, round(margin_share * max(len(rows), len(cols))))
    return (
        max(0, int(rows[0]) - margin),
        max(0, int(cols[0]) - margin),
        min(height, int(rows[-1]) + 1 + margin),
        min(width, int(cols[-1]) + 1 + margin),
    )


def _to_square(points: NDArray[np.int64]) -> NDArray[np.float32]:
    """Centres of grid pixels in pixels of the square, whose own pixels' centres are whole numbers."""
    return ((points + 0.5) * GRID_STRIDE_PX - 0.5).astype(np.float32)
