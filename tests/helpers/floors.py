"""Products standing on a table that mirrors them, of which everything is known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.common.color import srgb_to_linear
from tests.helpers.composites import Image, Matte, draw_matte, gradient, rectangle, to_srgb_bytes

SIDE = 320
CONTACT_ROW = 210.0
_LEFT, _RIGHT = 104.0, 216.0


@dataclass(frozen=True, slots=True)
class Floor:
    """A product on a glossy table.

    photo: (H, W, 3) uint8 sRGB.
    matte: (H, W) float32 in [0, 1], of the product alone.
    with_image: the same with the mirror image, as a segmenter sees it that takes that for product.
    """

    photo: Image
    matte: Matte
    with_image: Matte


def standing(
    product: Image, *, strength: float, depth_px: float = 90.0, sag_px: float = 0.0, table: int = 190, seed: int = 0
) -> Floor:
    """A box, or with `sag_px` something round, on a table of that grey.

    Args:
        product: (SIDE, SIDE, 3) uint8 sRGB, its colours.
        strength: share of the product's light that the table mirrors at the contact line; it fades to 0 in `depth_px`.
        sag_px: how far the contact line hangs lower in the middle than at its ends.
    """
    rows, cols = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    across = np.clip((cols + 0.5 - SIDE / 2) / ((_RIGHT - _LEFT) / 2), -1, 1)
    contact = np.float32(CONTACT_ROW) - np.float32(sag_px) * across**2
    matte = draw_matte(SIDE, SIDE, rectangle(70, _LEFT, CONTACT_ROW, _RIGHT), blur_px=0.6)
    matte = np.asarray(np.minimum(matte, np.clip(contact - rows, 0, 1)), np.float32)
    ground = srgb_to_linear(gradient(SIDE, SIDE, (table,) * 3, (round(table * 0.93),) * 3))
    light = srgb_to_linear(product)
    mirrored = 2 * contact - 1 - rows
    image = cv2.remap(light, cols, mirrored, cv2.INTER_LINEAR)
    image_matte = cv2.remap(matte, cols, mirrored, cv2.INTER_LINEAR) * (rows >= contact - 0.5)
    share = strength * np.clip(1 - (rows - contact) / np.float32(depth_px), 0, 1) * image_matte
    table_light = ground * (1 - share[..., None]) + share[..., None] * image
    photo = to_srgb_bytes(np.asarray(light * matte[..., None] + (1 - matte[..., None]) * table_light, np.float32))
    grain = np.random.default_rng(seed).normal(0, 1.2, photo.shape)
    photo = np.clip(np.rint(photo + grain), 0, 255).astype(np.uint8)
    seen = np.asarray(np.maximum(matte, (share > 0.05) * image_matte), np.float32)
    return Floor(photo, matte, seen)
