"""Corrects a matte by what a person said of single pixels.

A point moves the region it lies in, not a pixel only. The image is cut into superpixels; those that hold a point are
held to what it says, all others to what the matte says, the less the more they look like a point that contradicts
them and the less the proposals are sure. The values that settle under these pulls (a random walk that is drawn to its
seeds, and crosses edges seldom) are compared with the ones that settle without the contradiction: what differs is
what the point changes. A loose piece that is not the largest goes as a whole. The new outline is cut
along the image's edges.

References
----------
Grady, "Random Walks for Image Segmentation", PAMI 28(11), 2006: seeds, and a prior for what has none.
Boykov and Jolly, "Interactive Graph Cuts", ICCV 2001: what a person marked is a hard constraint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.color_model import smoothness
from services.segmenter.graph_cut import cut_along
from services.segmenter.masks import clear_outside, grow, resize, scale_roi, to_lab, working_size
from services.segmenter.proposal import Point, Roi
from services.segmenter.region_graph import settle
from services.segmenter.superpixels import Superpixels, superpixels

_SIDE_PX = 320
_REGIONS = 800
_FAINT = 0.05  # a matte below it holds nothing together
_HELD = 1e3  # pull on regions that hold a point
_LEAST_PULL = 0.02  # on regions just like a point that contradicts them
_ALIKE_DELTA_E = 9.0
_COMMON_SHARE = 0.1  # of the rim: a colour that so much of it has is the backdrop's
_OUTLINE_SHARE = 0.03  # of the longest side, around what was changed: where the outline is cut anew
_DOT_SHARE = 0.008  # of the longest side: what follows a point at the least


class PointError(ValueError):
    """A point lies outside the image, or says that something outside the region of interest is product.

    Attributes:
        index: which one, from 0.
        reason: POINT_OUTSIDE_PHOTO or POINT_OUTSIDE_REGION.
    """

    def __init__(self, index: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.index = index
        self.reason = reason


def check_points(points: Sequence[Point], height: int, width: int, roi: Roi | None) -> None:
    """Raise PointError for the first point that cannot be meant."""
    for index, point in enumerate(points):
        where = f"{point.col}, {point.row}"
        if not (0 <= point.row < height and 0 <= point.col < width):
            message = f"{where} lies outside the upright photo of {width} × {height} px"
            raise PointError(index, "POINT_OUTSIDE_PHOTO", message)
        if roi is not None and point.is_product and not _is_inside(point, roi):
            top, left, bottom, right = roi
            region = f"{right - left} × {bottom - top} px from {left}, {top}"
            message = f"{where} is to be product but lies outside the region of interest, {region}"
            raise PointError(index, "POINT_OUTSIDE_REGION", message)


def correct(
    image: NDArray[np.uint8],
    matte: NDArray[np.float32],
    points: Sequence[Point],
    roi: Roi | None = None,
    chance: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Bring a matte in line with points.

    Args:
        image: (H, W, 3) uint8 RGB.
        matte: float32 (h, w) in [0, 1], any size, covering the same frame.
        points: in the image's pixels, inside it.
        roi: in the image's pixels; outside is background.
        chance: float32 (h', w') in [0, 1], of each pixel being product; where it contradicts the matte, points have
            an easier game. None means the matte's own.

    Returns:
        float32 (h, w); the matte itself where no point contradicts it.
    """
    if not any(_contradicts(point, matte, image.shape) for point in points):
        return matte
    size = working_size(image.shape[0], image.shape[1], _SIDE_PX)
    small = np.ascontiguousarray(resize(matte, *size))
    added, removed = _changes(
        to_lab(resize(image, *size)),
        small,
        resize(matte if chance is None else chance, *size),
        [(_at(point, image.shape, size), point) for point in points if _contradicts(point, matte, image.shape)],
        [(_at(point, image.shape, size), point) for point in points if not _contradicts(point, matte, image.shape)],
        scale_roi(roi, image.shape[:2], size),
    )
    corrected = _painted(matte, added, removed)
    band = max(3, round(_OUTLINE_SHARE * max(size)))
    near = resize(grow(added | removed, band).astype(np.float32), *matte.shape) >= 0.5
    return np.where(near, _cut_within(image, corrected, roi), corrected)


