"""The product's outline to a fraction of a pixel, and how the image changes across it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# Points of a stretch of outline: long enough to hold a few steps of a coarse matte, short enough to be nearly straight.
STRETCH = 64
# More stretches than this say nothing new.
_MOST_STRETCHES = 160
# Samples across the outline, px inwards.
_OFFSETS_PX = np.arange(-9, 12, dtype=np.float32)
_INSIDE = _OFFSETS_PX >= 7
_OUTSIDE = _OFFSETS_PX <= -7
# The direction across is that of the outline smoothed over this many pixels.
_SMOOTH_PX = 17
# Inside and white differ by this many levels at least (root mean square of the channels).
_LEAST_CONTRAST = 28.0
# Coverage that the white beside the product may show, and by how much the inside may vary.
_STRAY, _VARIED = 0.06, 0.3
# This far behind the outline a solid product covers this much.
_BEHIND_PX, _SOLID_ALPHA = 8, 0.9
# Points of a stretch of which the crossing is found, and how far its direction may turn (cosine).
_FOUND, _LEAST_COSINE = 0.9, 0.75


@dataclass(frozen=True, slots=True)
class Outline:
    """Stretches of the outline along which a plain inside meets white. N stretches of 64 points, K samples across each.

    crossing: float32 (N, 64, 2), (row, col) of the places where half is covered, to a fraction of a pixel.
    normal: float32 (N, 64, 2), unit vectors inwards, across the smoothed outline.
    coverage: float32 (N, K), mean share of the inside's colour at `offsets_px` inwards of the crossing.
    offsets_px: float32 (K,).
    """

    crossing: NDArray[np.float32]
    normal: NDArray[np.float32]
    coverage: NDArray[np.float32]
    offsets_px: NDArray[np.float32]


def outline_of(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> Outline:
    """Follow the product's outline.

    Stretches are left out where nothing can be told: along thin parts, hair and lace (the colours change again within
    a few pixels), around corners, where the product is nearly white, and where it is cut by the frame.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero where at least about half of the pixel is product.
        matte: float32 (H, W) in [0, 1], if known: then glass, which is thin behind its outline, is left out as well.

    Returns:
        The outline; without a stretch when there is none that can be told.
    """
    points = _stretches(product)
    if not len(points):
        return _nothing()
    left, top, width, height = cv2.boundingRect(product)
    rows, cols = slice(max(0, top - 20), top + height + 20), slice(max(0, left - 20), left + width + 20)
    if matte is not None:
        behind = np.rint(points + _BEHIND_PX * _normals(product, points)).astype(np.intp)
        points = points[(matte[behind[..., 0], behind[..., 1]] >= _SOLID_ALPHA).mean(axis=1) >= _FOUND]
        if not len(points):
            return _nothing()
    points -= (rows.start, cols.start)
    normal = _normals(np.ascontiguousarray(product[rows, cols]), points)
    samples = _across(np.ascontiguousarray(image[rows, cols]), points, normal)

    inside = cv2.blur(samples[:, :, _INSIDE].mean(axis=2), (1, 9)).reshape(*points.shape[:2], 1, 3)
    towards = inside - 255
    coverage = ((samples - 255) * towards).sum(axis=3) / np.maximum((towards**2).sum(axis=3), 1)
    first = np.argmax(coverage >= 0.5, axis=2)
    before = np.maximum(first - 1, 0)[..., None]
    low = np.take_along_axis(coverage, before, axis=2)[..., 0]
    high = np.take_along_axis(coverage, first[..., None], axis=2)[..., 0]
    offset = _OFFSETS_PX[before[..., 0]] + (0.5 - low) / np.maximum(high - low, 1e-3)
    depth = _OFFSETS_PX - offset[..., None]
    found = (
        (np.sqrt((towards**2).mean(axis=3))[..., 0] >= _LEAST_CONTRAST)
        & (first > 0)
        & (np.abs(coverage[:, :, _OUTSIDE]).max(axis=2) <= _STRAY)
        & ((np.abs(coverage - 1) * (depth >= 5)).max(axis=2) <= _VARIED)
    )
    middle = normal[:, STRETCH // 2, None]
    keep = (found.mean(axis=1) >= _FOUND) & ((normal * middle).sum(axis=2).min(axis=1) >= _LEAST_COSINE)
    if not keep.any():
        return _nothing()
    points, normal, coverage, found, offset = (array[keep] for array in (points, normal, coverage, found, offset))
    index = np.arange(found.size, dtype=np.float32)
    offset = np.interp(index, index[found.ravel()], offset[found]).reshape(found.shape).astype(np.float32)
    crossing = points + offset[..., None] * normal + np.array([rows.start, cols.start], np.float32)
    return Outline(crossing, normal, _aligned(coverage, offset, found), _OFFSETS_PX[3:-3])


def _nothing() -> Outline:
    empty = np.zeros((0, STRETCH, 2), np.float32)
    offsets = _OFFSETS_PX[3:-3]
    return Outline(empty, empty, np.zeros((0, offsets.size), np.float32), offsets)


def _stretches(product: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Runs of 64 neighbouring points of the pixel outline, off the frame: float32 (N, 64, 2) of (row, col)."""
    contours, _ = cv2.findContours(product, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    runs = [
        contour[: len(contour) // STRETCH * STRETCH, 0, ::-1].reshape(-1, STRETCH, 2)
        for contour in contours
        if len(contour) >= STRETCH
    ]
    if not runs:
        return np.zeros((0, STRETCH, 2), np.float32)
    points: NDArray[np.float32] = np.concatenate(runs).astype(np.float32)
    reach = -_OFFSETS_PX[0] + 1
    far = np.array(product.shape, np.float32) - 1 - reach
    points = points[((points >= reach) & (points <= far)).all(axis=(1, 2))]
    if len(points) > _MOST_STRETCHES:
        points = points[np.linspace(0, len(points) - 1, _MOST_STRETCHES).astype(np.intp)]
    return points


def _normals(product: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors inwards, across the outline smoothed by two box filters: float32 (N, 64, 2)."""
    box = (_SMOOTH_PX, _SMOOTH_PX)
    smooth = cv2.blur(cv2.blur(cv2.compare(product, 0, cv2.CMP_GT), box), box)
    rows, cols = points[..., 0].astype(np.intp), points[..., 1].astype(np.intp)
    height, width = product.shape
    step = 3

    def at(down: int, right: int) -> NDArray[np.float32]:
        values: NDArray[np.float32] = smooth[
            np.clip(rows + down, 0, height - 1), np.clip(cols + right, 0, width - 1)
        ].astype(np.float32)
        return values

    slope = np.stack([at(step, 0) - at(-step, 0), at(0, step) - at(0, -step)], axis=2)
    length = np.sqrt(np.square(slope).sum(axis=2, keepdims=True))
    normal: NDArray[np.float32] = slope / np.maximum(length, 1e-3)
    return normal


def _across(image: NDArray[np.uint8], points: NDArray[np.float32], normal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours along the normals: float32 (N, 64, K, 3), 0 to 255."""
    places = points[:, :, None] + _OFFSETS_PX[:, None] * normal[:, :, None]
    flat = places.reshape(-1, _OFFSETS_PX.size, 2)
    samples = cv2.remap(image, flat[..., 1], flat[..., 0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colors: NDArray[np.float32] = samples.reshape(*places.shape[:3], 3).astype(np.float32)
    return colors


def _aligned(
    coverage: NDArray[np.float32], offset: NDArray[np.float32], found: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Mean coverage across each stretch, all points moved so that they cross half at 0: float32 (N, K - 6)."""
    count = coverage.shape[2]
    at = np.arange(3, count - 3) + offset[..., None]
    whole = np.clip(np.floor(at).astype(np.intp), 0, count - 2)
    part = np.clip(at - whole, 0, 1)
    moved = (1 - part) * np.take_along_axis(coverage, whole, axis=2) + part * np.take_along_axis(
        coverage, whole + 1, axis=2
    )
    weight = found[..., None].astype(np.float32)
    mean: NDArray[np.float32] = (moved * weight).sum(axis=1) / weight.sum(axis=1)
    return mean
