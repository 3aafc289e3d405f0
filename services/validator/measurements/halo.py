"""Halo: colour of the old background left on the product's rim."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import ciede2000, linear_to_srgb, srgb_to_lab, srgb_to_linear

Float = NDArray[np.float32]

# Layers across the outline on a canvas of 2000 px; none is thinner than 2 px, however small the canvas: a lens and a
# JPEG spread an edge over that much.
_RIM_PX_AT_2000, _INSIDE_PX_AT_2000 = 4.5, 3.0
_THINNEST_PX = 2
# The rim lies half beyond the outline, where nothing but white can be off: what is off is twice as much on the product.
_DILUTED = 2
# From the bytes alone the outline is where the first trace of product is, this much further out than its half coverage.
_TRACE_PX = 2
# Side of the patches that the outline is judged by, on a canvas of 2000 px.
_PATCH_PX_AT_2000 = 24
_SMALLEST_PATCH_PX = 6
# Covered pixels that a patch has in its rim, its inside and below that, and patches there are, or nothing can be told.
_FEWEST_PX = 5
_FEWEST_PATCHES = 8
_LEAST_CONTRAST = 1e-3
# A product whose own colour changes by this much (ΔE00) from layer to layer hides half of a halo.
_MASKING = 2.0
# Weiszfeld's steps, and the distance (CIELAB) below which points are one.
_STEPS, _SAME = 12, 0.1


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

    def only(self, told: NDArray[np.bool_]) -> _Patches:
        return _Patches(self.counts[told], self.coverage[told], self.color[told])

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
        unmixed = self.mean(own) / np.maximum(self.mean(self.coverage), _LEAST_CONTRAST)
        return unmixed.astype(np.float32)


def halo(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> float | None:
    """CIEDE2000 by which the rim is off, all around in the same way, from its inside continued over white.

    Three layers follow the outline: the rim (4.5 px to either side, on a canvas of 2000 px, else in proportion), the
    inside right behind it (3 px), and the inside behind that. Eyes see the colour of a stretch of rim, not of its
    pixels: layers are averaged over patches of 24 px, in sRGB, whose means a JPEG keeps. A rim without a halo has the
    inside's colour, unmixed from white in linear light and laid over white again at the rim's coverage. Or it goes on
    as the product changes towards its outline, by up to as much again as from layer to layer: round things darken.
    Whichever of these is nearest to the rim counts as its own colour.

    A bad cut leaves its colour all around, while texture, highlights and parts of several materials move single patches
    in all directions. So the halo is what the patches' differences have in common, their geometric median in CIELAB.
    The more the product's own colour changes from layer to layer, the less a halo is seen, and the less it counts.

    With a matte the coverage is known. Without one it is the one at which the inside's colour over white comes nearest
    to the pixels, so that what is left is off every possible mix: dark and coloured fringes show, a pale one on a
    neutral product cannot be told from an edge that is a little softer.

    Reference: E. Weiszfeld, "Sur le point pour lequel la somme des distances de n points donnés est minimum", 1937.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product but for its holes.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        ΔE00, at least 0, or None if the product is too thin or too small to have an inside.
    """
    scale = max(image.shape[:2]) / 2000
    outside_px, inside_px = (max(_THINNEST_PX, round(px * scale)) for px in (_RIM_PX_AT_2000, _INSIDE_PX_AT_2000))
    rim_px = outside_px if matte is not None else outside_px + _TRACE_PX
    if matte is not None:
        product = cv2.inRange(matte, 0.5, np.inf)
    side_px = max(_SMALLEST_PATCH_PX, round(_PATCH_PX_AT_2000 * scale))
    patches = _patches(image, product, matte, outside_px, rim_px + 2 * inside_px, side_px)
    starts = np.cumsum([0, outside_px + rim_px, inside_px, inside_px]).tolist()
    layers = [patches.between(start, stop) for start, stop in pairwise(starts)]
    told = np.min([layer.covered_px() for layer in layers], axis=0) >= _FEWEST_PX
    if np.count_nonzero(told) < _FEWEST_PATCHES:
        return None
    rim, inside, deeper = (layer.only(told) for layer in layers)

    inner, innermost = inside.unmixed(), deeper.unmixed()
    coverage = rim.coverage if matte is not None else _best_coverage(srgb_to_linear(rim.color), inner)
    continued = _over_white(inner, coverage)
    before = _over_white(innermost, coverage if matte is not None else _best_coverage(continued, innermost))
    seen, expected, natural = (
        srgb_to_lab(rim.mean(color)) for color in (rim.color, _encoded(continued), _encoded(before))
    )
    varied = float(np.median(ciede2000(expected, natural)))
    slope = expected - natural
    onward = ((seen - expected) * slope).sum(axis=1) / np.maximum(np.square(slope).sum(axis=1), _LEAST_CONTRAST)
    expected += np.clip(onward, 0, 1)[:, None] * slope
    common = _DILUTED * _geometric_median(seen - expected)
    return float(np.median(ciede2000(expected + common, expected))) / (1 + varied / _MASKING)


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
        slice(max(0, start - outside_px), start + length + outside_px)
        for start, length in ((top, height), (left, width))
    )
    shape = cv2.compare(np.ascontiguousarray(product[rows, cols]), 0, cv2.CMP_GT)
    within = cv2.distanceTransform(shape, cv2.DIST_L2, cv2.DIST_MASK_5)
    beyond = cv2.distanceTransform(cv2.bitwise_not(shape), cv2.DIST_L2, cv2.DIST_MASK_5)
    # The outline runs half a pixel from the pixels beside it.
    depth = np.floor(np.where(shape > 0, within - 0.5, 0.5 - beyond)) + outside_px
    layers = outside_px + depth_px
    row, col = np.nonzero((depth >= 0) & (depth < layers))
    if not row.size:
        return _Patches(*(np.zeros((0, layers, *last), np.float32) for last in ((), (1,), (3,))))
    _, patch = np.unique(row // side_px * (width + 2) + col // side_px, return_inverse=True)
    place = patch * layers + depth[row, col].astype(np.intp)
    size = (int(patch.max()) + 1) * layers

    def total(values: NDArray[np.generic] | None = None) -> Float:
        sums: Float = np.bincount(place, values, minlength=size).astype(np.float32).reshape(-1, layers)
        return sums

    counts = total()

    def mean(values: NDArray[np.generic]) -> Float:
        return (total(values) / np.maximum(counts, 1)).astype(np.float32)

    color = np.stack([mean(channel) for channel in image[rows, cols][row, col].T], axis=2) / np.float32(255)
    coverage = np.ones_like(counts) if matte is None else mean(matte[rows, cols][row, col])
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


def _geometric_median(points: Float) -> Float:
    """The point (3,) whose distances to all points (N, 3) add up to the least."""
    middle = np.median(points, axis=0)
    for _ in range(_STEPS):
        weight = 1 / np.maximum(np.linalg.norm(points - middle, axis=1), _SAME)
        middle = np.average(points, axis=0, weights=weight)
    return middle.astype(np.float32)


def _encoded(linear: Float) -> Float:
    """Linear light as sRGB in [0, 1]."""
    return (linear_to_srgb(linear) / 255).astype(np.float32)
