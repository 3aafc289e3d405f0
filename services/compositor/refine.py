"""Matte refinement at full resolution, in the band where the matte is unsure and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear
from services.compositor.band import Band, Block, blocks_with
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
_REACH_PX = 8  # a little more than rounds times the furthest neighbour
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
    blocks = list(blocks_with(unknown, room_px=_ROOM_PX))
    evidence = [_gather(image[block.roomy], matte[block.roomy], trimap[block.roomy], block) for block in blocks]
    distrust = _distrust([found for found in evidence if found is not None])
    for block, found in zip(blocks, evidence, strict=True):
        if found is not None:
            alpha = _weigh(image[block.roomy], refined[block.roomy], found, distrust)
        else:
            # The matte shows one side only here, and there is nothing to tell it apart from: it stays as it is.
            alpha = matte[block.roomy]
        open_here = unknown[block.core]
        refined[block.core][open_here] = alpha[block.core_in_roomy][open_here]
    refined[refined < _SNAP] = 0
    refined[refined > 1 - _SNAP] = 1
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


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the colours of one block say about the pixels of its band, each (N,) float32.

    mixed, variance: alpha from colours, and how unsure it is.
    prior, prior_sd: alpha of the given matte, and how far it may be off at most.
    change: how much the given matte changes around.
    gap_sq, weight: squared difference of the two beyond chance, averaged over a few pixels, and its certainty.
    """

    band: Band
    mixed: Float
    variance: Float
    prior: Float
    prior_sd: Float
    change: Float
    gap_sq: Float
    weight: Float


def _gather(image: NDArray[np.uint8], matte: Float, trimap: NDArray[np.uint8], block: Block) -> _Evidence | None:
    """Evidence for the unknown pixels of a block and a few around it; None if the block shows one side only."""
    blurred = cv2.GaussianBlur(matte, (0, 0), _SEED_BLUR_PX)
    highest, lowest = _surroundings(blurred)
    product = _seeds(trimap == PRODUCT, blurred, highest)
    background = _seeds(trimap == BACKGROUND, 1 - blurred, 1 - lowest)
    if not product.any() or not background.any():
        return None
    band = Band.where(_around(trimap == UNKNOWN, block.core_in_roomy))
    here = band.index
    prior = np.take(matte, here)
    change = np.take(highest - lowest, here)
    prior_sd = np.clip(np.float32(2 * _PRIOR_SD) * change, np.float32(_PRIOR_SD_FLAT), np.float32(_PRIOR_SD))
    own = np.take(image.reshape(-1, 3), here, axis=0)
    mixed, variance = unmix(
        srgb_to_linear(own),
        sample_colours(image, product, band),
        sample_colours(image, background, band),
        _linear_noise(own),
        prior,
        prior_sd,
    )
    gap_sq, weight = _disagreement(band, mixed, variance, prior)
    return _Evidence(band, mixed, variance, prior, prior_sd, change, gap_sq, weight)


def _around(mask: Mask, core: tuple[slice, slice]) -> Mask:
    """The pixels of a mask in the core and as far around it as evening out reaches."""
    rows, cols = (slice(max(part.start - _REACH_PX, 0), part.stop + _REACH_PX) for part in core)
    near = np.zeros_like(mask)
    near[rows, cols] = mask[rows, cols]
    return near


def _disagreement(band: Band, mixed: Float, variance: Float, prior: Float) -> tuple[Float, Float]:
    """How far the given matte is off what the colours say, beyond chance, and how certain that is.

    Differences are averaged over a few pixels, each by how sure it is: noise goes, a misplaced or soft edge stays.
    """
    certainty = np.zeros(band.shape, np.float32)
    gap = np.zeros(band.shape, np.float32)
    here = band.index
    weight = np.float32(1) / (variance + np.float32(1e-3))
    certainty.ravel()[here] = weight
    gap.ravel()[here] = weight * (mixed - prior)
    window = (_AVERAGED_PX, _AVERAGED_PX)
    mean_certainty = np.take(cv2.blur(certainty, window), here)
    mean_gap = np.take(cv2.blur(gap, window), here) / mean_certainty
    by_chance = np.float32(_CHANCE / _AVERAGED_PX**2) / mean_certainty
    return mean_gap**2 - by_chance, weight


def _distrust(evidence: list[_Evidence]) -> np.float32:
    """Variance of the given matte per squared change of it, over the whole product."""
    off = sum(float(np.sum(found.weight * found.gap_sq)) for found in evidence)
    could_be = sum(float(np.sum(found.weight * found.change**2)) for found in evidence)
    return np.float32(_DISTRUST * max(off, 0.0) / max(could_be, 1e-6))


def _weigh(image: NDArray[np.uint8], known: Float, found: _Evidence, distrust: np.float32) -> Float:
    """Alpha of a block from colours and the given matte, each by its certainty, evened out among neighbours."""
    prior_var = np.clip(distrust * found.change**2, _PRIOR_SD_LEAST**2, found.prior_sd**2)
    # Where colours cannot tell, an edge known to be washed out elsewhere is drawn sharp here too.
    sharp = np.clip((found.prior - 0.5) * _SHARPENING + 0.5, 0, 1)
    prior = found.prior + (sharp - found.prior) * prior_var / _PRIOR_SD**2
    variance = 1 / (1 / found.variance + 1 / prior_var)
    alpha = (found.mixed / found.variance + prior / prior_var) * variance
    return _even_out(image, found.band, known, alpha, variance, variance / prior_var)


def _surroundings(matte: Float) -> tuple[Float, Float]:
    """Highest and lowest matte around each pixel."""
    square = np.ones((2 * _SURROUNDINGS_PX + 1, 2 * _SURROUNDINGS_PX + 1), np.uint8)
    return cv2.dilate(matte, square), cv2.erode(matte, square)


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
    image: NDArray[np.uint8], band: Band, known: Float, alpha: Float, variance: Float, prior_share: Float
) -> Float:
    """Average the band's alpha with that of like-coloured neighbours, each by how sure its colours make it.

    Args:
        image: (H, W, 3) uint8 sRGB.
        band: N pixels of it.
        known: (H, W) alpha outside of the band.
        alpha, variance: (N,) in the band.
        prior_share: (N,) how much of alpha comes from the given matte.

    Returns:
        (H, W) float32.
    """
    pixels = image.reshape(-1, 3)
    evened = known.copy()
    flat = evened.ravel()
    here = band.index
    flat[here] = alpha
    say = np.full(flat.shape, 1 / (_KNOWN_VAR + _LINK_VAR), np.float32)
    say[here] = (1 - prior_share) / (variance + np.float32(_LINK_VAR))
    own = np.take(pixels, here, axis=0).astype(np.float32)
    neighbours, weights = [], []
    for step in _NEIGHBOURS:
        beside = band.shifted(*step)
        gap = np.take(pixels, beside, axis=0).astype(np.float32) - own
        likeness = np.exp(np.einsum("nc,nc->n", gap, gap) * np.float32(-0.5 / _SIMILAR_BYTES**2))
        neighbours.append(beside)
        weights.append(likeness * np.take(say, beside))
    total = 1 / variance + np.add.reduce(weights)
    for _ in range(_SMOOTHING_ROUNDS):
        pull = alpha / variance
        for beside, weight in zip(neighbours, weights, strict=True):
            pull += weight * np.take(flat, beside)
        flat[here] = pull / total
    return evened
