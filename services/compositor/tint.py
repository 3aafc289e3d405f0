"""How a transparent product colours the light behind it, as a whole: the tint that is usual around each pixel, and the
veil that its surfaces lay over it.

A tint changes slowly from place to place, highlights and refraction do not. So both are found at a small size, where a
pixel `C = veil + T * B` (linear light, B the backdrop) is the middle of many. One such equation a channel does not tell
veil and T apart; what is assumed:

- The surfaces mirror back about a tenth of the light around, as two glass walls do (4 % a surface at right angles, more
  aslant). Around a product are the table and the backdrop, so most of that light has the backdrop's mean colour, the
  rest is the lamps' grey; what the rear wall mirrors has passed the tint.
- What looks grey but for a faint grey veil is: then T is the same in all channels.

Reference:
    Zongker, Werner, Curless, Salesin, "Environment Matting and Compositing", SIGGRAPH 1999: the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import spread

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SMALL_PX = 256  # longer side at which what is smooth is worked out
_WINDOW_SHARE = 0.05  # of the longer side: the window of which the middle is taken
_BRIGHTEST = 4.0  # times the backdrop; beyond, all is the same
_REFLECTED = 1.05  # times the backdrop in every channel: that did not come through
_BRIGHTER, _BRIGHTER_LEAST = 1.5, 0.1  # in every channel, times and more than most of the product: a highlight, unless
_LARGEST_HIGHLIGHT = 0.06  # more than that share of the clear area is, which is another part of the product
_LEAST_SHARE = 0.2  # of the clear area that has to be left without reflections
_CLEAREST = 0.93  # of the light gets through two walls; more than half of what is lost the surface mirrors back
_FRONT, _REAR = 0.08, 0.02  # of the light around, mirrored by the front wall and through the tint by the rear one
_LAMPS = 0.15  # of the light around that is grey
_VEIL_AT_MOST = 0.8  # of what is seen
_VEIL_OF_GREY = 0.5  # of what comes through: more grey light is no veil over grey but another tint
_MISFIT = 0.08  # relative, up to which a veil over grey explains what is seen; at twice that it does not at all
_GLARE_SD = 0.1  # linear light: reflections to be expected
_TINT_SD = 0.15  # relative: how far T may be from what is expected
_SUM = np.ones((1, 3), np.float32)


@dataclass(frozen=True, slots=True)
class Tint:
    """What is usual around each pixel.

    through: (H, W, 3) float32 in [0, 0.93], the share of the backdrop's light that comes through.
    veil: (H, W, 3) float32 linear light, what the surface adds all over.
    """

    through: Float
    veil: Float


def usual_tint(light: Float, backdrop: Float, clear: Mask) -> Tint:
    """The tint and the veil around each pixel.

    Args:
        light: (H, W, 3) float32 linear light, the photo.
        backdrop: (H, W, 3) float32 linear light above 0, what is behind.
        clear: (H, W) bool, where the product covers all of a pixel and lets light through; not empty.
    """
    height, width = clear.shape
    seen, behind, share = averaged(light, backdrop, clear)
    known = share > 0.5 if (share > 0.5).any() else share >= share.max()
    ratio = np.minimum(seen / behind, np.float32(_BRIGHTEST))
    usual = middle_ratio(ratio, unreflected(ratio, known), _WINDOW_SHARE) * behind

    around = behind[known].mean(axis=0)
    around += np.float32(_LAMPS) * (around.mean() - around)
    front = np.minimum(np.float32(_FRONT) * around, np.float32(_VEIL_AT_MOST) * usual)
    tinted = ((usual - front) / (behind + np.float32(_REAR) * around)).clip(0, np.float32(_CLEAREST))
    veil = front + np.float32(_REAR) * around * tinted

    grey_veil = glare(usual, behind)[..., None]
    grey = ((usual - grey_veil) / behind).mean(axis=2, keepdims=True)
    misfit = np.linalg.norm(usual - grey_veil - grey * behind, axis=2) / np.linalg.norm(usual, axis=2).clip(1e-6)
    most_veil = (np.float32(_VEIL_OF_GREY) * grey * behind.mean(axis=2, keepdims=True)).clip(1e-6)
    is_grey = np.clip(2 - misfit / np.float32(_MISFIT), 0, 1)[..., None] * np.clip(2 - grey_veil / most_veil, 0, 1)
    grey = ((grey - np.float32(_FRONT)) / np.float32(1 + _REAR)).clip(0, np.float32(_CLEAREST))
    size = width, height
    through = (tinted + is_grey * (grey - tinted)).astype(np.float32)
    veil = (veil + is_grey * ((usual - grey * behind).clip(0) - veil)).astype(np.float32)
    return Tint(
        cv2.resize(through, size, interpolation=cv2.INTER_LINEAR),
        cv2.resize(veil, size, interpolation=cv2.INTER_LINEAR),
    )


def glare(light: Float, expected: Float) -> Float:
    """Grey light from the surface, (H, W), that explains why an expected colour is washed out.

    The pixel (H, W, 3) is fitted as `k * expected + glare`, both with priors: if what is expected is grey the two look
    the same, and it is k.
    """
    certainty = 1 / (np.float32(_TINT_SD**2) * _dot(light, light) + np.float32(1e-5))
    ee = _dot(expected, expected) * certainty + 1
    e1 = cv2.transform(expected, _SUM) * certainty
    ones = 3 * certainty + np.float32(1 / _GLARE_SD**2)
    right_e = _dot(expected, light) * certainty + 1
    right_1 = cv2.transform(light, _SUM) * certainty
    found: Float = np.clip((ee * right_1 - e1 * right_e) / (ee * ones - e1 * e1), 0, light.min(axis=2).clip(0))
    return found


def _dot(one: Float, other: Float) -> Float:
    product: Float = cv2.transform(cv2.multiply(one, other), _SUM)
    return product


def averaged(light: Float, backdrop: Float, clear: Mask) -> tuple[Float, Float, Float]:
    """Light (h, w, 3) and backdrop where the product is clear and the share (h, w) of it, all small; arguments as for
    `usual_tint`."""
    height, width = clear.shape
    scale = min(1.0, _SMALL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    weight = clear.astype(np.float32)
    share, seen, behind = (
        cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (weight, light * weight[..., None], backdrop)
    )
    small = size[1], size[0], 3
    share = share.reshape(small[:2])
    return seen.reshape(small) / np.maximum(share, 1e-6)[..., None], behind.reshape(small), share


def unreflected(ratio: Float, known: Mask) -> Mask:
    """Where light (h, w) came through and was not mirrored, if that is enough of what is known; given its ratio
    (h, w, 3) to the backdrop's."""
    if not known.any():
        return known
    usual = np.median(ratio[known], axis=0)
    brighter = known & (ratio > np.float32(_BRIGHTER) * usual + np.float32(_BRIGHTER_LEAST)).all(axis=2)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(brighter.view(np.uint8), connectivity=8)
    is_highlight = stats[:, cv2.CC_STAT_AREA] <= _LARGEST_HIGHLIGHT * np.count_nonzero(known)
    is_highlight[0] = False  # all the rest
    through: Mask = known & ~is_highlight[labels] & (ratio.min(axis=2) <= _REFLECTED)
    return through if through.sum() >= _LEAST_SHARE * known.sum() else known


def middle_ratio(ratio: Float, known: Mask, window_share: float) -> Float:
    """The median of a ratio (h, w, 3), at most 4, around each pixel, in a window of that share of the longer side; what
    is not known is filled from beside."""
    filled = spread(np.where(known[..., None], ratio, np.float32(0)), known.astype(np.float32))
    radius = max(1, round(window_share * max(ratio.shape[:2]) / 2))
    # In 8 bits, that is what OpenCV finds wide medians of; roots keep the dark apart.
    scale = 255 / np.sqrt(np.float32(_BRIGHTEST))
    median = cv2.medianBlur(cv2.convertScaleAbs(np.sqrt(filled), alpha=scale), 2 * radius + 1)
    return np.asarray((median / np.float32(scale)) ** 2, np.float32)
