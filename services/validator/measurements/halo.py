"""Halo: colour of the old background left on the product's rim."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import ciede2000, linear_to_srgb, srgb_to_lab, srgb_to_linear

Float = NDArray[np.float32]

# Layers across the outline on a canvas of 2000 px; none is thinner than 2 px, however small the canvas: a lens and a
# JPEG spread an edge over that much.
_OUTSIDE_PX_AT_2000, _RIM_PX_AT_2000, _INSIDE_PX_AT_2000 = 3.0, 4.5, 3.0
_THINNEST_PX = 2
# From the bytes alone the outline is where the first trace of product is, this much further out than its half coverage.
_TRACE_PX = 2
# Side of the patches that the outline is judged by, on a canvas of 2000 px.
_PATCH_PX_AT_2000 = 24
_SMALLEST_PATCH_PX = 6
# Covered pixels that a patch has in its rim, its inside and below that, and patches there are, or nothing can be told.
_FEWEST_PX = 5
_FEWEST_PATCHES = 8
_LEAST_CONTRAST = 1e-3


@dataclass(frozen=True, slots=True)
class _Patches:
    """Pixels near the outline by patch and by whole px of depth. N patches, K depths, the first `outside` beyond it.

    counts: float32 (N, K). coverage: float32 (N, K, 1) in [0, 1], mean. color: float32 (N, K, 3), mean sRGB in [0, 1].
    """

    counts: Float
    coverage: Float
    color: Float

    def between(self, start: int, stop: int) -> _Patches:
        return _Patches(self.counts[:, start:stop], self.coverage[:, start:stop], self.color[:, start:stop])

    def covered_px(self) -> Float:
        """Product in each patch, px: float32 (N,)."""
        covered: Float = (self.counts * self.coverage[..., 0]).sum(axis=1)
        return covered

    def mean(self, color: Float) -> Float:
        """The patches' means (N, 3) of a colour by depth (N, K, 3)."""
        weight = self.counts[..., None]
        mean: Float = (color * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
        return mean

    def unmixed(self) -> Float:
        """The product's own colour in each patch, without the white that shows through: (N, 3) in linear light."""
        own = srgb_to_linear(self.color) - (1 - self.coverage)
        return self.mean(own) / np.maximum(self.mean(self.coverage), _LEAST_CONTRAST)


def halo(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> float | None:
    """CIEDE2000 by which the rim is off, all around and in the same way, from its inside continued over white.

    Three layers follow the outline: the rim (3 px outside to 4.5 px inside, on a canvas of 2000 px, else in
    proportion), the inside right behind it, and what is as much deeper. Eyes see the colour of a stretch of rim, not of
    its pixels: layers are averaged over patches of 24 px, in sRGB, whose means a JPEG keeps. A rim without a halo has
    the inside's colour, unmixed from white in linear light and laid over white again at the rim's coverage, or, where
    the product changes its colour towards its outline, goes on in that direction by up to as much again: whichever of
    these is nearest counts as its own.

    A bad cut leaves the same colour all around, while texture, highlights and parts of several materials move single
    patches in all directions. So the halo is the median of what is left in all patches, taken for L*, a* and b* apart.

    With a matte the coverage is known. Without one it is the one at which the inside's colour over white comes nearest
    to the pixels, so that what is left is off every possible mix: dark and coloured fringes show, a pale one on a
    neutral product cannot be told from an edge that is a little softer.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product but for its holes.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        ΔE00, at least 0, or None if the product is too thin or too small to have an inside.
    """
    scale = max(image.shape[:2]) / 2000
    outside_px, rim_px, inside_px = (
        max(_THINNEST_PX, round(px * scale)) for px in (_OUTSIDE_PX_AT_2000, _RIM_PX_AT_2000, _INSIDE_PX_AT_2000)
    )
    if matte is not None:
        product = cv2.inRange(matte, 0.5, np.inf)
    else:
        rim_px += _TRACE_PX
    side_px = max(_SMALLEST_PATCH_PX, round(_PATCH_PX_AT_2000 * scale))
    patches = _patches(image, product, matte, outside_px, rim_px + 2 * inside_px, side_px)
    stops = np.cumsum([outside_px + rim_px, inside_px, inside_px])
    layers = [patches.between(start, stop) for start, stop in zip((0, *stops[:-1]), stops, strict=True)]
    told = np.min([layer.covered_px() for layer in layers], axis=0) >= _FEWEST_PX
    if np.count_nonzero(told) < _FEWEST_PATCHES:
        return None
    rim, inside, deeper = (_Patches(layer.counts[told], layer.coverage[told], layer.color[told]) for layer in layers)

    inner, innermost = inside.unmixed(), deeper.unmixed()
    coverage = rim.coverage if matte is not None else _best_coverage(srgb_to_linear(rim.color), inner)
    continued = _over_white(inner, coverage)
    natural = _over_white(innermost, coverage if matte is not None else _best_coverage(continued, innermost))
    seen, expected, before = (
        srgb_to_lab(rim.mean(color)) for color in (rim.color, _encoded(continued), _encoded(natural))
    )
    slope = expected - before
    onward = ((seen - expected) * slope).sum(axis=1) / np.maximum(np.square(slope).sum(axis=1), _LEAST_CONTRAST)
    expected += np.clip(onward, 0, 1)[:, None] * slope
    share = rim.mean(coverage)
    common = np.median((seen - expected) / np.maximum(share, 0.1), axis=0)
    return float(np.median(ciede2000(expected + common, expected)))


def _patches(
    image: NDArray[np.uint8],
    product: NDArray[np.uint8],
    matte: Float | None,
    outside_px: int,
    depth_px: int,
    side_px: int,
) -> _Patches:
    """The pixels up to `outside_px` beyond the outline and `depth_px` behind it, in squares of `side_px`."""
    left, top, width, height = cv2.boundingRect(product)
    rows, cols = (
        slice(max(0, start - outside_px), start + length + outside_px) for start, length in ((top, height), (left, width))
    )
    shape = cv2.compare(np.ascontiguousarray(product[rows, cols]), 0, cv2.CMP_GT)
    within = cv2.distanceTransform(shape, cv2.DIST_L2, cv2.DIST_MASK_5)
    beyond = cv2.distanceTransform(cv2.bitwise_not(shape), cv2.DIST_L2, cv2.DIST_MASK_5)
    # The outline runs half a pixel from the pixels beside it.
    depth = np.floor(np.where(shape > 0, within - 0.5, 0.5 - beyond)) + outside_px
    row, col = np.nonzero((depth >= 0) & (depth < outside_px + depth_px))
    if not row.size or not shape.all() and not shape.any():
        return _Patches(*(np.zeros((0, 1, *last), np.float32) for last in ((), (1,), (3,))))
    layers = outside_px + depth_px
    _, patch = np.unique(row // side_px * (width + 2) + col // side_px, return_inverse=True)
    place = patch * layers + depth[row, col].astype(np.intp)
    size = (int(patch.max()) + 1) * layers

    def total(values: NDArray[np.generic] | None = None) -> Float:
        sums: Float = np.bincount(place, values, minlength=size).astype(np.float32).reshape(-1, layers)
        return sums

    counts = total()
    some = np.maximum(counts, 1)
    pixels = image[rows, cols][row, col]
    color = np.stack([total(channel) / some for channel in pixels.T], axis=2) / 255
    coverage = np.ones_like(counts) if matte is None else total(matte[rows, cols][row, col]) / some
    return _Patches(counts, coverage[..., None], color)


def _over_white(color: Float, coverage: Float) -> Float:
    """Colours (N, 3) over white at a coverage (N, K, 1): (N, K, 3), all in linear light."""
    return coverage * (color[:, None] - 1) + 1


def _best_coverage(seen: Float, color: Float) -> Float:
    """Coverage (N, K, 1) at which a colour (N, 3) over white comes nearest to those seen (N, K, 3), in linear light."""
    towards = color[:, None] - 1
    along = ((seen - 1) * towards).sum(axis=2) / np.maximum(np.square(towards).sum(axis=2), _LEAST_CONTRAST)
    best: Float = np.clip(along, 0, 1)[..., None]
    return best


def _encoded(linear: Float) -> Float:
    """Linear light as sRGB in [0, 1]."""
    encoded: Float = linear_to_srgb(linear) / np.float32(255)
    return encoded
