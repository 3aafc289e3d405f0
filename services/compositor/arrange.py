"""Laying the loose pieces of a product out anew, so that together they fill the canvas.

Pieces move by whole pixels of the photo and are neither scaled nor turned: all keep one scale, and every pixel stays
what it is. What is packed are their boxes, by the heuristics of Jylänki, "A Thousand Ways to Pack the Bin" (2010), as
the library rectpack has them. The largest scale at which one of them fits all pieces is searched, and of the packings
near it the one that looks most like the photo's own layout is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import rectpack
from numpy.typing import NDArray

from services.compositor.layout import SOLID, VISIBLE, Box, CanvasSpec, fringe_box

# Pieces closer than this share of the product's longer side are one: a chain whose matte has a gap is not torn apart.
_JOINED_WITHIN = 0.01
# Crumbs under this share of the largest piece's area are no pieces, as for the segmenter; each goes with the nearest.
_CRUMB_SHARE = 0.01
_GAP_SHARE = 0.03  # of the canvas's shorter side, between boxes
_ORDER_IS_WORTH = 1.06  # how much larger a packing has to be to be preferred to a more orderly one
_SEARCH_STEPS = 9  # halve the interval of scales
_MOST_PIECES = 40  # pure Python packs more than that too slowly

_HEURISTICS = tuple(
    (pack, sort)
    for sort in (rectpack.SORT_NONE, rectpack.SORT_AREA, rectpack.SORT_LSIDE, rectpack.SORT_SSIDE)
    for pack in (rectpack.MaxRectsBssf, rectpack.MaxRectsBl, rectpack.SkylineMwf)
)


@dataclass(frozen=True, slots=True)
class Pieces:
    """The loose pieces of a product, in reading order.

    labels: int32 (H, W), the number of the piece each visible pixel belongs to, from 1; 0 elsewhere.
    boxes: of piece 1, 2, …: whole pixels, around everything of it that can be seen.
    """

    labels: NDArray[np.int32]
    boxes: tuple[Box, ...]


def find_pieces(matte: NDArray[np.float32]) -> Pieces:
    """Find what can be moved apart.

    A piece is connected, its soft fringe included: what touches by a hair stays together, and so does what nearly
    touches. Crumbs belong to the nearest piece.

    Args:
        matte: (H, W) float32 in [0, 1].

    Raises:
        EmptyMatteError: nothing can be seen.
    """
    box = fringe_box(matte)
    rows, cols = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
    part = matte[rows, cols]
    visible = np.where(part >= VISIBLE, 255, 0).astype(np.uint8)
    groups = _groups(visible, _JOINED_WITHIN * max(part.shape))
    areas = np.bincount(groups[part >= SOLID], minlength=int(groups.max()) + 1)
    areas[0] = 0
    is_piece = areas >= max(1.0, _CRUMB_SHARE * areas.max())
    if not is_piece.any():  # nothing is solid: it is all one
        groups, is_piece = (visible > 0).astype(np.int32), np.array([False, True])
    elif not is_piece[1:].all():
        groups = _joined_to_nearest(groups, is_piece)
    groups[visible == 0] = 0
    numbers, boxes = _in_reading_order(groups, is_piece)
    labels = np.zeros(matte.shape, np.int32)
    labels[rows, cols] = numbers[groups]
    return Pieces(labels, tuple(_moved(piece, box.top, box.left) for piece in boxes))


def pack_boxes(boxes: Sequence[Box], canvas: CanvasSpec, *, least_scale: float) -> list[Box] | None:
    """Lay boxes out without overlap so that they can be drawn as large as possible.

    Args:
        boxes: whole pixels of the photo, in reading order.
        canvas: where they are to fill `fill_ratio` of the width and height at most.
        least_scale: canvas pixels per photo pixel below which a packing is not worth it.

    Returns:
        The boxes at their new places, in the same order and with a gap between them; None if none reaches that scale.
    """
    if not 2 <= len(boxes) <= _MOST_PIECES or not _fits(boxes, canvas, least_scale):
        return None
    area = sum(box.width * box.height for box in boxes)
    reached, missed = least_scale, canvas.fill_ratio * math.sqrt(canvas.width_px * canvas.height_px / area)
    for _ in range(_SEARCH_STEPS):
        scale = math.sqrt(reached * max(missed, reached))
        if _fits(boxes, canvas, scale):
            reached = scale
        else:
            missed = scale
    scales = dict.fromkeys((reached, max(reached / _ORDER_IS_WORTH, least_scale)))
    found = (
        mirrored for scale in scales for packing in _packings(boxes, canvas, scale) for mirrored in _mirrored(packing)
    )
    return _with_centred_lines(min(found, key=lambda packing: _disorder(boxes, packing)))


def lay_out(
    foreground: NDArray[np.uint8], matte: NDArray[np.float32], pieces: Pieces, places: Sequence[Box]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Move pieces to their new places, on a picture just large enough.

    Args:
        foreground: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].
        pieces: of that matte.
        places: of `pieces.boxes`, from `pack_boxes`.

    Returns:
        Foreground and matte as they came, (h, w, 3) and (h, w); 0 where no piece lies.
    """
    top, left = min(place.top for place in places), min(place.left for place in places)
    height = int(max(place.bottom for place in places) - top)
    width = int(max(place.right for place in places) - left)
    laid_foreground, laid_matte = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.float32)
    for number, (box, place) in enumerate(zip(pieces.boxes, places, strict=True), 1):
        source, target = _slices(box), _slices(_moved(place, -top, -left))
        own = pieces.labels[source] == number
        laid_matte[target][own] = matte[source][own]
        laid_foreground[target][own] = foreground[source][own]
    return laid_foreground, laid_matte


