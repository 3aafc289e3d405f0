"""The product's own colours along its edge, without the old background mixed into them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import linear_to_srgb, srgb_to_linear
from services.compositor.band import Band, blocks_with

Float = NDArray[np.float32]

# Germer 2020, section 3: smoothness of the colours, and how much more of it where alpha changes.
_SMOOTHNESS = 1e-2
_SMOOTHNESS_AT_EDGES = 0.1
_ROUNDS = 6
_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
_PURE_SHARE = 0.8  # of the highest alpha around, from where on a colour is spread into the band
_PURE_RADIUS_PX = 4
_ROOM_PX = 32


def estimate_foreground(image: NDArray[np.uint8], matte: Float) -> NDArray[np.uint8]:
    """Estimate the colour the product has by itself in every pixel it shares with the background.

    The photo is taken as a mixture `alpha * foreground + (1 - alpha) * background` in linear light. Both colours start
    from the nearest pure ones, spread into the band through a pyramid, and are then solved for at full resolution in
    the pixels of the band alone.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].

    Returns:
        (H, W, 3) uint8 sRGB: the photo's own colours wherever alpha is 0 or 1.

    Reference:
        Germer, Uelwer, Conrad, Harmeling, "Fast Multi-Level Foreground Estimation", ICPR 2020 (arXiv 2006.14970).
    """
    foreground = image.copy()
    for block in blocks_with((matte > 0) & (matte < 1), room_px=_ROOM_PX):
        foreground[block.core] = _estimate(image[block.roomy], matte[block.roomy])[block.core_in_roomy]
    return foreground


def _estimate(image: NDArray[np.uint8], matte: Float) -> NDArray[np.uint8]:
    mixed = (matte > 0) & (matte < 1)
    # The band and one pixel around it, which lends its known colour.
    band = Band.where(cv2.dilate(mixed.view(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0)
    here = band.index
    alpha = matte.ravel()[here]
    own = srgb_to_linear(image.reshape(-1, 3)[here])
    product, background = (srgb_to_linear(colours.reshape(-1, 3)[here]) for colours in pure_colours(image, matte))
    product[alpha == 1] = own[alpha == 1]
    background[alpha == 0] = own[alpha == 0]

    product = _solve(band, alpha, own, product, background)
    inside = (alpha > 0) & (alpha < 1)
    foreground = image.copy()
    foreground.reshape(-1, 3)[here[inside]] = linear_to_srgb(product[inside])
    return foreground


def _solve(band: Band, alpha: Float, own: Float, product: Float, background: Float) -> Float:
    """Jacobi rounds of Germer's per-pixel 2 x 2 system on the pixels of a band, colours (N, 3) in linear light."""
    order = np.full(band.shape[0] * band.shape[1], -1, np.int32)
    order[band.index] = np.arange(len(band), dtype=np.int32)
    solved = np.flatnonzero((alpha > 0) & (alpha < 1))
    a = alpha[solved]
    b = 1 - a
    links = []
    a11, a22 = a * a, b * b
    for step in _NEIGHBOURS:
        beside = order[band.shifted(*step)[solved]].astype(np.intp)
        there = alpha[beside]
        weight = _SMOOTHNESS + _SMOOTHNESS_AT_EDGES * np.abs(there - a)
        # A neighbour without any of a colour says nothing about it.
        product_weight, background_weight = weight * (there > 0), weight * (there < 1)
        a11 += product_weight
        a22 += background_weight
        links.append((beside, product_weight[:, None], background_weight[:, None]))
    # The inverse of the 2 x 2 matrix, the same in every round.
    det = a11 * a22 - (a * b) ** 2
    i11, i12, i22 = (a22 / det)[:, None], (a * b / det)[:, None], (a11 / det)[:, None]
    from_product, from_background = a[:, None] * own[solved], b[:, None] * own[solved]
    neighbour = np.empty_like(from_product)
    for _ in range(_ROUNDS):
        right1, right2 = from_product.copy(), from_background.copy()
        for beside, product_weight, background_weight in links:
            np.take(product, beside, axis=0, out=neighbour, mode="clip")
            neighbour *= product_weight
            right1 += neighbour
            np.take(background, beside, axis=0, out=neighbour, mode="clip")
            neighbour *= background_weight
            right2 += neighbour
        product[solved] = np.clip(i11 * right1 - i12 * right2, 0, 1)
        background[solved] = np.clip(i22 * right2 - i12 * right1, 0, 1)
    return product


def pure_colours(image: NDArray[np.uint8], matte: Float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The product's and the background's colours, each spread from where it is seen alone: (H, W, 3) uint8 sRGB."""
    return _spread(image, _pure(matte)), _spread(image, _pure(1 - matte))


def _pure(share: Float) -> NDArray[np.uint8]:
    """255 where a side shows its own colour: fully covered, or as much as anywhere around."""
    square = np.ones((2 * _PURE_RADIUS_PX + 1, 2 * _PURE_RADIUS_PX + 1), np.uint8)
    ridge = (share >= _PURE_SHARE * cv2.dilate(share, square)) & (share > 0.1)
    return np.where(ridge, np.uint8(255), np.uint8(0))


def _spread(image: NDArray[np.uint8], pure: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill a picture from its pure pixels: averages of ever larger blocks, and back (pull-push).

    Args:
        image: (H, W, 3) uint8.
        pure: (H, W) uint8, 255 where the colour counts.

    Returns:
        (H, W, 3) uint8, smooth where `pure` is 0; the picture itself if it is so everywhere.
    """
    if not cv2.countNonZero(pure):
        return image
    colour = cv2.bitwise_and(image, image, mask=pure)
    small_size = _half(pure)
    levels = [
        (
            cv2.resize(colour, small_size, interpolation=cv2.INTER_AREA).astype(np.float32),
            cv2.resize(pure, small_size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255,
        )
    ]
    while max(levels[-1][1].shape) > 1 and levels[-1][1].min() == 0:
        size = _half(levels[-1][1])
        colour, weight = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in levels[-1])
        levels.append((colour, weight))
    filled = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for colour, weight in reversed(levels[:-1]):
        height, width = weight.shape
        filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
        share = weight[..., None]
        filled = colour + (1 - share) * filled
    height, width = pure.shape
    spread: NDArray[np.uint8] = cv2.resize(cv2.convertScaleAbs(filled), (width, height), interpolation=cv2.INTER_LINEAR)
    return spread


def _half(picture: NDArray[np.generic]) -> tuple[int, int]:
    height, width = picture.shape[:2]
    return (width + 1) // 2, (height + 1) // 2
