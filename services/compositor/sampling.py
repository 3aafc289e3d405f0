"""Alpha of single pixels from sampled product and background colours.

Every unknown pixel is explained as a mixture of a product colour and a background colour taken from the known pixels
nearest to it: several of each, all pairs tried, and the pairs that explain the pixel averaged by how well they do.
Mixing happens in linear light, where a lens mixes.

References:
    Gastal, Oliveira, "Shared Sampling for Real-Time Alpha Matting", Computer Graphics Forum 29(2), 2010.
    Chuang, Curless, Salesin, Szeliski, "A Bayesian Approach to Digital Matting", CVPR 2001 (the matte as a prior).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear
from services.compositor.band import Band, Index

Float = NDArray[np.float32]

# Samples besides the nearest known pixel: one further into the known side, and the nearest to places along the edge, in
# units of the distance to the known side so that samples spread as wide as the band.
_DEPTH_PX = 4.0
_ALONG = (-1.0, 1.0)
_ALONG_MIN_PX = 4.0
_CHUNK = 1 << 14
_BAD_FIT = 12.0  # cost of a pair that explains nothing, in units of variance


@dataclass(frozen=True, slots=True)
class NearestPixels:
    """For every pixel of an (H, W) picture the nearest pixel of one side.

    distance: (H, W) float32, px.
    """

    distance: Float
    _labels: NDArray[np.int32]
    _position_of_label: Index

    @classmethod
    def of(cls, side: NDArray[np.bool_]) -> NearestPixels:
        """To the pixels where `side` (H, W) holds, which must be somewhere."""
        distance, labels = cv2.distanceTransformWithLabels(
            (~side).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        positions = np.flatnonzero(side)
        position_of_label = np.zeros(len(positions) + 1, np.intp)
        position_of_label[np.take(labels, positions)] = positions
        return cls(distance, labels, position_of_label)

    def at(self, index: Index) -> Index:
        """Flat positions of the pixels nearest to those at flat positions `index`."""
        return np.take(self._position_of_label, np.take(self._labels, index))


def sample_colours(image: NDArray[np.uint8], side: NDArray[np.bool_], band: Band) -> Float:
    """Colours of known pixels of one side for every pixel of the band.

    Args:
        image: (H, W, 3) uint8 sRGB.
        side: (H, W) bool, where colours may be taken from; not empty.
        band: N pixels.

    Returns:
        (K, N, 3) float32, linear light.
    """
    nearest = NearestPixels.of(side)
    here = band.index
    first = nearest.at(here)
    reach = np.take(nearest.distance, here)
    row, col = np.divmod(first, band.shape[1])
    towards = np.maximum(reach, np.float32(1))
    step_row = np.float32(row - band.rows) / towards
    step_col = np.float32(col - band.cols) / towards

    deeper = band.shifted(step_row * (reach + np.float32(_DEPTH_PX)), step_col * (reach + np.float32(_DEPTH_PX)))
    samples = [first, np.where(np.take(side, deeper), deeper, first)]
    stride = np.maximum(reach, np.float32(_ALONG_MIN_PX))
    for along in _ALONG:
        beside = band.shifted(-step_col * stride * np.float32(along), step_row * stride * np.float32(along))
        samples.append(nearest.at(beside))
    return srgb_to_linear(np.take(image.reshape(-1, 3), np.stack(samples), axis=0))


def unmix(
    colour: Float, products: Float, backgrounds: Float, noise: Float, prior: Float, prior_sd: Float
) -> tuple[Float, Float]:
    """Alpha of N pixels given sampled colours and what the matte said before.

    Args:
        colour: (N, 3) linear light.
        products, backgrounds: (K, N, 3) and (L, N, 3) linear light.
        noise: (N,) standard deviation of a channel in linear light.
        prior, prior_sd: (N,) alpha known before and how far it may be off.

    Returns:
        (alpha, variance), float32 (N,): what the colours say. The prior only chooses between explanations; weighing the
        result against the prior itself is left to the caller.
    """
    alpha, variance = np.empty(len(colour), np.float32), np.empty(len(colour), np.float32)
    for start in range(0, len(colour), _CHUNK):
        part = slice(start, start + _CHUNK)
        alpha[part], variance[part] = _unmix_chunk(
            colour[part], products[:, part], backgrounds[:, part], noise[part], prior[part], prior_sd[part]
        )
    return alpha, variance


def _unmix_chunk(
    colour: Float, products: Float, backgrounds: Float, noise: Float, prior: Float, prior_sd: Float
) -> tuple[Float, Float]:
    # Everything relative to the pixel's own colour keeps single precision good; then only dot products are needed.
    products, backgrounds = products - colour, backgrounds - colour
    product_norm = np.einsum("knc,knc->kn", products, products)
    background_norm = np.einsum("knc,knc->kn", backgrounds, backgrounds)
    noise_var = noise * noise
    per_noise = 0.5 / noise_var
    per_prior = 0.5 / (prior_sd * prior_sd)

    total = np.full(len(colour), 1e-12, np.float32)
    mean, square, unsure = np.zeros_like(total), np.zeros_like(total), np.zeros_like(total)
    best = np.full(len(colour), np.inf, np.float32)
    for product, product_sq in zip(products, product_norm, strict=True):
        for background, background_sq in zip(backgrounds, background_norm, strict=True):
            dot = np.einsum("nc,nc->n", product, background)
            gap = product_sq + background_sq - 2 * dot + 1e-7
            alpha = np.clip((background_sq - dot) / gap, 0, 1)
            misfit = np.maximum(background_sq - alpha * (2 * (background_sq - dot) - alpha * gap), 0)
            cost = misfit * per_noise
            np.minimum(best, cost, out=best)
            weight = np.exp(-np.minimum(cost + (alpha - prior) ** 2 * per_prior, 60))
            total += weight
            mean += weight * alpha
            square += weight * alpha * alpha
            unsure += weight * noise_var / gap
    mean /= total
    spread = np.maximum(square / total - mean * mean, 0)
    variance = unsure / total + spread + 1e-4 + np.minimum(best / _BAD_FIT, 1) * 0.25
    return mean, variance
