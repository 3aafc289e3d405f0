"""Alpha of single pixels from sampled product and background colours.

Every unknown pixel is explained as a mixture of a product colour and a background colour taken from the known pixels
nearest to it: several of each, all pairs tried, and the pairs that explain the pixel averaged by how well they do.
Mixing happens in linear light, where a lens mixes.

References:
    Gastal, Oliveira, "Shared Sampling for Real-Time Alpha Matting", Computer Graphics Forum 29(2), 2010.
    Chuang, Curless, Salesin, Szeliski, "A Bayesian Approach to Digital Matting", CVPR 2001 (the matte as a prior).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear
from services.compositor.band import Band, Index

Float = NDArray[np.float32]

# Steps from the nearest known pixel: on into the known side, and from the unknown pixel along the edge, the latter in
# units of the distance to the known side so that samples spread as wide as the band.
_DEPTHS_PX = (2.0, 6.0)
_ALONG = (-1.0, 1.0, 2.0)
_ALONG_MIN_PX = 4.0
_CHUNK = 1 << 14
_BAD_FIT = 12.0  # cost of a pair that explains nothing, in units of variance


def nearest_pixels(side: NDArray[np.bool_]) -> tuple[Float, NDArray[np.int32]]:
    """For every pixel the nearest pixel where `side` holds, which must be somewhere.

    Returns:
        (distance, index): float32 (H, W) in px, and int32 (H, W), the flat position of that pixel.
    """
    distance, labels = cv2.distanceTransformWithLabels(
        (~side).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    positions = np.flatnonzero(side)
    of_label = np.zeros(int(labels.max()) + 1, np.int32)
    of_label[labels.ravel()[positions]] = positions
    return distance, of_label[labels]


def sample_colours(image: NDArray[np.uint8], side: NDArray[np.bool_], band: Band) -> Float:
    """Colours of known pixels of one side for every pixel of the band.

    Args:
        image: (H, W, 3) uint8 sRGB.
        side: (H, W) bool, where colours may be taken from; not empty.
        band: N pixels.

    Returns:
        (K, N, 3) float32, linear light.
    """
    distance, nearest = nearest_pixels(side)
    here = band.index
    first: Index = nearest.ravel()[here].astype(np.intp)
    reach = distance.ravel()[here]
    row, col = np.divmod(first, band.shape[1])
    towards = np.maximum(reach, np.float32(1))
    step_row = np.float32(row - band.rows) / towards
    step_col = np.float32(col - band.cols) / towards

    flat_side = side.ravel()
    samples = [first]
    for depth in _DEPTHS_PX:
        deeper = band.shifted(step_row * (reach + depth), step_col * (reach + depth))
        samples.append(np.where(flat_side[deeper], deeper, first))
    stride = np.maximum(reach, np.float32(_ALONG_MIN_PX))
    for along in _ALONG:
        beside = band.shifted(-step_col * stride * np.float32(along), step_row * stride * np.float32(along))
        samples.append(nearest.ravel()[beside].astype(np.intp))
    return srgb_to_linear(image.reshape(-1, 3)[np.stack(samples)])


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
