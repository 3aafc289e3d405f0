"""Alpha from a photo and a trimap: coarse to fine, in the unknown band and nowhere else.

A level at which the band is narrow enough for one look of the edge network comes first; each finer level starts from
the one before and works only where that left something open. So the cost grows with the length of the edge and how soft
it is, not with the frame. Where alpha is known roughly, hard edges get one look, at full size: coarser levels, evened
out along the colours, find more of hair and glass, but lose edges between like colours that were right before.

References:
    Yu et al., "Mask Guided Matting via Progressive Refinement Network", CVPR 2021 (arXiv 2012.06722).
    Burt, Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE Trans. Communications 31(4), 1983.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from services.compositor import edge_network
from services.compositor.band import blocks_with, window_of
from services.compositor.edge_network import PATCH_PX
from services.compositor.laplacian import even_out
from services.compositor.trimap import BACKGROUND, PRODUCT, UNKNOWN

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

_WIDEST_PX = 12.0  # from an unknown pixel to the nearest known one: what one look can bridge
_UNBRIDGED_PX = 32.0  # the same; from there on, a look sees nothing that is known
_MARGIN_PX = 16  # of a patch, to look into
_CORE_PX = PATCH_PX - 2 * _MARGIN_PX
_BATCH = 8
_SETTLED = 0.02  # a coarser level this sure of all pixels around is not asked again
_SETTLED_RADIUS_PX = 2
_SMALLEST_SIDE_PX = 16
_LARGEST_EVENED = 160_000  # pixels of a level; larger ones have a narrow band left
_TRUST = 0.003  # in the network's answer, beside the colours'
_SOFT_TRUST = 0.0003  # where it is soft: a patch shows the network too little of hair
_ROUNDS = 60
_FINEST_TRUST = 0.1  # the colours of single pixels are noisy
_FINEST_SOFT_TRUST = 0.01
_FINEST_ROUNDS = 20
_FLAT = 0.1  # difference of alpha between neighbours
_HARD_PX = 3
_STRETCH_PX = 17  # window in which a stretch is soft or not
_SOFT = 0.3  # of that window is neither flat nor a hard edge
_AROUND_PX = 16  # what lies so near to such a window is soft, too
_BLOCK_PX, _ROOM_PX = 512, 8


def solve(image: Image, trimap: Image) -> Float:
    """Work out alpha in the unknown pixels of a trimap.

    Args:
        image: (H, W, 3) uint8 sRGB.
        trimap: (H, W) uint8: 0 background, 128 unknown, 255 product.

    Returns:
        (H, W) float32 in [0, 1], exactly 0 and 1 where the trimap knows.
    """
    alpha = _where_known(trimap)
    window = window_of(trimap == UNKNOWN, PATCH_PX)
    if window is not None:
        believed = np.where(trimap == UNKNOWN, np.float32(0.5), alpha)[window]
        alpha[window] = _from_coarse(image[window], trimap[window], believed)
    return alpha


def revise(image: Image, matte: Float, trimap: Image, doubtful: Image, *, hairy: bool = False) -> Float:
    """Work alpha out again where a matte is not to be believed.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1], about right.
        trimap: (H, W) uint8, unknown along the edge.
        doubtful: a trimap that is unknown there and wherever hair could be.
        hairy: hair is there: it is looked for wherever that is unknown, which takes two to three times as long.

    Returns:
        (H, W) float32 in [0, 1], exactly 0 and 1 where both trimaps know.
    """
    alpha = _where_known(doubtful)
    window = window_of(doubtful == UNKNOWN, PATCH_PX)
    if window is None:
        return alpha
    if (doubtful == UNKNOWN).all():
        return matte  # there is nothing to tell product and background apart by
    photo, believed, open_to = image[window], matte[window], doubtful[window]
    band = trimap[window]
    to_known = _to_known(band == UNKNOWN)
    if hairy or _is_coarse(to_known):
        alpha[window] = _from_coarse(photo, open_to, believed)
        return alpha
    looked = _looked_at(photo, band, believed)
    soft = soft_stretches(looked)
    if soft.any():  # hair, or an edge that lies elsewhere than believed: that a second look finds
        looked = np.where(soft, _looked_at(photo, _only(soft, band, looked), looked), looked)
        soft = soft_stretches(looked)
    soft |= _too_wide(to_known)
    hard = np.where(soft, np.uint8(PRODUCT), band)
    alpha[window] = _polished(photo, hard, looked, np.zeros_like(soft))
    if soft.any():
        found = _from_coarse(photo, _only(soft, open_to, looked), believed)
        alpha[window][soft] = found[soft]
    return alpha


def _only(there: NDArray[np.bool_], trimap: Image, alpha: Float) -> Image:
    """The trimap where it is asked for, and what alpha is nearer to elsewhere."""
    return np.where(there, trimap, np.where(alpha < 0.5, np.uint8(BACKGROUND), np.uint8(PRODUCT)))


def _where_known(trimap: Image) -> Float:
    return np.where(trimap == PRODUCT, np.float32(1), np.float32(0))


def _from_coarse(image: Image, trimap: Image, prior: Float) -> Float:
    return _solve(image, trimap, prior, _levels(trimap == UNKNOWN))


def _levels(unknown: NDArray[np.bool_]) -> int:
    """How many times to halve before the band is narrow enough."""
    widest = float(_to_known(unknown).max())
    room = math.floor(math.log2(max(min(unknown.shape) / _SMALLEST_SIDE_PX, 1)))
    return min(max(math.ceil(math.log2(max(widest, 1) / _WIDEST_PX)), 0), room)


def _is_coarse(to_known: Float) -> bool:
    """Whether most of a band is so wide that one look cannot bridge it: the matte is much smaller than the photo."""
    band = to_known[to_known > 0]
    return bool(band.size and np.median(band) > _WIDEST_PX / 2)


def _too_wide(to_known: Float) -> NDArray[np.bool_]:
    """What is unknown, and some way around it, where one look cannot bridge it."""
    far = (to_known > _UNBRIDGED_PX).view(np.uint8)
    reach = round(_UNBRIDGED_PX) + _AROUND_PX
    return np.asarray(cv2.dilate(far, np.ones((2 * reach + 1,) * 2, np.uint8)), bool)


def _to_known(unknown: NDArray[np.bool_]) -> Float:
    """How far the nearest known pixel is, px, 0 in those; beyond the frame nothing is known."""
    return np.asarray(cv2.distanceTransform(unknown.view(np.uint8), cv2.DIST_L2, 3), np.float32)


def _solve(image: Image, trimap: Image, prior: Float, levels: int, *, is_finest: bool = True) -> Float:
    if levels:
        height, width = trimap.shape
        half = (width + 1) // 2, (height + 1) // 2
        coarse = _solve(
            cv2.resize(image, half, interpolation=cv2.INTER_AREA),
            _halved(trimap),
            cv2.resize(prior, half, interpolation=cv2.INTER_AREA),
            levels - 1,
            is_finest=False,
        )
        prior = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        trimap = _settled(trimap, prior)
    alpha = _looked_at(image, trimap, prior)
    soft = soft_stretches(alpha)
    if is_finest:
        return _polished(image, trimap, alpha, soft)
    if trimap.size <= _LARGEST_EVENED:
        # What one look at a patch misses, colours carry across a wide band.
        trust = np.where(soft, _SOFT_TRUST, _TRUST)
        return even_out(image, alpha, _anchored(trimap), trust=trust, rounds=_ROUNDS)
    return alpha


def soft_stretches(alpha: Float) -> NDArray[np.bool_]:
    """Where alpha (H, W) changes gradually or in fine strands, as around hair: (H, W), some way around them, too."""
    soft = (_uneven(alpha) & ~_between(alpha)).astype(np.float32)
    stretches = (cv2.blur(soft, (_STRETCH_PX, _STRETCH_PX)) > _SOFT).view(np.uint8)
    return np.asarray(cv2.dilate(stretches, np.ones((2 * _AROUND_PX + 1,) * 2, np.uint8)), bool)


def _uneven(alpha: Float) -> NDArray[np.bool_]:
    around = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(alpha, around) - cv2.erode(alpha, around) > _FLAT, bool)


def _anchored(trimap: Image) -> NDArray[np.bool_]:
    """Unknown pixels in reach of known product and of known background: without either, all would become the other."""
    unknown: NDArray[np.bool_] = trimap == UNKNOWN
    for side in (BACKGROUND, PRODUCT):
        is_side = trimap == side
        count, regions = cv2.connectedComponents((unknown | is_side).view(np.uint8), connectivity=8)
        has_side = np.zeros(count, bool)
        has_side[regions[is_side]] = True
        unknown = unknown & has_side[regions]
    return unknown


def _polished(image: Image, trimap: Image, alpha: Float, soft: NDArray[np.bool_]) -> Float:
    """Alpha drawn nearer to the colours, in blocks that bound memory: all of it where `soft`, there a patch shows the
    network too little, and slightly elsewhere, where it is not flat."""
    open_to = (trimap == UNKNOWN) & (soft | _uneven(alpha)) & ~_between(alpha)
    polished = alpha.copy()
    for block in blocks_with(open_to, core_px=_BLOCK_PX, room_px=_ROOM_PX):
        trust = np.where(soft[block.roomy], _FINEST_SOFT_TRUST, _FINEST_TRUST)
        evened = even_out(
            image[block.roomy], alpha[block.roomy], open_to[block.roomy], trust=trust, rounds=_FINEST_ROUNDS
        )
        polished[block.core] = evened[block.core_in_roomy]
    return polished


def _halved(trimap: Image) -> Image:
    """A trimap at half the size: known where all pixels of a block say the same."""
    padded = cv2.copyMakeBorder(trimap, 0, trimap.shape[0] % 2, 0, trimap.shape[1] % 2, cv2.BORDER_REPLICATE)
    first = padded[::2, ::2]
    same = (first == padded[1::2, ::2]) & (first == padded[::2, 1::2]) & (first == padded[1::2, 1::2])
    return np.where(same, first, np.uint8(UNKNOWN))


def _settled(trimap: Image, believed: Float) -> Image:
    """The trimap with what a coarser level is sure of."""
    around = np.ones((2 * _SETTLED_RADIUS_PX + 1, 2 * _SETTLED_RADIUS_PX + 1), np.uint8)
    unknown = trimap == UNKNOWN
    narrowed = trimap.copy()
    narrowed[unknown & (cv2.dilate(believed, around) < _SETTLED)] = BACKGROUND
    narrowed[unknown & (cv2.erode(believed, around) > 1 - _SETTLED)] = PRODUCT
    return narrowed


def _between(alpha: Float) -> NDArray[np.bool_]:
    """Pixels of hard edges, next to product and to background: `hard_edges` is better at those, and quicker."""
    near = np.ones((2 * _HARD_PX + 1, 2 * _HARD_PX + 1), np.uint8)
    product, background = (alpha > 1 - _SETTLED).view(np.uint8), (alpha < _SETTLED).view(np.uint8)
    return np.asarray(cv2.dilate(product, near) & cv2.dilate(background, near), bool)


def _looked_at(image: Image, trimap: Image, prior: Float) -> Float:
    """The network's answer, patch by patch, where the trimap is unknown."""
    height, width = trimap.shape
    alpha = np.where(trimap == PRODUCT, np.float32(1), np.float32(0))
    corners = _covering(trimap == UNKNOWN)
    reach = np.arange(-_MARGIN_PX, _CORE_PX + _MARGIN_PX)
    for start in range(0, len(corners), _BATCH):
        batch = corners[start : start + _BATCH]
        # Beyond the frame its last row and column go on.
        places = [
            np.ix_(np.clip(top + reach, 0, height - 1), np.clip(left + reach, 0, width - 1)) for top, left in batch
        ]
        found = edge_network.run(
            np.stack([image[place] for place in places]),
            np.stack([trimap[place] for place in places]),
            np.stack([prior[place] for place in places]),
        )
        for (top, left), patch in zip(batch, found, strict=True):
            core = alpha[top : top + _CORE_PX, left : left + _CORE_PX]
            core[...] = patch[_MARGIN_PX : _MARGIN_PX + core.shape[0], _MARGIN_PX : _MARGIN_PX + core.shape[1]]
    return alpha


def _covering(unknown: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Top left corners of patches' cores that hold all unknown pixels: in rows from the first pixel not held yet, in
    each row from left to right the same way. A fixed grid takes about a third more."""
    corners = []
    rows = np.flatnonzero(unknown.any(axis=1))
    top = _first(rows, 0)
    while top is not None:
        strip = np.flatnonzero(unknown[top : top + _CORE_PX].any(axis=0))
        left = _first(strip, 0)
        while left is not None:
            corners.append((top, left))
            left = _first(strip, left + _CORE_PX)
        top = _first(rows, top + _CORE_PX)
    return corners


def _first(ascending: NDArray[np.intp], start: int) -> int | None:
    """The first of ascending numbers that is at least `start`."""
    place = int(np.searchsorted(ascending, start))
    return int(ascending[place]) if place < ascending.size else None
