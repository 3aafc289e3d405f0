"""Which pixels are product and which are background.

With a matte the answer is the matte's. Without one it has to be read off the finished image, which can only be done
where the background is light; both definitions stand here, because purity, fill and the rest depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.validator.measurements.border import Border

# Coverage from which on a pixel belongs to the product.
PRODUCT_ALPHA = 0.05
# Coverage from which on it counts for the product's extent, so that wisps of hair do not; as when it is laid out.
SOLID_ALPHA = 0.5
# A pixel is near-white when no channel is below this; JPEG ringing on white rarely goes deeper.
NEAR_WHITE = 248
# Light shading (soft shadow, grey sweep) is neutral, at least this light, and changes slowly.
_SHADE_FROM = 180
_SHADE_CHROMA = 14
_SHADE_SLOPE = 2.5
_SHADE_SIDE_PX = 640
# A shade opens onto the white around it along at least this share of its outline; else it is a white product's inside.
_SHADE_OPEN_SHARE = 0.25
# Parts of the product smaller than this share of the canvas are specks: dirt on the background.
_SPECK_SHARE = 1e-4
# Without that much background reaching the frame, product and background cannot be told apart.
_LEAST_BACKGROUND = 0.01


@dataclass(frozen=True, slots=True)
class Regions:
    """uint8 (H, W) masks, 255 inside and 0 outside.

    product and background share no pixel and cover the canvas. surface is the product without what may be
    a hole in it.
    """

    product: NDArray[np.uint8]
    background: NDArray[np.uint8]
    surface: NDArray[np.uint8]


def regions_of_matte(matte: NDArray[np.float32]) -> Regions:
    """Product is where the matte covers at least 5 % of a pixel, everything else is background.

    Holes of the product count as background.

    Args:
        matte: float32 (H, W) in [0, 1].
    """
    product = cv2.inRange(matte, PRODUCT_ALPHA, np.inf)
    return Regions(product, cv2.bitwise_not(product), product)


def regions_of_image(image: NDArray[np.uint8], border: Border) -> Regions | None:
    """Find a light background from the finished pixels alone.

    A pixel can be background if it is near-white (no channel below 248), or if it is light, neutral and part of a
    smooth slope (a soft shadow, a grey sweep, an off-white backdrop; judged on a copy of 640 px, so that grain and
    ringing do not count as slope). Background is every such pixel connected to the frame, plus the specks too small to
    be product, plus whatever lies between the frame and a drawn border. The rest is product, including light areas
    enclosed by it: whether such an area is a hole or a white part cannot be seen without a matte.

    White on white is where this errs: a white product whose outline is no sharper than a shadow's reads as shading.

    Args:
        image: uint8 (H, W, 3) RGB.
        border: what `find_border` found in it.

    Returns:
        The regions, or None if no light background reaches the frame.
    """
    height, width = image.shape[:2]
    near_white = cv2.inRange(image, (NEAR_WHITE, NEAR_WHITE, NEAR_WHITE), (255, 255, 255))
    open_to_frame = cv2.bitwise_or(near_white, _smooth_shading(image))
    top, left, bottom, right = border.inset
    outside = np.zeros((height, width), np.uint8)
    outside[:top], outside[height - bottom :], outside[:, :left], outside[:, width - right :] = 255, 255, 255, 255
    cv2.bitwise_or(open_to_frame, outside, dst=open_to_frame)

    reached = connected_to_frame(open_to_frame)
    background_px = cv2.countNonZero(reached) - cv2.countNonZero(outside)
    if background_px < _LEAST_BACKGROUND * height * width:
        return None

    product = _without_specks(cv2.bitwise_not(reached), max(3.0, _SPECK_SHARE * height * width))
    surface = cv2.bitwise_and(product, cv2.bitwise_not(near_white))
    return Regions(product, cv2.bitwise_not(product), surface)


def frame_ring(height: int, width: int) -> NDArray[np.uint8]:
    """The outermost 1 % of the canvas (at least one pixel) on every side: uint8 (H, W), 255 on the ring."""
    depth = max(1, round(0.01 * max(height, width)))
    ring = np.full((height, width), 255, np.uint8)
    ring[depth : height - depth, depth : width - depth] = 0
    return ring


def _smooth_shading(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Light, neutral, slowly changing areas: uint8 (H, W), 255 inside."""
    height, width = image.shape[:2]
    scale = min(1.0, _SHADE_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.blur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (3, 3))
    red, green, blue = cv2.split(small)
    darkest = cv2.min(cv2.min(red, green), blue)
    chroma = cv2.subtract(cv2.max(cv2.max(red, green), blue), darkest)
    slope = cv2.magnitude(
        cv2.Sobel(darkest, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(darkest, cv2.CV_32F, 0, 1, scale=1 / 8)
    )
    shading = cv2.compare(slope, _SHADE_SLOPE, cv2.CMP_LE)
    shading[(darkest < _SHADE_FROM) | (chroma > _SHADE_CHROMA)] = 0
    # Narrow gaps in an outline are not a way into a white product.
    square = np.ones((5, 5), np.uint8)
    shading = cv2.dilate(cv2.erode(shading, square), square)
    white = cv2.compare(darkest, NEAR_WHITE, cv2.CMP_GE)
    shading = _open_shades(cv2.bitwise_and(shading, cv2.bitwise_not(white)), connected_to_frame(white))
    enlarged: NDArray[np.uint8] = cv2.resize(shading, (width, height), interpolation=cv2.INTER_NEAREST)
    return enlarged


def _open_shades(shading: NDArray[np.uint8], white: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The parts of the shading that fade into the white around them: uint8 (H, W), 255 inside.

    The inside of a white product is as light and smooth as a soft shadow, but its outline is a step nearly all around.
    """
    pad = 2
    count, labels = cv2.connectedComponents(
        cv2.copyMakeBorder(shading, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    )
    white = cv2.copyMakeBorder(white, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=255)
    grown = cv2.dilate(labels.astype(np.float32), np.ones((5, 5), np.uint8)).astype(np.int32)
    grown[labels > 0] = 0
    outline = np.bincount(grown.ravel(), minlength=count)
    onto_white = np.bincount(grown[white > 0], minlength=count)
    keep = np.where(onto_white >= _SHADE_OPEN_SHARE * outline, 255, 0).astype(np.uint8)
    keep[0] = 0
    kept: NDArray[np.uint8] = keep[labels[pad:-pad, pad:-pad]]
    return kept


def connected_to_frame(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The 4-connected parts of a mask that reach its edge: uint8 (H, W), 255 inside."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    cv2.floodFill(padded, None, (0, 0), 128, flags=4)
    reached: NDArray[np.uint8] = cv2.inRange(padded[1:-1, 1:-1], 128, 128)
    return reached


def _without_specks(product: NDArray[np.uint8], smallest_px: float) -> NDArray[np.uint8]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(product, connectivity=8)
    keep = np.where(stats[:count, cv2.CC_STAT_AREA] >= smallest_px, 255, 0).astype(np.uint8)
    keep[0] = 0
    kept: NDArray[np.uint8] = np.take(keep, labels)
    return kept
