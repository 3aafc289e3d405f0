"""Product and background where a smooth colour field describes the background.

Background is what the frame's rim reaches without crossing an edge, through pixels that have the field's colour or
are its shadow. The reach is a small ball, not a point, so that it does not leak through a pinhole in an outline.
What it does not reach is product, even where product and background have the same colour.

References
----------
Zhang, Chen, Xie and Hu, "Vectorizing Cartoon Animations", TVCG 15(4), 2009: trapped-ball segmentation.
Cucchiara et al., "Detecting Moving Objects, Ghosts, and Shadows in Video Streams", PAMI 25(10), 2003: a cast shadow
keeps the background's chromaticity and scales its lightness.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.background import Background
from services.segmenter.superpixels import gradient_magnitude

_BALL = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_SQUARE = np.ones((3, 3), np.uint8)
_DARKEST_SHADOW = 0.5  # of the field's lightness
_BRIGHTEST_LIGHT = 1.2
_SHADOW_CHROMA_DELTA_E = 4.0
_STEEPEST_SHADING_NEUTRAL = 1.8  # ΔE76 per pixel at the working size
_STEEPEST_SHADING_COLORED = 6.0
_MIN_PIECE_SHARE = 0.0008  # of the frame
_MIN_HOLE_SHARE = 0.0004


@dataclass(frozen=True, slots=True)
class PlainSeparation:
    """Attributes, all bool (H, W):
    product: everything the background does not reach, without specks.
    certain: the part of it that no light or shadow on the backdrop could look like.
    background: reached from the rim.
    holes: background colour enclosed by product.
    """

    product: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    background: NDArray[np.bool_]
    holes: NDArray[np.bool_]


def separate_plain(lab: NDArray[np.float32], background: Background, outside: NDArray[np.bool_]) -> PlainSeparation:
    """Separate product from a plain background.

    Args:
        lab: CIELAB at the working size, float32 (H, W, 3).
        background: its description; `background.is_plain` must hold for the result to mean something.
        outside: bool (H, W), the rim.
    """
    height, width = lab.shape[:2]
    field = background.field(height, width)
    noise = background.noise
    residual = lab - field
    distance = np.linalg.norm(cv2.GaussianBlur(residual, (0, 0), 1.0), axis=2)
    gradient = gradient_magnitude(lab)
    smooth = gradient <= max(1.5 * noise, 1.2)
    near = max(3.5 * noise, 2.5)
    lit = _same_surface_other_light(lab, field, noise)

    # Shading has soft edges. On a coloured backdrop a product shows by its hue as well, so steeper ones may be shading.
    chroma = float(np.median(np.hypot(field[..., 1], field[..., 2])))
    steepest = float(np.interp(chroma, (4.0, 12.0), (_STEEPEST_SHADING_NEUTRAL, _STEEPEST_SHADING_COLORED)))
    passable = ((distance <= near) & smooth) | (lit & (gradient <= max(1.5 * noise, steepest)))
    reached = _reach(passable, outside & (distance <= 2 * near))

    strict = (distance <= max(2.5 * noise, 1.6)) & smooth & ~reached
    holes = _large_components(cv2.erode(strict.astype(np.uint8), _SQUARE) > 0, _MIN_HOLE_SHARE * height * width)
    holes = (cv2.dilate(holes.astype(np.uint8), _SQUARE) > 0) & strict

    rest = ~(reached | holes)
    evidence = rest & (distance > 2 * near) & ~(lit & (gradient < 2 * steepest))
    product = _supported(rest, evidence)
    return PlainSeparation(product, product & (distance > 2 * near) & ~lit, reached, holes)


def _same_surface_other_light(lab: NDArray[np.float32], field: NDArray[np.float32], noise: float) -> NDArray[np.bool_]:
    """Pixels that may be the backdrop in shadow or in a brighter patch of light."""
    ratio = lab[..., 0] / np.maximum(field[..., 0], 1.0)
    chroma = np.linalg.norm(lab[..., 1:] - field[..., 1:] * ratio[..., None], axis=2)
    in_range = (ratio > _DARKEST_SHADOW) & (ratio < _BRIGHTEST_LIGHT)
    return np.asarray(in_range & (chroma < max(3 * noise, _SHADOW_CHROMA_DELTA_E)))


def _reach(passable: NDArray[np.bool_], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What a ball of 5 px, rolling over passable pixels, covers when it sets out from `start`."""
    border = 3
    padded = np.pad(passable.astype(np.uint8), border, constant_values=1)
    centres = cv2.erode(padded, _BALL)[border:-border, border:-border]
    count, labels = cv2.connectedComponents(centres, connectivity=4)
    touched = np.zeros(count, np.bool_)
    touched[labels[start]] = True
    touched[0] = False
    return np.asarray((cv2.dilate(touched[labels].astype(np.uint8), _BALL) > 0) & passable)


def _large_components(mask: NDArray[np.bool_], min_px: float) -> NDArray[np.bool_]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= max(4.0, min_px)
    large[0] = False
    return np.asarray(large[labels])


def _supported(mask: NDArray[np.bool_], evidence: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Components that are no specks and hold pixels that differ clearly from the backdrop."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    clear = np.bincount(labels[evidence], minlength=count)
    kept = (clear >= np.maximum(3, 0.03 * area)) & (area >= max(4.0, _MIN_PIECE_SHARE * mask.size))
    kept[0] = False
    return np.asarray(kept[labels])
