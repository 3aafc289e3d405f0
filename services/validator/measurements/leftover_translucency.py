"""Leftover translucency: what should be solid or clear and is neither."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.validator.measurements.regions import connected_to_frame, frame_ring

# Veils are broad, so they are looked for in blocks of this many pixels a side, all of which have to show them.
_BLOCK_PX = 4
# Lossy formats ring in the blocks an edge runs through, and soft edges and hair end within as much.
_REACH_PX = 20
# What is darker than the canvas's own white by this many levels shows.
_DARKER = 3
_SOLID, _HALF, _FAINT, _TRACE = (round(255 * alpha) for alpha in (0.97, 0.5, 0.25, 0.05))
# A product is translucent by nature if this share of it is thinned to less than half, ...
_GLASS_SHARE = 0.03
# ... or if more than this share of its depth is not solid.
_TINTED_SHARE = 0.25
_DEEP_PX = 12


def leftover_translucency(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> float | None:
    """Haze beside the product and holes washed into it, as a share of the product's area.

    Haze is what is darker than white 20 px and more away from the product, in all pixels of a block, so that loose
    hair is none; a soft shadow is. With a matte, the product is where it covers a quarter, and what such an outline
    encloses; and the inside is looked at as well: blocks deep in it that the matte thins to less than 97 % are washed
    out. The bytes alone do not show that. What is translucent by nature (3 % of it thinned to less than half, or a
    quarter of its depth not solid) can be told from neither: there, a matte makes it None.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product, its holes included; used without a matte.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        Share, 0 on a clean cut and above 1 if the haze is larger than the product, or None without a product or for
        a translucent one.
    """
    if matte is None:
        covered = _largest(product) > 0
        outside, washed = ~covered, 0
    else:
        alpha = cv2.convertScaleAbs(matte, alpha=255)
        largest, smallest = _largest(alpha), _smallest(alpha)
        faint = cv2.morphologyEx(_mask(largest >= _FAINT), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        outside = connected_to_frame(cv2.bitwise_not(faint)) > 0
        covered = ~outside
        if _is_translucent(largest, smallest, covered):
            return None
        washed = int(np.count_nonzero(_deep(smallest) & (largest < _SOLID)))
    if not covered.any():
        return None
    away = _eroded(outside, _REACH_PX)
    red, green, blue = cv2.split(image)
    darkest = cv2.min(cv2.min(red, green), blue)
    shows = _largest(darkest) <= _white_of(darkest) - _DARKER
    return float((np.count_nonzero(away & shows) + washed) / np.count_nonzero(covered))


def _is_translucent(largest: NDArray[np.uint8], smallest: NDArray[np.uint8], covered: NDArray[np.bool_]) -> bool:
    """Whether a product is meant to be seen through: clear in parts, or tinted over much of its depth."""
    thin = covered & (largest < _HALF) & (smallest >= _TRACE)
    if np.count_nonzero(thin) > _GLASS_SHARE * np.count_nonzero(covered):
        return True
    deep = _deep(smallest)
    return bool(np.count_nonzero(deep & (largest < _SOLID)) > _TINTED_SHARE * np.count_nonzero(deep))


def _deep(smallest: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Blocks well inside of what covers at least half."""
    return _eroded(smallest >= _HALF, _DEEP_PX)


def _white_of(darkest: NDArray[np.uint8]) -> int:
    """Level of the canvas's outermost pixels."""
    ring = darkest[frame_ring(*darkest.shape) > 0]
    return int(np.median(ring))


def _mask(chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return chosen.astype(np.uint8) * np.uint8(255)


def _eroded(mask: NDArray[np.bool_], by_px: int) -> NDArray[np.bool_]:
    side = 2 * (by_px // _BLOCK_PX) + 1
    shrunk = cv2.erode(_mask(mask), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=255)
    inside: NDArray[np.bool_] = shrunk > 0
    return inside


def _largest(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest value of every block."""
    pooled: NDArray[np.uint8] = cv2.dilate(values, np.ones((_BLOCK_PX, _BLOCK_PX), np.uint8), anchor=(0, 0))
    return np.ascontiguousarray(pooled[::_BLOCK_PX, ::_BLOCK_PX])


def _smallest(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The smallest value of every block."""
    pooled: NDArray[np.uint8] = cv2.erode(values, np.ones((_BLOCK_PX, _BLOCK_PX), np.uint8), anchor=(0, 0))
    return np.ascontiguousarray(pooled[::_BLOCK_PX, ::_BLOCK_PX])
