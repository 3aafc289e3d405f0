"""Alpha as light mixes.

A Laplacian looks at sRGB values, in which half hair and half wall is not halfway between the two: before a light wall
dark hair comes out thin, before a dark one light hair comes out thick. Light mixes linearly, and on white the product
is laid in linear light; so alpha is told anew from the colour that it stands for.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear
from services.compositor.band import Band, blocks_with
from services.compositor.foreground import pure_colours

Float = NDArray[np.float32]

_ROOM_PX = 32
_ALIKE = np.float32(1e-3)  # squared distance in linear light of two colours that tell nothing


def as_light_mixes(image: NDArray[np.uint8], alpha: Float, where: NDArray[np.bool_]) -> Float:
    """From the share in sRGB values to the share in light, between the product's and the background's nearest colours.

    Args:
        image: (H, W, 3) uint8 sRGB.
        alpha: (H, W) float32 in [0, 1], of colours mixed in sRGB.
        where: (H, W) bool, to look at.

    Returns:
        (H, W) float32 in [0, 1], there of the same colours mixed in linear light; 0 and 1 stay.
    """
    mixed = where & (alpha > 0) & (alpha < 1)
    in_light = alpha.copy()
    for block in blocks_with(mixed, room_px=_ROOM_PX):
        around = alpha[block.roomy]
        here = np.zeros(around.shape, bool)
        here[block.core_in_roomy] = mixed[block.core]
        index = Band.where(here).index
        share = np.take(around, index)[:, None]
        product, background = (
            np.take(colours.reshape(-1, 3), index, axis=0)
            for colours in pure_colours(np.ascontiguousarray(image[block.roomy]), around)
        )
        between = background + share * (product.astype(np.float32) - background)
        light = srgb_to_linear(cv2.multiply(between, 1 / 255))
        nothing = srgb_to_linear(background)
        apart = srgb_to_linear(product) - nothing
        square = (apart * apart).sum(axis=1)
        told = ((light - nothing) * apart).sum(axis=1) / np.maximum(square, _ALIKE / 10)
        trust = square / (square + _ALIKE)
        settled = around.copy()
        settled.ravel()[index] = np.clip(share[:, 0] + trust * (told - share[:, 0]), 0, 1)
        in_light[block.core] = settled[block.core_in_roomy]
    return in_light
