"""How a transparent product colours the light behind it, as a whole: the tint that is usual around each pixel, and the
grey veil that its surfaces lay over it.

A tint changes slowly from place to place, highlights and refraction do not. So both are found at a small size, where a
pixel `C = veil + T * B` (linear light, B the backdrop) is the middle of many. One such equation a channel does not tell
veil and T apart; what is assumed:

- What looks grey but for a veil is: then T is the same in all channels, and the coloured backdrop tells the veil.
- Otherwise the surfaces mirror back about a tenth of the light around, as two glass walls do (4 % a surface at right
  angles, more aslant), and not more than half of what is seen in the darkest channel.

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
_WINDOW_SHARE = 0.06  # of the longer side: the window of which the middle is taken
_BRIGHTEST = 4.0  # times the backdrop; beyond, all is the same
_REFLECTED = 1.05  # times the backdrop in every channel: that did not come through
_LEAST_SHARE = 0.2  # of the clear area that has to be left without reflections
_CLEAREST = 0.93  # of the light gets through two walls; more than half of what is lost the surface mirrors back
_VEIL = 0.1  # of the light around
_VEIL_OF_DARKEST = 0.5
_MISFIT = 0.08  # relative, up to which a veil over grey explains what is seen; at twice that it does not at all
_FOLLOW_SD = 0.1  # log light: how much a backdrop has to change along a row to show whether the product follows
_GLARE_SD = 0.1  # linear light: reflections to be expected
_TINT_SD = 0.15  # relative: how far T may be from what is expected
_SUM = np.ones((1, 3), np.float32)


@dataclass(frozen=True, slots=True)
class Tint:
    """What is usual around each pixel.

    through: (H, W, 3) float32 in [0, 0.93], the share of the backdrop's light that comes through.
    veil: (H, W) float32 linear light, what the surface adds all over; 0 where `through` is grey for that.
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
    seen, behind, share = _small(light, backdrop, clear)
    known = share > 0.5 if (share > 0.5).any() else share >= share.max()
    ratio = np.minimum(seen / behind, np.float32(_BRIGHTEST))
    unreflected = known & (ratio.min(axis=2) <= _REFLECTED)
    if unreflected.sum() >= _LEAST_SHARE * known.sum():
        known = unreflected
    middle = _median(spread(np.where(known[..., None], ratio, np.float32(0)), known.astype(np.float32)))

    usual = middle * behind
    veil = np.minimum(_VEIL * behind[known].mean(), _VEIL_OF_DARKEST * usual.min(axis=2))[..., None]
    tinted = (usual - veil) / behind
    grey_veil = glare(usual, behind)[..., None]
    grey = ((usual - grey_veil) / behind).mean(axis=2, keepdims=True)
    misfit = np.linalg.norm(usual - grey_veil - grey * behind, axis=2) / np.linalg.norm(usual, axis=2).clip(1e-6)
    is_grey = np.clip(2 - misfit / np.float32(_MISFIT), 0, 1)[..., None]
    grey = grey - veil / behind.mean(axis=2, keepdims=True)
    through = np.clip(tinted + is_grey * (grey - tinted), 0, np.float32(_CLEAREST))
    size = width, height
    return Tint(
        cv2.resize(through, size, interpolation=cv2.INTER_LINEAR),
        cv2.resize(veil[..., 0] * (1 - is_grey[..., 0]), size, interpolation=cv2.INTER_LINEAR),
    )


def as_far_as_followed(backdrop: Float, light: Float, clear: Mask) -> Float:
    """The backdrop (H, W, 3) with its changes as strong as the product repeats them: a filled bottle is a lens that
    shows all of a room in every place. Rows are compared each with itself, for the product changes from top to foot by
    itself. Where the backdrop hardly changes it stays as it is.

    Args:
        backdrop, light, clear: as for `usual_tint`.
    """
    seen, behind, share = _small(light, backdrop, clear)
    known = share > 0.5
    if not known.any():
        return backdrop
    row = np.nonzero(known)[0]
    of_backdrop, of_product = (_within_rows(np.log(part[known].clip(1e-3)), row) for part in (behind, seen))
    prior = of_backdrop.size * _FOLLOW_SD**2
    followed = ((of_backdrop * of_product).sum() + prior) / ((of_backdrop**2).sum() + prior)
    strength = np.float32(np.clip(followed, 0, 1))
    even = np.log(behind[known]).mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.asarray(np.exp(even + strength * (np.log(backdrop) - even)), np.float32)


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


def _small(light: Float, backdrop: Float, clear: Mask) -> tuple[Float, Float, Float]:
    """Light and backdrop where the product is clear and the share of it, all small."""
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


def _median(ratio: Float) -> Float:
    radius = max(1, round(_WINDOW_SHARE * max(ratio.shape[:2]) / 2))
    # In 8 bits, that is what OpenCV finds wide medians of; roots keep the dark apart.
    scale = 255 / np.sqrt(np.float32(_BRIGHTEST))
    median = cv2.medianBlur(cv2.convertScaleAbs(np.sqrt(ratio), alpha=scale), 2 * radius + 1)
    return np.asarray((median / np.float32(scale)) ** 2, np.float32)


def _within_rows(values: Float, row: NDArray[np.intp]) -> Float:
    """Values (N, 3) less the mean of their row, given the row (N,) of each."""
    count = np.maximum(np.bincount(row), 1)
    means = [(np.bincount(row, channel) / count)[row] for channel in values.T]
    return np.asarray(values - np.stack(means, axis=1), np.float32)
