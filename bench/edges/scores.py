"""Scores of an edge inside a trimap's unknown band, and of the white around a finished packshot.

References
----------
SAD, MSE, gradient and connectivity error: Rhemann et al., "A Perceptually Motivated Online Benchmark for Image
Matting", CVPR 2009, as the benchmark's evaluation code computes them: image gradients by first-order Gaussian
derivatives of sigma 1.4 px (kernels of unit energy); connectivity over alpha levels 0.1 apart, with theta 0.15, p 1 and
without the weight lambda, connected being what belongs to the largest part that both mattes have at a level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import ciede2000, linear_to_srgb, srgb_to_lab, srgb_to_linear

Image = NDArray[np.uint8]
Matte = NDArray[np.float32]
Mask = NDArray[np.bool_]

_GRADIENT_SIGMA_PX = 1.4
_GRADIENT_CUT_OFF = 1e-2
_CONNECTIVITY_STEP = 0.1
_CONNECTIVITY_THETA = 0.15
_JPEG_BLOCK_PX = 8


@dataclass(frozen=True, slots=True)
class EdgeErrors:
    """How far a matte is from the true one inside the band; 0 is best.

    sad, gradient, connectivity: sums over the band, in thousands.
    mse: mean squared difference, × 10³.
    """

    sad: float
    mse: float
    gradient: float
    connectivity: float


def edge_errors(matte: Matte, truth: Matte, band: Mask) -> EdgeErrors:
    """Compare a matte (H, W) in [0, 1] with the true one where `band` (H, W) is true; an empty band has no errors.

    Raises:
        ValueError: when the shapes differ.
    """
    if not matte.shape == truth.shape == band.shape:
        raise ValueError(f"matte is {matte.shape}, truth {truth.shape}, band {band.shape}; they must have one shape")
    off = (matte - truth)[band].astype(np.float64)
    return EdgeErrors(
        sad=float(np.abs(off).sum()) / 1e3,
        mse=float((off**2).mean()) * 1e3 if off.size else 0.0,
        gradient=gradient_error(matte, truth, band) / 1e3,
        connectivity=connectivity_error(matte, truth, band) / 1e3,
    )


def gradient_error(matte: Matte, truth: Matte, band: Mask) -> float:
    """Sum over the band of the squared difference of the two gradient magnitudes."""
    return float(((_gradient_magnitude(matte) - _gradient_magnitude(truth))[band] ** 2).sum())


def connectivity_error(matte: Matte, truth: Matte, band: Mask) -> float:
    """Sum over the band of the absolute difference of the two degrees of connectedness."""
    level = _connected_level(matte, truth)
    return float(np.abs(_connectedness(matte, level) - _connectedness(truth, level))[band].sum(dtype=np.float64))


def colour_difference(image: Image, truth: Image, band: Mask) -> NDArray[np.float32]:
    """CIEDE2000 of two sRGB images (H, W, 3): float32 (H, W), 0 outside of the band."""
    difference = np.zeros(band.shape, np.float32)
    if band.any():
        difference[band] = ciede2000(srgb_to_lab(image[band]), srgb_to_lab(truth[band]))
    return difference


def on_white_in_linear_light(cutout: Image) -> Image:
    """Lay a straight sRGB cutout (H, W, 4) on white as light adds up in a lens, and as our compositor draws it."""
    alpha = cutout[..., 3:].astype(np.float32) / np.float32(255)
    return linear_to_srgb(1 - alpha * (1 - srgb_to_linear(np.ascontiguousarray(cutout[..., :3]))))


def on_white_in_srgb(cutout: Image) -> Image:
    """Lay a straight sRGB cutout (H, W, 4) on white by mixing sRGB values, as viewers and other tools do it."""
    alpha = cutout[..., 3:].astype(np.float32) / np.float32(255)
    white: Image = np.rint(255 - alpha * (255 - cutout[..., :3].astype(np.float32))).astype(np.uint8)
    return white


def beyond_touched_blocks(product: Mask) -> Mask:
    """Pixels of JPEG's 8×8 blocks that hold no product (H, W) at all: there a packshot can be exactly white."""
    height, width = product.shape
    rows, cols = -(-height // _JPEG_BLOCK_PX), -(-width // _JPEG_BLOCK_PX)
    padded = np.zeros((rows * _JPEG_BLOCK_PX, cols * _JPEG_BLOCK_PX), np.bool_)
    padded[:height, :width] = product
    touched = padded.reshape(rows, _JPEG_BLOCK_PX, cols, _JPEG_BLOCK_PX).any(axis=(1, 3))
    beyond = ~touched.repeat(_JPEG_BLOCK_PX, axis=0).repeat(_JPEG_BLOCK_PX, axis=1)
    return np.asarray(beyond[:height, :width])


def _gradient_magnitude(matte: Matte) -> NDArray[np.float64]:
    smooth, derivative = _gradient_kernels()
    exact = matte.astype(np.float64)
    by_col = cv2.sepFilter2D(exact, cv2.CV_64F, derivative, smooth, borderType=cv2.BORDER_REPLICATE)
    by_row = cv2.sepFilter2D(exact, cv2.CV_64F, smooth, derivative, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.hypot(by_col, by_row))


def _gradient_kernels() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A Gaussian and its derivative, scaled so that the squares of their outer product sum up to 1."""
    sigma = _GRADIENT_SIGMA_PX
    radius = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * _GRADIENT_CUT_OFF)))
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * sigma**2))
    derivative = -x * smooth
    return smooth / np.linalg.norm(smooth), derivative / np.linalg.norm(derivative)


def _connected_level(matte: Matte, truth: Matte) -> Matte:
    """The highest level at which each pixel still belongs to the largest part that both mattes have: 0 to 1."""
    level = np.full(matte.shape, -1, np.float32)
    levels = np.arange(0, 1 + _CONNECTIVITY_STEP / 2, _CONNECTIVITY_STEP)
    both = np.minimum(matte, truth)
    for below, here in pairwise(levels):
        level[(level < 0) & ~_largest_part(both >= np.float32(here))] = below
    level[level < 0] = 1
    return level


def _largest_part(mask: Mask) -> Mask:
    """The largest 4-connected part of a mask (H, W); the empty mask where there is none."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    if count == 1:
        return mask
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))


def _connectedness(matte: Matte, level: Matte) -> Matte:
    beyond = matte - level
    return np.asarray(1 - np.where(beyond >= _CONNECTIVITY_THETA, beyond, 0), np.float32)
