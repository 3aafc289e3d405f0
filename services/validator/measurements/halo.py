"""Halo: colour of the old background left on the product's rim."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import ciede2000, srgb_to_lab, srgb_to_linear
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
    (on a canvas of 2000 px, else in proportion). The colour each should continue is the local
    mean of the nearest inner pixels. With a matte the expected pixel is that colour over white at the matte's coverage,
    mixed in linear light. Without one the coverage is unknown, so the best one is taken: what remains is the distance
    to every possible mix of the inner colour and white, which finds dark and coloured fringes, but not a pale one.

    A product whose own colour changes at its rim (a printed outline, a rounded edge in shade) has a few ΔE00 of
    its own.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        Mean ΔE00, or None if the product is too thin or too small to have an inside.
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
    on_rim = (shape > 0) & (core == 0) & (distance <= 3 * rim_px + 2)
    if np.count_nonzero(on_rim) < _FEWEST_RIM_PX:
        return None

    inside_color = _local_mean(crop, inner, 2 * rim_px + 1, _nearest(labels, inner, on_rim))
    observed = crop[on_rim]
    inside_linear, observed_linear = srgb_to_linear(inside_color), srgb_to_linear(observed)
    if matte is not None:
        coverage = matte[window][on_rim]
    else:
        towards = inside_linear - 1
        along = ((observed_linear - 1) * towards).sum(axis=1)
        coverage = np.clip(along / np.maximum((towards**2).sum(axis=1), 1e-6), 0, 1)
    expected = _to_srgb(coverage[:, None] * inside_linear + 1 - coverage[:, None])
    return float(ciede2000(srgb_to_lab(observed), srgb_to_lab(expected)).mean())


def _erode(mask: NDArray[np.uint8], by_px: int) -> NDArray[np.uint8]:
    """Shrink a mask; beyond the canvas there is no outline, so a product cut by the frame has no rim there."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    shrunk: NDArray[np.uint8] = cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=255)
    return shrunk


def _nearest(labels: NDArray[np.int32], inner: NDArray[np.uint8], wanted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Flat index of the nearest inner pixel for each wanted one."""
    at = np.flatnonzero(inner)
    index_of_label = np.zeros(int(labels.max()) + 1, np.intp)
    index_of_label[labels.ravel()[at]] = at
    return index_of_label[labels[wanted]]


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


def _to_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light to sRGB, both in [0, 1]."""
    encoded: NDArray[np.float32] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    )
    return encoded.astype(np.float32)
