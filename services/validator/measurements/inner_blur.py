"""How blurred the product's own edges are, away from its outline."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Tiles are chosen in a view this many times smaller, and looked at as they are.
_VIEW = 4
_TILE = 48
_MOST_TILES = 6
# The outline is left out: on white it is as sharp as the cutting, not as the photo.
_OUTLINE_PX = 8
_REBLUR_SIGMA_PX = 1.5
_CANNY_LOW, _CANNY_HIGH = 40, 80
_FEWEST_EDGE_PX = 60
_QUANTILE = 0.25


def inner_blur(image: NDArray[np.uint8], surface: NDArray[np.uint8]) -> float | None:
    """Blur of the sharper edges inside the product, in px of the image (standard deviation of a Gaussian).

    In the six tiles of 192 px with most contrast, edges are blurred again by 1.5 px; how much their gradient falls
    tells how blurred they were. The lower quartile is taken, the parts in focus. A perfect step gives about 0.8:
    pixels blur, too.

    Args:
        image: uint8 (H, W, 3) RGB.
        surface: uint8 (H, W), non-zero on the product but for its holes.

    Returns:
        The blur, or None if there are fewer than 60 edge pixels: the surface is plain.

    References:
        Zhuo and Sim, "Defocus map estimation from a single image", Pattern Recognition 44(9), 2011.
    """
    left, top, width, height = cv2.boundingRect(surface)
    box = (slice(top, top + height), slice(left, left + width))
    grey = cv2.cvtColor(np.ascontiguousarray(image[box]), cv2.COLOR_RGB2GRAY) if width else image[box][..., 0]
    size = (width // _VIEW, height // _VIEW)
    if min(size) < 1:
        return None
    inside = cv2.resize(np.ascontiguousarray(surface[box]), size, interpolation=cv2.INTER_NEAREST)
    depth = _OUTLINE_PX // _VIEW
    inside = cv2.erode(
        inside, np.ones((2 * depth + 1, 2 * depth + 1), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    view = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    found = [_blurs(grey, inside, row, col) for row, col in _tiles(view, inside)]
    if sum(blurs.size for blurs in found) < _FEWEST_EDGE_PX:
        return None
    return float(np.quantile(np.concatenate(found), _QUANTILE))


def _tiles(view: NDArray[np.uint8], inside: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """(row, col) in the view of the tiles with most contrast inside the product."""
    slope = cv2.magnitude(cv2.Sobel(view, cv2.CV_32F, 1, 0), cv2.Sobel(view, cv2.CV_32F, 0, 1))
    slope[inside == 0] = 0
    rows, cols = -(-view.shape[0] // _TILE), -(-view.shape[1] // _TILE)
    padded = np.zeros((rows * _TILE, cols * _TILE), np.float32)
    # One glaring edge shall not outdo a tile full of print.
    padded[: view.shape[0], : view.shape[1]] = np.minimum(slope, 200)
    contrast = padded.reshape(rows, _TILE, cols, _TILE).sum(axis=(1, 3)).ravel()
    best = np.argsort(contrast)[::-1][:_MOST_TILES]
    return [(int(index) // cols * _TILE, int(index) % cols * _TILE) for index in best if contrast[index] > 0]


def _blurs(grey: NDArray[np.uint8], inside: NDArray[np.uint8], row: int, col: int) -> NDArray[np.float32]:
    """Blur of every edge pixel of a tile, px."""
    within = inside[row : row + _TILE, col : col + _TILE]
    tile = grey[row * _VIEW : (row + within.shape[0]) * _VIEW, col * _VIEW : (col + within.shape[1]) * _VIEW]
    tile = np.ascontiguousarray(tile)
    reblurred = cv2.GaussianBlur(tile, (0, 0), _REBLUR_SIGMA_PX)
    edge = cv2.Canny(reblurred, _CANNY_LOW, _CANNY_HIGH, L2gradient=True)
    mask = cv2.resize(within, tile.shape[::-1], interpolation=cv2.INTER_NEAREST)
    on_edge = cv2.bitwise_and(edge, mask) > 0
    # The crest of a sharp edge may lie a pixel beside that of its blurred copy.
    before = cv2.dilate(_gradient(tile), np.ones((3, 3), np.uint8))[on_edge]
    after = _gradient(reblurred)[on_edge]
    kept = np.minimum(np.square(after / np.maximum(before, 1e-6)), 0.99)
    blurs: NDArray[np.float32] = _REBLUR_SIGMA_PX * np.sqrt(kept / (1 - kept))
    return blurs


def _gradient(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient magnitude by central differences, levels per pixel: float32 (H, W)."""
    down = cv2.filter2D(grey, cv2.CV_32F, np.array([[-0.5], [0], [0.5]], np.float32))
    right = cv2.filter2D(grey, cv2.CV_32F, np.array([[-0.5, 0, 0.5]], np.float32))
    magnitude: NDArray[np.float32] = cv2.magnitude(right, down)
    return magnitude
