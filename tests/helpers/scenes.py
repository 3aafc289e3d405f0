"""Photos of a simple product in front of each kind of background, for the segmenter's tests; their matte is exact."""

from __future__ import annotations

import cv2
import numpy as np

from tests.helpers.composites import (
    Composite,
    Draw,
    Image,
    Matte,
    compose,
    disc,
    draw_matte,
    gradient,
    rectangle,
    ring,
    solid,
    stripes,
    texture,
)

HEIGHT, WIDTH = 420, 480
CENTRE = (205.3, 244.6)

DISC = disc(105, CENTRE)
RING = ring(115, 62, CENTRE)
BOX = rectangle(110, 130, 315, 350)
CUT_BOX = rectangle(140, 180, HEIGHT, 340)  # leaves the photo at the bottom
RED = (160, 45, 40)

WHITE = solid(HEIGHT, WIDTH, (255, 255, 255))
GREY = solid(HEIGHT, WIDTH, (182, 184, 188))
BLUE = solid(HEIGHT, WIDTH, (120, 160, 205))
SWEEP = gradient(HEIGHT, WIDTH, (230, 228, 224), (168, 166, 164))
PATTERN = stripes(HEIGHT, WIDTH, (205, 190, 150), (95, 120, 110), 18)


def room() -> Image:
    """A wall above a table, a dark cupboard on the left and a plant on the right: no one colour, no one texture."""
    image = texture(HEIGHT, WIDTH, (200, 190, 170), 5, 8, 1)
    image[280:] = texture(HEIGHT - 280, WIDTH, (120, 80, 50), 10, 3, 2)
    image[40:280, :70] = texture(240, 70, (60, 60, 75), 8, 4, 3)
    image[60:280, 420:] = texture(220, 60, (60, 130, 60), 22, 4, 4)
    return image


def photograph(
    shape: Draw,
    backdrop: Image,
    *,
    color: tuple[int, int, int] = RED,
    shadow: float = 0.0,
    noise: float = 1.2,
    seed: int = 0,
) -> Composite:
    """A product of one colour, lightly textured, in focus.

    `shadow` is the share of light that the product takes from the backdrop right below it; it fades over some 30 px.
    """
    height, width = backdrop.shape[:2]
    matte = draw_matte(height, width, shape, blur_px=0.6)
    if shadow:
        backdrop = with_contact_shadow(backdrop, matte, shadow)
    return compose(matte, texture(height, width, color, 6, 5, seed + 1), backdrop, noise=noise, seed=seed)


def with_contact_shadow(backdrop: Image, matte: Matte, depth: float) -> Image:
    shifted = np.zeros_like(matte)
    shifted[14:] = matte[:-14]
    soft = cv2.GaussianBlur(shifted, (0, 0), 9)
    return np.asarray(np.rint(backdrop * (1 - depth * soft[..., None])), np.uint8)