def followed(
    chance: NDArray[np.float32], before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Chances (h, w) with those of a matte of any size where a correction changed its mind."""
    if after is before:
        return chance
    changed = ((before >= 0.5) != (after >= 0.5)).astype(np.float32)
    return np.where(resize(changed, *chance.shape) >= 0.5, resize(after, *chance.shape), chance)


def hold(matte: NDArray[np.float32], points: Sequence[Point]) -> NDArray[np.float32]:
    """The matte (H, W), of the image's size, with a dot around each point that it still contradicts.

    A dot ends half-way to the nearest point that says otherwise.
    """
    held = matte
    for point in points:
        if not _contradicts(point, held, held.shape):
            continue
        radius = max(held.shape) * _DOT_SHARE
        for other in points:
            if other.is_product != point.is_product:
                radius = min(radius, np.hypot(point.row - other.row, point.col - other.col) / 2)
        if held is matte:
            held = matte.copy()
        cv2.circle(held, (point.col, point.row), int(radius), float(point.is_product), cv2.FILLED)
    return held


def _is_inside(point: Point, roi: Roi) -> bool:
    top, left, bottom, right = roi
    return top <= point.row < bottom and left <= point.col < right


def _at(point: Point, source: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, int]:
    """Its (row, col) at another size."""
    return point.row * target[0] // source[0], point.col * target[1] // source[1]


def _contradicts(point: Point, matte: NDArray[np.float32], source: tuple[int, ...]) -> bool:
    return bool(matte[_at(point, source, matte.shape)] >= 0.5) != point.is_product


def _cut_within(image: NDArray[np.uint8], matte: NDArray[np.float32], roi: Roi | None) -> NDArray[np.float32]:
    """The matte with its outline on the image's edges, float32 (h, w); the region's border is not taken for one."""
    if roi is None:
        return resize(cut_along(image, matte), *matte.shape)
    top, left, bottom, right = roi
    rows, cols = matte.shape[0] / image.shape[0], matte.shape[1] / image.shape[1]
    within = np.s_[int(top * rows) : math.ceil(bottom * rows), int(left * cols) : math.ceil(right * cols)]
    cut = np.zeros_like(matte)
    part = np.ascontiguousarray(matte[within])
    cut[within] = resize(cut_along(np.ascontiguousarray(image[top:bottom, left:right]), part), *part.shape)
    return cut


def _painted(matte: NDArray[np.float32], added: NDArray[np.bool_], removed: NDArray[np.bool_]) -> NDArray[np.float32]:
    more, less = (resize(mask.astype(np.float32), *matte.shape) for mask in (added, removed))
    return np.asarray(np.minimum(np.maximum(matte, more), 1 - less), np.float32)


def _changes(
    lab: NDArray[np.float32],
    matte: NDArray[np.float32],
    chance: NDArray[np.float32],
    wrong: list[tuple[tuple[int, int], Point]],
    right: list[tuple[tuple[int, int], Point]],
    roi: Roi | None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What becomes product and what background, bool (h, w) each, all given at one size."""
    loose = _loose_pieces(matte, wrong, right)
    wrong = [(at, point) for at, point in wrong if point.is_product or not loose[at]]
    regions = superpixels(lab, _REGIONS)
    product = regions.share_of(matte >= 0.5) >= 0.5
    held, agreed = _seeds(regions, product, wrong, right)
    outside = regions.share_of(clear_outside(np.ones_like(matte), roi) == 0) >= 0.5
    trust = _trust(regions, product, chance)
    doubt = _doubt(regions, product, held, agreed)

    weights = smoothness(regions.labels, lab, len(regions.sizes))
    weights[outside] = weights[:, outside] = 0  # the region may end in the middle of a thing
    for region in agreed:
        trust[region], doubt[region] = _HELD, 0.0
    trust[outside], doubt[outside] = _HELD, 0.0
    before = settle(weights, trust, (product & ~outside).astype(np.float32)) >= 0.5
    believed = np.where(product, 1 - doubt, doubt)
    pull = trust * np.maximum(np.abs(1 - 2 * doubt), _LEAST_PULL)
    for region, says in held.items():
        pull[region], believed[region] = _HELD, says
    after = settle(weights, pull, believed) >= 0.5
    changed = (before != after) & (after != product) & ~outside
    for region, says in held.items():
        changed[region] = product[region] != says
    changed = _reached(regions, changed, product, list(held))
    removed = (changed & product)[regions.labels]
    added = (changed & ~product)[regions.labels]
    return added, removed | _cut_off(matte, removed, right) | loose


def _loose_pieces(
    matte: NDArray[np.float32], wrong: list[tuple[tuple[int, int], Point]], right: list[tuple[tuple[int, int], Point]]
) -> NDArray[np.bool_]:
    """Pieces of the product that a point excludes and none includes; never the largest."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((matte >= 0.5).astype(np.uint8), connectivity=8)
    excluded = {int(labels[at]) for at, point in wrong if not point.is_product}
    excluded -= {int(labels[at]) for at, point in right if point.is_product}
    excluded -= {0, 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else 0}
    pieces = np.isin(labels, sorted(excluded))
    soft = grow(pieces, 3) & ~grow((labels > 0) & ~pieces, 3)  # with their soft edges
    return pieces | soft


def _seeds(
    regions: Superpixels,
    product: NDArray[np.bool_],
    wrong: list[tuple[tuple[int, int], Point]],
    right: list[tuple[tuple[int, int], Point]],
) -> tuple[dict[int, bool], dict[int, bool]]:
    """Regions by what their points say: those that the matte contradicts, and those that it agrees with.

    Regions in which points contradict each other are neither.
    """
    said: dict[int, set[bool]] = {}
    for at, point in (*wrong, *right):
        said.setdefault(int(regions.labels[at]), set()).add(point.is_product)
    clear = {region: says.pop() for region, says in said.items() if len(says) == 1}
    agreed = {region: says for region, says in clear.items() if product[region] == says}
    mistaken = {int(regions.labels[at]) for at, _ in wrong}
    held = {region: says for region, says in clear.items() if region in mistaken and region not in agreed}
    return held, agreed


def _trust(regions: Superpixels, product: NDArray[np.bool_], chance: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strongly each region (n,) is held to what the matte says it is, were there no points."""
    mean_chance = np.bincount(regions.labels.ravel(), chance.ravel(), len(regions.sizes)) / regions.sizes
    sure = np.where(product, mean_chance, 1 - mean_chance)
    typical_side = float(np.sqrt(regions.sizes.mean()))
    return np.asarray(np.maximum(sure, _LEAST_PULL) * regions.sizes / (2 * typical_side), np.float32)


def _doubt(
    regions: Superpixels, product: NDArray[np.bool_], held: dict[int, bool], agreed: dict[int, bool]
) -> NDArray[np.float32]:
    """How much each region (n,) looks like one of the same kind that a point contradicts, in [0, 1].

    None for a region that looks more like what it is said to be: like one that a point agrees with, or, of the
    background, like a good part of the rim.
    """
    doubt = np.zeros(len(product), np.float32)
    on_rim = np.unique(
        np.concatenate([regions.labels[0], regions.labels[-1], regions.labels[:, 0], regions.labels[:, -1]])
    )
    backdrop = on_rim[~product[on_rim]]
    for says in (True, False):
        contradicting = [region for region, said in held.items() if said == says]
        if not contradicting:
            continue
        near = _color_distance(regions, contradicting).min(axis=1)
        own = _color_distance(regions, [region for region, said in agreed.items() if said != says]).min(
            axis=1, initial=np.inf
        )
        if says and len(backdrop):
            own = np.minimum(own, np.quantile(_color_distance(regions, backdrop), _COMMON_SHARE, axis=1))
        alike = np.exp(-(near**2) / (2 * _ALIKE_DELTA_E**2))
        doubt = np.where((product != says) & (near < own), alike, doubt).astype(np.float32)
    return doubt


def _reached(
    regions: Superpixels, changed: NDArray[np.bool_], product: NDArray[np.bool_], start: list[int]
) -> NDArray[np.bool_]:
    """Changed regions that a way through changed regions of the same kind leads to from a point's."""
    reached = np.zeros_like(changed)
    reached[start] = True
    while True:
        kinds = [reached & product, reached & ~product]
        beside = [regions.neighbours[:, kind].any(axis=1) & changed for kind in kinds]
        grown = reached | (beside[0] & product) | (beside[1] & ~product)
        if np.array_equal(grown, reached):
            return reached & changed
        reached = grown


def _color_distance(regions: Superpixels, to: list[int] | NDArray[np.int32]) -> NDArray[np.float32]:
    """ΔE76 (n, m) from every region's colour to those of some."""
    apart = regions.colors[:, None] - regions.colors[np.asarray(to, np.int32)][None]
    return np.asarray(np.linalg.norm(apart, axis=2), np.float32)


def _cut_off(
    matte: NDArray[np.float32], removed: NDArray[np.bool_], right: list[tuple[tuple[int, int], Point]]
) -> NDArray[np.bool_]:
    """Crumbs beside what was removed: smaller than it, apart from the rest, and not what a point includes."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(((matte > _FAINT) & ~removed).astype(np.uint8))
    crumbs = set(np.unique(labels[grow(removed, 2)]).tolist()) - {0}
    crumbs -= {int(labels[at]) for at, point in right if point.is_product}
    area = stats[:, cv2.CC_STAT_AREA]
    largest = int(np.argmax(area[1:])) + 1 if len(area) > 1 else 0
    return np.isin(labels, [label for label in crumbs - {largest} if area[label] < removed.sum()])
