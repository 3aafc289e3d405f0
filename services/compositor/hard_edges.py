"""Alpha of hard edges from the colours right beside them, in linear light.

What lies within a few pixels of sure product and sure background is a lens's mixture of the two, and light mixes
linearly; a network and a Laplacian that look at sRGB values draw such edges a little too thin.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear
from services.compositor.band import Band, Block, blocks_with
from services.compositor.sampling import sample_colours, unmix

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_NEAR_PX = 3.0  # to both sides
_SURE = 0.97
_BELIEF_SD = np.float32(0.15)  # how far the given alpha may be off
_NOISE = 5 / 255  # sRGB; what separates two equal colours in a photo: sensor noise, JPEG, shading
_ROOM_PX = 24


def unmix_edges(image: NDArray[np.uint8], alpha: Float) -> Float:
    """Work alpha out again where product and background are both near.

    Args:
        image: (H, W, 3) uint8 sRGB.
        alpha: (H, W) float32 in [0, 1], nearly right.

    Returns:
        (H, W) float32 in [0, 1]: the given alpha weighed against what the colours say, by how sure each is.
    """
    unmixed = alpha.copy()
    mixed = (alpha > 0) & (alpha < 1)
    for block in blocks_with(mixed, room_px=_ROOM_PX):
        _unmix_block(image, alpha, mixed, block, unmixed)
    return unmixed


def _unmix_block(image: NDArray[np.uint8], alpha: Float, mixed: Mask, block: Block, unmixed: Float) -> None:
    around = alpha[block.roomy]
    product, background = around >= _SURE, around <= 1 - _SURE
    if not product.any() or not background.any():
        return
    here = np.zeros(around.shape, bool)
    here[block.core_in_roomy] = mixed[block.core]
    band = Band.where(here & _near(product) & _near(background))
    if not len(band):
        return
    photo = np.ascontiguousarray(image[block.roomy])
    own = np.take(photo.reshape(-1, 3), band.index, axis=0)
    believed = np.take(around, band.index)
    told, variance = unmix(
        srgb_to_linear(own),
        sample_colours(photo, product, band),
        sample_colours(photo, background, band),
        _linear_noise(own),
        believed,
        np.full(len(band), _BELIEF_SD, np.float32),
    )
    trust = 1 / _BELIEF_SD**2
    settled = around.copy()
    settled.ravel()[band.index] = (told / variance + believed * trust) / (1 / variance + trust)
    unmixed[block.core] = settled[block.core_in_roomy]


def _near(side: Mask) -> Mask:
    distance = cv2.distanceTransform((~side).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return np.asarray(distance <= _NEAR_PX, bool)


def _linear_noise(srgb: NDArray[np.uint8]) -> Float:
    """Noise that is even in sRGB is not in linear light: the slope of the transfer curve at the pixel's brightness."""
    brightness = srgb.mean(axis=1, dtype=np.float32) / 255
    slope: Float = np.maximum(2.2 * brightness**1.2, 0.12)
    return np.float32(_NOISE) * slope
