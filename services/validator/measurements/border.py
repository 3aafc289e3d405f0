"""A line drawn along the edges of the canvas."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# A border lies within this share of the side from the edge, and is at most half of that thick.
_REACH = 0.06
# A pixel is on the line if it is within this many levels of the row's median colour ...
_SAME_COLOR = 24
# ... and the row is a line if that many of its pixels are, and the colour is no shade of white.
_COVERED = 0.9
_INK_BELOW = 235
# The paper on the inner side is lighter than the line by this much.
_LIGHTER = 16


@dataclass(frozen=True, slots=True)
class Border:
    """Lines found along the four edges.

    share: share of the canvas perimeter that has a line, in [0, 1].
    inset: (top, left, bottom, right) width in pixels from each edge to the inner side of its line; 0 without one.
    """

    share: float
    inset: tuple[int, int, int, int]


def find_border(image: NDArray[np.uint8]) -> Border:
    """Look for straight lines of one colour, parallel to and near the canvas edges.

    A side has a border when, within 6 % of the canvas from that edge, there is a band of rows, at most 3 % thick, in
    which at least 90 % of the pixels have one colour darker than near-white, and the row inside it is lighter. A wide
    dark band (a table top, a product that runs out of the frame) is thicker than that and is not a border.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    insets = []
    covered = []
    lengths = []
    # Each side in turn becomes the top of a view whose rows run along that side.
    for view in (image, image.transpose(1, 0, 2), image[::-1], image[:, ::-1].transpose(1, 0, 2)):
        inset, share = _line_at_top(view)
        insets.append(inset)
        covered.append(share)
        lengths.append(view.shape[1])
    share = sum(c * length for c, length in zip(covered, lengths, strict=True)) / sum(lengths)
    top, left, bottom, right = insets
    return Border(share, (top, left, bottom, right))


def _line_at_top(view: NDArray[np.uint8]) -> tuple[int, float]:
    """Rows from the top to the inner side of a line, and the share of the side it covers; (0, 0.0) without one."""
    height, length = view.shape[:2]
    depth = min(height - 1, max(3, round(height * _REACH)))
    thickest = max(1, depth // 2)
    if depth < 3 or length < 8:
        return 0, 0.0
    # The ends belong to the lines of the two neighbouring sides.
    ends = round(length * _REACH)
    strip = np.ascontiguousarray(view[: depth + 1, ends : length - ends])
    colors = np.median(strip, axis=1).astype(np.uint8)
    near = cv2.compare(_distance(strip, colors), _SAME_COLOR, cv2.CMP_LE)
    share = np.count_nonzero(near, axis=1) / strip.shape[1]
    darkness = colors.min(axis=1).astype(np.int32)
    is_line = (share >= _COVERED) & (darkness < _INK_BELOW)
    row = 0
    while row < depth:
        if not is_line[row]:
            row += 1
            continue
        end = row
        while end <= depth and is_line[end] and abs(darkness[end] - darkness[row]) <= _SAME_COLOR:
            end += 1
        # The row after the line may be its soft edge: the paper is looked for one row further.
        inside = min(end + 1, depth)
        if end - row <= thickest and end <= depth and darkness[inside] >= darkness[row:end].min() + _LIGHTER:
            return min(inside, depth), float(share[row:end].max())
        row = end
    return 0, 0.0


def _distance(strip: NDArray[np.uint8], colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Largest channel difference of every pixel to its row's colour: uint8 (rows, length)."""
    difference = cv2.absdiff(strip, np.repeat(colors[:, None, :], strip.shape[1], axis=1))
    red, green, blue = cv2.split(difference)
    largest: NDArray[np.uint8] = cv2.max(cv2.max(red, green), blue)
    return largest