def _groups(visible: NDArray[np.uint8], within_px: float) -> NDArray[np.int32]:
    """Number what is connected, or at most that far apart, from 1; some of the background gets a number, too."""
    near = cv2.distanceTransform(cv2.bitwise_not(visible), cv2.DIST_L2, 5)
    groups: NDArray[np.int32]
    _, groups = cv2.connectedComponents((near <= within_px / 2).astype(np.uint8))
    return groups


def _joined_to_nearest(groups: NDArray[np.int32], is_piece: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give each pixel the number of the nearest piece."""
    elsewhere = np.where(is_piece[groups], 0, 255).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(elsewhere, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    number_of = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = elsewhere == 0
    number_of[nearest[inside]] = groups[inside]
    joined: NDArray[np.int32] = number_of[nearest]
    return joined


def _in_reading_order(groups: NDArray[np.int32], is_piece: NDArray[np.bool_]) -> tuple[NDArray[np.int32], list[Box]]:
    """The new number of each group, 0 for none, and the boxes in that order: by lines, each from left to right."""
    found = []
    for group in np.flatnonzero(is_piece).tolist():
        left, top, width, height = cv2.boundingRect(cv2.inRange(groups, group, group))
        found.append((Box(top, left, top + height, left + width), group))
    found.sort(key=lambda piece: piece[0].centre)
    lines: list[list[tuple[Box, int]]] = []
    for piece in found:
        if lines and piece[0].centre[0] < lines[-1][0][0].bottom:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    ordered = [piece for line in lines for piece in sorted(line, key=lambda piece: piece[0].left)]
    numbers = np.zeros(len(is_piece), np.int32)
    for number, (_, group) in enumerate(ordered, 1):
        numbers[group] = number
    return numbers, [box for box, _ in ordered]


def _fits(boxes: Sequence[Box], canvas: CanvasSpec, scale: float) -> bool:
    return next(_packings(boxes, canvas, scale), None) is not None


def _packings(boxes: Sequence[Box], canvas: CanvasSpec, scale: float) -> Iterator[list[Box]]:
    """What the heuristics make of the boxes at a scale, those that fail left out."""
    gap = math.ceil(_GAP_SHARE * min(canvas.width_px, canvas.height_px) / scale)
    width, height = (math.floor(canvas.fill_ratio * side / scale) + gap for side in (canvas.width_px, canvas.height_px))
    sizes = [(int(box.width) + gap, int(box.height) + gap) for box in boxes]
    if any(size[0] > width or size[1] > height for size in sizes):
        return
    for algorithm, sort in _HEURISTICS:
        packer = rectpack.newPacker(pack_algo=algorithm, sort_algo=sort, rotation=False)
        packer.add_bin(width, height)
        for index, size in enumerate(sizes):
            packer.add_rect(*size, rid=index)
        packer.pack()
        packed = sorted((rid, x, y) for _, x, y, _, _, rid in packer.rect_list())
        if len(packed) == len(boxes):
            yield [_placed(box, y, x) for box, (_, x, y) in zip(boxes, packed, strict=True)]


def _mirrored(packing: list[Box]) -> Iterator[list[Box]]:
    """A packing and what it is in mirrors beside and below it; the pieces themselves are not mirrored."""
    bottom, right = max(box.bottom for box in packing), max(box.right for box in packing)
    for down in (True, False):
        for across in (False, True):
            yield [
                _placed(box, bottom - box.bottom if down else box.top, right - box.right if across else box.left)
                for box in packing
            ]


def _disorder(boxes: Sequence[Box], packing: Sequence[Box]) -> float:
    """How much the directions from piece to piece have changed, from 0 (not at all) to 1 (all turned round)."""
    before, after = (np.array([box.centre for box in some]) for some in (boxes, packing))
    one, other = np.triu_indices(len(boxes), 1)
    was, became = before[other] - before[one], after[other] - after[one]
    lengths = np.hypot(*was.T) * np.hypot(*became.T)
    cosines = np.sum(was * became, axis=1) / np.maximum(lengths, 1e-9)
    return round(float(np.mean(1 - cosines)) / 2, 6)


def _with_centred_lines(packing: Sequence[Box]) -> list[Box]:
    """The packing with each line of boxes, where an empty row parts it from the next, centred on the widest one."""
    width = max(box.right for box in packing) - min(box.left for box in packing)
    lines: list[list[int]] = []
    bottom = -math.inf
    for index in sorted(range(len(packing)), key=lambda index: packing[index].top):
        if packing[index].top >= bottom:
            lines.append([])
        lines[-1].append(index)
        bottom = max(bottom, packing[index].bottom)
    centred = list(packing)
    for line in lines:
        left, right = min(packing[index].left for index in line), max(packing[index].right for index in line)
        for index in line:
            centred[index] = _moved(packing[index], 0, (width - (right - left)) // 2 - left)
    return centred


def _placed(box: Box, top: float, left: float) -> Box:
    return Box(top, left, top + box.height, left + box.width)


def _moved(box: Box, down: float, right: float) -> Box:
    return _placed(box, box.top + down, box.left + right)


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
