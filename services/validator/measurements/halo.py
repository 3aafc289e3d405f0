"""Halo: colour of the old background left on the product's rim."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import ciede2000, linear_to_srgb, srgb_to_lab, srgb_to_linear
from services.validator.measurements.fill import bounding_box

# Width of the rim on a canvas of 2000 px; other sizes in proportion.
_RIM_PX_AT_2000 = 3.0
_SOLID_ALPHA = 0.95
_FEWEST_RIM_PX = 30


def halo(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> float | None:
    """Mean CIEDE2000 between the rim as it is and as its inside continued over white would look.

    The rim are the product's partly covered pixels (without a matte: the outermost ones) and those within 3 px of them
    (on a canvas of 2000 px, else in proportion). The colour each should continue is the local mean at the nearest inner
    pixel. With a matte the expected pixel is that colour over white at the matte's coverage, mixed in linear light.
    Without one the coverage is unknown, so the best one is taken: what remains is the distance to every possible mix of
    the inner colour and white, which finds dark and coloured fringes, but not a pale one.

    Products vary in colour without any halo, so the same difference is taken between the inside and a pixel as much
    deeper as the rim is further out, laid over white in the same way, and its mean is subtracted.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product but for its holes.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        Mean ΔE00, at least 0, or None if the product is too thin or too small to have an inside.
    """
    rim_px = max(1, round(_RIM_PX_AT_2000 * max(image.shape[:2]) / 2000))
    window = bounding_box(product).crop(product, margin_px=2)
    crop, shape = np.ascontiguousarray(image[window]), np.ascontiguousarray(product[window])
    if matte is None:
        solid = _erode(shape, 1)
    else:
        solid = cv2.compare(np.ascontiguousarray(matte[window]), _SOLID_ALPHA, cv2.CMP_GE)
    core = _erode(solid, rim_px)
    inner = _erode(core, rim_px)
    if not inner.any():
        return None

    distance, labels = cv2.distanceTransformWithLabels(
        cv2.bitwise_not(inner), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Thin parts and hair are far from any inside they could continue.
    rim = np.flatnonzero((shape > 0) & (core == 0) & (distance <= 3 * rim_px + 2))
    if rim.size < _FEWEST_RIM_PX:
        return None

    inside = _nearest(labels, inner, rim)
    inside_color = srgb_to_linear(_local_mean(crop, inner, 2 * rim_px + 1, inside))
    pixels = crop.reshape(-1, 3)
    observed = srgb_to_linear(pixels[rim])
    coverage = matte[window].ravel()[rim] if matte is not None else _best_coverage(observed, inside_color)
    at_rim = _difference(observed, _over_white(inside_color, coverage))

    deeper, is_inner = _mirrored(rim, inside, inner)
    inside_color, coverage = inside_color[is_inner], coverage[is_inner]
    varied = _over_white(srgb_to_linear(pixels[deeper[is_inner]]), coverage)
    if matte is None:
        coverage = _best_coverage(varied, inside_color)
    natural = _difference(varied, _over_white(inside_color, coverage)) if is_inner.any() else 0.0
    return max(0.0, at_rim - natural)


def _difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean ΔE00 of two lists of colours in linear light: float32 (N, 3) each."""
    return float(ciede2000(srgb_to_lab(linear_to_srgb(one)), srgb_to_lab(linear_to_srgb(other))).mean())


def _over_white(color: NDArray[np.float32], coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (N, 3) in linear light over white at a coverage (N,)."""
    return coverage[:, None] * (color - 1) + 1


def _best_coverage(observed: NDArray[np.float32], color: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coverage (N,) at which a colour over white comes nearest to the observed one, in linear light."""
    towards = color - 1
    along = ((observed - 1) * towards).sum(axis=1) / np.maximum((towards**2).sum(axis=1), 1e-6)
    best: NDArray[np.float32] = np.clip(along, 0, 1)
    return best


def _mirrored(
    rim: NDArray[np.intp], inside: NDArray[np.intp], inner: NDArray[np.uint8]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The pixel as far beyond the inner one as that is from the rim, and whether it is an inner pixel; flat indices."""
    height, width = inner.shape
    rows = np.clip(2 * (inside // width) - rim // width, 0, height - 1)
    cols = np.clip(2 * (inside % width) - rim % width, 0, width - 1)
    deeper = rows * width + cols
    return deeper, inner.ravel()[deeper] > 0


def _erode(mask: NDArray[np.uint8], by_px: int) -> NDArray[np.uint8]:
    """Shrink a mask; beyond the canvas there is no outline, so a product cut by the frame has no rim there."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    shrunk: NDArray[np.uint8] = cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=255)
    return shrunk


def _nearest(labels: NDArray[np.int32], inner: NDArray[np.uint8], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Flat index of the inner pixel nearest to each wanted one."""
    at = np.flatnonzero(inner)
    index_of_label = np.zeros(int(labels.max()) + 1, np.intp)
    index_of_label[labels.ravel()[at]] = at
    return index_of_label[labels.ravel()[wanted]]


def _local_mean(
    image: NDArray[np.uint8], inner: NDArray[np.uint8], side_px: int, at: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Mean colour in [0, 1] of the inner pixels in the square around each position: float32 (N, 3)."""
    box = (side_px, side_px)
    kept = cv2.bitwise_and(image, image, mask=inner)
    sums = cv2.boxFilter(kept, cv2.CV_32F, box, normalize=False, borderType=cv2.BORDER_CONSTANT)
    counts = cv2.boxFilter(inner, cv2.CV_32F, box, normalize=False, borderType=cv2.BORDER_CONSTANT)
    # `inner` is 0 or 255, so the counts are already 255 times as large, as the colours are.
    mean: NDArray[np.float32] = sums.reshape(-1, 3)[at] / np.maximum(counts.ravel()[at], 255)[:, None]
    return np.minimum(mean, 1)
