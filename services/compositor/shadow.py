"""A soft contact shadow on the white ground beneath a product.

Assumed is what a packshot of a standing product shows: the camera looks slightly down, the light is large and comes
from above and in front, and each loose piece stands on the ground at its lowest row. Such light leaves a tight dark
line where the outline meets the ground, and round it a wide faint penumbra, flattened by the view. Parts that hang
clear of the ground cast less the higher they hang. A product that hangs, or lies and is seen from straight above, would
look as if it stood on its lowest edge: it is better left without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import linear_to_srgb, srgb_to_linear
from services.compositor.canvas import Packshot
from services.compositor.layout import SOLID, Box

Float = NDArray[np.float32]

_CRUMB_SHARE = 0.01  # of the largest piece's area: what is smaller casts no shadow
_ROOM_SHARE = 0.8  # of the way to the frame is as far as a shadow spreads
_FRAME_SHARE = 0.01  # of the canvas's shorter side, over which one fades that begins at the frame
_INVISIBLE = 0.004  # rounds to (255, 255, 255)
_HANGING = 4.5  # times the height at which a part casts 1/e: it casts nothing
_BOX_PASSES = 3  # box blurs in a row come close to a Gaussian, but end


@dataclass(frozen=True, slots=True)
class _Layer:
    """One part of the shadow. Lengths are shares of the piece's shorter side.

    darkness: share of the ground's light it takes right under the contact.
    height: how high a part may hang until it casts 1/e of that.
    follows: where the shade of a hanging part lies: 1 at its outline, 0 on the line of the lowest row.
    reach: how far it spreads down, where the canvas has room.
    flatness: how many times further it spreads sideways.
    """

    darkness: float
    height: float
    follows: float
    reach: float
    flatness: float


_CONTACT = _Layer(darkness=0.6, height=0.03, follows=1.0, reach=0.03, flatness=1.5)
_PENUMBRA = _Layer(darkness=0.28, height=0.12, follows=0.35, reach=0.12, flatness=2.5)


def with_shadow(packshot: Packshot, outline: Float) -> Packshot:
    """The packshot with a soft shadow on its ground; product, alpha and foreground are as before.

    Args:
        packshot: on plain white.
        outline: float32 (H, W) in [0, 1], how much of a pixel lies within the product; its alpha unless transparent.
    """
    shade = soft_shadow(packshot.alpha, outline)
    rows, cols = np.flatnonzero(shade.any(axis=1)), np.flatnonzero(shade.any(axis=0))
    if not rows.size:
        return packshot
    part = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    image = packshot.image.copy()
    # What is seen of the white ground beside and through the product is `1 - alpha` of the light, and gets darker.
    light = srgb_to_linear(image[part]) - (shade[part] * (1 - packshot.alpha[part]))[..., None]
    image[part] = linear_to_srgb(np.maximum(light, 0))
    return replace(packshot, image=image)


def soft_shadow(alpha: Float, outline: Float) -> Float:
    """How much of the ground's light a product takes: the less, the more it lets through.

    Args:
        alpha: float32 (H, W) in [0, 1], the product on its canvas.
        outline: the same, how much of a pixel lies within the product.

    Returns:
        float32 (H, W) in [0, 1), linear light: exactly 0 at the canvas's frame and wherever nothing stands near.
        All 0 when nothing is at least half within the product.
    """
    light = np.ones(alpha.shape, np.float32)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((outline >= SOLID).astype(np.uint8), connectivity=8)
    smallest = _CRUMB_SHARE * stats[1:, cv2.CC_STAT_AREA].max(initial=0)
    for number in range(1, len(stats)):
        left, top, width, height, area = (int(value) for value in stats[number])
        if area < smallest:
            continue
        box = Box(top, left, top + height, left + width)
        own = labels[top : top + height, left : left + width] == number
        opacity = float(alpha[top : top + height, left : left + width][own].mean())
        lowest_rows = top + height - np.argmax(own[::-1], axis=0).astype(np.float32)
        for layer in (_CONTACT, _PENUMBRA):
            _darken(light, lowest_rows, box, replace(layer, darkness=opacity * layer.darkness))
    shade = (1 - light) * _away_from_frame(alpha.shape)
    shade[shade < _INVISIBLE] = 0
    return shade


def _darken(light: Float, lowest_rows: Float, box: Box, layer: _Layer) -> None:
    """Take from the ground's light (H, W) what one layer of a piece's shadow takes.

    Args:
        lowest_rows: for each column of the box, where the piece ends below, in canvas rows.
    """
    size = min(box.width, box.height)
    falloff_px = max(layer.height * size, 1)
    hangs = np.minimum(box.bottom - lowest_rows, _HANGING * falloff_px)
    weight = np.where(hangs < _HANGING * falloff_px, np.exp(-hangs / falloff_px), 0)
    ground = box.bottom - layer.follows * hangs
    room_rows, room_cols = light.shape[0] - box.bottom, min(box.left, light.shape[1] - box.right)
    down = _box_px(min(layer.reach * size, _ROOM_SHARE * room_rows))
    across = _box_px(min(layer.reach * layer.flatness * size, _ROOM_SHARE * room_cols))
    reach_rows, reach_cols = (_BOX_PASSES * (px - 1) // 2 for px in (down, across))

    # The caster is a band above the ground line, as thick as the blur reaches: half of it shines through at the line.
    first, last = int(ground.min()) - 2 * reach_rows - 1, int(box.bottom) + reach_rows + 1
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    thick = np.clip(rows + 1 - (ground - reach_rows - 1), 0, 1) * np.clip(ground - rows, 0, 1)
    band = cv2.copyMakeBorder(thick * weight, 0, 0, reach_cols, reach_cols, cv2.BORDER_CONSTANT, value=0)
    for _ in range(_BOX_PASSES):
        band = cv2.blur(band, (across, down), borderType=cv2.BORDER_CONSTANT)
    shade = 2 * layer.darkness * np.clip(band, 0, 0.5)

    top, left = max(first, 0), max(int(box.left) - reach_cols, 0)
    bottom, right = min(last, light.shape[0]), min(int(box.right) + reach_cols, light.shape[1])
    offset = int(box.left) - reach_cols
    light[top:bottom, left:right] *= 1 - shade[top - first : bottom - first, left - offset : right - offset]


def _box_px(reach_px: float) -> int:
    """Width of the box blur, odd, whose passes together reach about that far."""
    return 1 + 2 * max(round(reach_px / _BOX_PASSES), 1)


def _away_from_frame(shape: tuple[int, ...]) -> Float:
    """1 inside of a canvas, falling to 0 in its outermost pixels."""
    fade_px = max(_FRAME_SHARE * min(shape), 1)
    rows, cols = (np.minimum(np.arange(side), np.arange(side)[::-1]).astype(np.float32) for side in shape)
    fades = [np.clip(distance / fade_px, 0, 1) for distance in (rows, cols)]
    fade: Float = np.outer(*fades).astype(np.float32)
    return fade
