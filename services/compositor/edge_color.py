"""The colour of a product's rim against the colour its inside leads one to expect, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import ciede2000, linear_to_srgb, srgb_to_lab, srgb_to_linear

# Width of the rim on a canvas of 2000 px; other sizes in proportion.
_RIM_PX_AT_2000 = 3.0
_SOLID_ALPHA = 0.95


@dataclass(frozen=True, slots=True)
class Rim:
    """Pixels of a product on white that should continue its inside.

    rows, cols: intp (N,), places in the image.
    observed, expected: float32 (N, 3) linear light, as the pixel is and as its inside over white would be.
    """

    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    observed: NDArray[np.float32]
    expected: NDArray[np.float32]


def halo_map(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """How far every pixel of the rim is from the colour its inside leads one to expect.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product but for its holes.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        float32 (H, W): ΔE00 on the rim, 0 elsewhere. The product's own variation of colour is in it: a textured product
        shows a few ΔE00 without any halo. Parts too thin to have an inside are 0.
    """
    heat = np.zeros(product.shape, np.float32)
    rim = rim_of(image, product, matte)
    if rim is not None:
        heat[rim.rows, rim.cols] = _difference(rim.observed, rim.expected)
    return heat


def rim_of(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> Rim | None:
    """Find the rim, and what its inside continued over white would look like.

    The rim are the product's partly covered pixels (without a matte: the outermost ones) and those within 3 px of them
    (on a canvas of 2000 px, else in proportion). The colour each should continue is the local mean at the nearest inner
    pixel. With a matte the expected pixel is that colour over white at the matte's coverage, mixed in linear light.
    Without one the coverage is unknown, so the best one is taken: what remains is the distance to every possible mix of
    the inner colour and white, which finds dark and coloured fringes, but not a pale one.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product but for its holes.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        None if the product is too thin or too small to have an inside, or has no rim (it fills the canvas).
    """
    rim_px = max(1, round(_RIM_PX_AT_2000 * max(image.shape[:2]) / 2000))
    left, top, width, height = cv2.boundingRect(product)
    rows = slice(max(0, top - 2), top + height + 2)
    cols = slice(max(0, left - 2), left + width + 2)
    crop, shape = np.ascontiguousarray(image[rows, cols]), np.ascontiguousarray(product[rows, cols])
    coverage_map = np.ascontiguousarray(matte[rows, cols]) if matte is not None else None
    solid = _erode(shape, 1) if coverage_map is None else cv2.inRange(coverage_map, _SOLID_ALPHA, np.inf)
    core = _erode(solid, rim_px)
    inner = _erode(core, rim_px)
    if not inner.any():
        return None

    distance, labels = cv2.distanceTransformWithLabels(
        cv2.bitwise_not(inner), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    reach_px = 3 * rim_px + 2
    # Thin parts and hair are far from any inside they could continue; what is deep in the product is no rim, however
    # little it covers: it is glass.
    deep = cv2.erode(shape, np.ones((2 * reach_px + 1,) * 2, np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=255)
    at = np.flatnonzero((shape > 0) & (core == 0) & (deep == 0) & (distance <= reach_px))
    if at.size == 0:
        return None

    inside = _nearest(labels, inner, at)
    inside_color = srgb_to_linear(_local_mean(crop, inner, 2 * rim_px + 1, inside))
    pixels = crop.reshape(-1, 3)
    observed = srgb_to_linear(pixels[at])
    coverage = coverage_map.ravel()[at] if coverage_map is not None else _best_coverage(observed, inside_color)

    row_of, col_of = np.divmod(at, crop.shape[1])
    return Rim(
        rows=row_of + rows.start,
        cols=col_of + cols.start,
        observed=observed,
        expected=_over_white(inside_color, coverage),
    )


def _difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """ΔE00 of two lists of colours in linear light: float32 (N, 3) each; float32 (N,)."""
    return ciede2000(srgb_to_lab(linear_to_srgb(one)), srgb_to_lab(linear_to_srgb(other)))


def _best_coverage(observed: NDArray[np.float32], color: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coverage (N,) at which a colour over white comes nearest to the observed one, in linear light."""
    towards = color - 1
    along = ((observed - 1) * towards).sum(axis=1) / np.maximum((towards**2).sum(axis=1), 1e-6)
    best: NDArray[np.float32] = np.clip(along, 0, 1)
    return best


def _over_white(color: NDArray[np.float32], coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (N, 3) in linear light over white at a coverage (N,)."""
    return coverage[:, None] * (color - 1) + 1


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
