"""Matte refinement at full resolution, in the band where the matte is unsure and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear
from services.compositor.band import Band, window_of
from services.compositor.sampling import sample_colours, unmix
from services.compositor.tighten import tighten_matte
from services.compositor.trimap import BACKGROUND, PRODUCT, UNKNOWN, make_trimap

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Tuned on tests/helpers/composites.py scenes with bench/compose.py.
_NOISE = 5 / 255  # sRGB; what separates two equal colours in a photo: sensor noise, JPEG, shading
_PRIOR_SD = 0.5  # how far the given matte may be off where it changes
_PRIOR_SD_FLAT = 0.05  # and where it is flat, as inside glass: there its level is information
_PRIOR_SD_LEAST = 0.02
_DISTRUST = 20.0  # errors of a matte are few and large, a normal distribution has them many and small
_AVERAGED_PX = 3
_CHANCE = 3.0  # differences this many times what independent noise would leave are still called noise
_SHARPENING = 3.0  # of a washed-out edge where colours cannot find it
_SURROUNDINGS_PX = 6
_SEED_BLUR_PX = 1.0
_SEED_SHARE = 0.88  # of the highest matte around, from where on a pixel is taken for pure product
_SIMILAR_BYTES = 8.0
_SMOOTHING_ROUNDS = 2
_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1), (-2, 0), (2, 0), (0, -2), (0, 2))
_LINK_VAR = 0.01  # how much alpha differs between neighbours of one colour
_KNOWN_VAR = 1e-5
_FLAT, _STEEP = 0.015, 0.13  # slopes of a matte per px: no edge at all, an edge at its full sharpness
_STEEP_QUANTILE = 0.8
_SMALL_PX = 256  # below, halving saves nothing
_ROOM_PX = 32  # around the band, for samples and neighbours
_SNAP = 1 / 255  # below what 8 bits can show, and above one less that, alpha is 0 and 1


@dataclass(frozen=True, slots=True)
class EdgeTreatment:
    """How the product's edge is to be drawn.

    tighten_px: pull the edge this far inwards, in photo pixels, fractions count; 0 to 16.

    Raises:
        ValueError: naming the field that is out of range.
    """

    tighten_px: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.tighten_px <= 16:
            raise ValueError(f"tighten_px must be from 0 to 16, not {self.tighten_px}")


AS_FOUND = EdgeTreatment()


def refine_matte(image: NDArray[np.uint8], matte: Float, edge: EdgeTreatment = AS_FOUND) -> Float:
    """Work alpha out again where the matte is unsure.

    In a band along the edge (`trimap.make_trimap`) alpha comes from sampled product and background colours, weighed
    against the given matte, then evened out between neighbours of the same colour. Where colours say nothing the given
    matte stands. Outside of the band the result is exactly 0 or 1. A matte that was enlarged from a small one is
    refined at half the size first (and there again, if need be), in a band twice as wide.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].
        edge: what to do to the edge afterwards.

    Returns:
        (H, W) float32 in [0, 1].
    """
    return tighten_matte(_refine(image, matte), edge.tighten_px)


def _refine(image: NDArray[np.uint8], matte: Float) -> Float:
    if _is_enlarged(matte):
        # A matte this soft knows nothing about single pixels: find the edge at half the size first.
        height, width = matte.shape
        half = (width + 1) // 2, (height + 1) // 2
        coarse = _refine(
            cv2.resize(image, half, interpolation=cv2.INTER_AREA), cv2.resize(matte, half, interpolation=cv2.INTER_AREA)
        )
        matte = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    trimap = make_trimap(matte)
    unknown = trimap == UNKNOWN
    refined = np.where(trimap == PRODUCT, np.float32(1), np.float32(0))
    window = window_of(unknown, room_px=_ROOM_PX)
    if window is not None:
        refined[window] = _refine_band(image[window], matte[window], trimap[window])
    return refined


def _is_enlarged(matte: Float) -> bool:
    """Whether hardly any edge of the matte is as steep as its pixels allow, as after enlarging it several times."""
    if min(matte.shape) < _SMALL_PX:
        return False
    rows, cols = np.nonzero((matte[:-1, :-1] > 0.25) & (matte[:-1, :-1] < 0.75))
    here = matte[rows, cols]
    slope = np.hypot(matte[rows + 1, cols] - here, matte[rows, cols + 1] - here)
    edges = slope[slope > _FLAT]
    return bool(edges.size and np.quantile(edges, _STEEP_QUANTILE) < _STEEP)


def _refine_band(image: NDArray[np.uint8], matte: Float, trimap: NDArray[np.uint8]) -> Float:
    band = Band.where(trimap == UNKNOWN)
    here = band.index
    prior = matte.ravel()[here]
    alpha = np.where(trimap == PRODUCT, np.float32(1), np.float32(0))
    alpha.ravel()[here] = prior

    blurred = cv2.GaussianBlur(matte, (0, 0), _SEED_BLUR_PX)
    highest, lowest = _surroundings(blurred)
    product = _seeds(trimap == PRODUCT, blurred, highest)
    background = _seeds(trimap == BACKGROUND, 1 - blurred, 1 - lowest)
    if product.any() and background.any():
        change = (highest - lowest).ravel()[here]
        prior_sd = np.clip(_PRIOR_SD * change / 0.5, _PRIOR_SD_FLAT, _PRIOR_SD)
        own = image.reshape(-1, 3)[here]
        mixed, variance = unmix(
            srgb_to_linear(own),
            sample_colours(image, product, band),
            sample_colours(image, background, band),
            _linear_noise(own),
            prior,
            prior_sd,
        )
        prior_var = np.clip(
            _DISTRUST * _disagreement(band, mixed, variance, prior, change) * change**2, _PRIOR_SD_LEAST**2, prior_sd**2
        )
        # Where colours cannot tell, an edge known to be washed out elsewhere is drawn sharp here too.
        sharp = np.clip((prior - 0.5) * _SHARPENING + 0.5, 0, 1)
        prior = prior + (sharp - prior) * prior_var / _PRIOR_SD**2
        precision = 1 / variance + 1 / prior_var
        mixed = (mixed / variance + prior / prior_var) / precision
        alpha.ravel()[here] = _even_out(image, band, alpha, mixed, 1 / precision, 1 / (precision * prior_var))
    # else the matte shows one side only, and there is nothing to tell it apart from: it stays as it is.
    alpha[alpha < _SNAP] = 0
    alpha[alpha > 1 - _SNAP] = 1
    return alpha


def _surroundings(matte: Float) -> tuple[Float, Float]:
    """Highest and lowest matte around each pixel."""
    square = np.ones((2 * _SURROUNDINGS_PX + 1, 2 * _SURROUNDINGS_PX + 1), np.uint8)
    return cv2.dilate(matte, square), cv2.erode(matte, square)


def _disagreement(band: Band, mixed: Float, variance: Float, prior: Float, change: Float) -> np.float32:
    """Variance of the given matte where it changes most, from how far it is off what the colours say.

    Differences are averaged over a few pixels, each by how sure it is: noise goes, a misplaced or soft edge stays.
    """
    certainty = np.zeros(band.shape, np.float32)
    gap = np.zeros(band.shape, np.float32)
    here = band.index
    weight = 1 / (variance + np.float32(1e-3))
    certainty.ravel()[here] = weight
    gap.ravel()[here] = weight * (mixed - prior)
    certainty = cv2.blur(certainty, (_AVERAGED_PX, _AVERAGED_PX)).ravel()[here]
    gap = cv2.blur(gap, (_AVERAGED_PX, _AVERAGED_PX)).ravel()[here] / certainty
    by_chance = _CHANCE / (_AVERAGED_PX**2 * certainty)
    excess = max(float(np.sum(weight * (gap**2 - by_chance))), 0.0)
    return np.float32(excess / max(float(np.sum(weight * change**2)), 1e-6))


def _seeds(known: Mask, share: Float, highest: Float) -> Mask:
    """Pixels to take colours of one side from: the known ones, and the ridges of what is too thin to be known."""
    ridge = (share >= _SEED_SHARE * highest) & (share > 0.5)
    return known | ridge


def _linear_noise(srgb: NDArray[np.uint8]) -> Float:
    """Noise that is even in sRGB is not in linear light: the slope of the transfer curve at the pixel's brightness."""
    brightness = srgb.mean(axis=1, dtype=np.float32) / 255
    slope: Float = np.maximum(2.2 * brightness**1.2, 0.12)
    return np.float32(_NOISE) * slope


def _even_out(
    image: NDArray[np.uint8], band: Band, alpha: Float, mixed: Float, variance: Float, prior_share: Float
) -> Float:
    """Average every pixel's alpha with that of like-coloured neighbours, each by how sure its colours make it."""
    pixels = image.reshape(-1, 3)
    flat = alpha.ravel().copy()
    here = band.index
    flat[here] = mixed
    say = np.full(flat.shape, 1 / (_KNOWN_VAR + _LINK_VAR), np.float32)
    say[here] = (1 - prior_share) / (variance + np.float32(_LINK_VAR))
    own = pixels[here].astype(np.float32)
    neighbours, weights = [], []
    for step in _NEIGHBOURS:
        beside = band.shifted(*step)
        gap = np.take(pixels, beside, axis=0).astype(np.float32) - own
        likeness = np.exp(np.einsum("nc,nc->n", gap, gap) * np.float32(-0.5 / _SIMILAR_BYTES**2))
        neighbours.append(beside)
        weights.append(likeness * say[beside])
    total = 1 / variance + np.add.reduce(weights)
    for _ in range(_SMOOTHING_ROUNDS):
        pull = mixed / variance
        for beside, weight in zip(neighbours, weights, strict=True):
            pull += weight * np.take(flat, beside)
        flat[here] = pull / total
    evened: Float = flat[here]
    return evened
