"""Ways in which a cut goes wrong, each in graded strengths, on products whose exact edge is known.

A damage gives the packshot's pixels and the matte it was cut with, which is what a pipeline that made the damage hands
to the validator. Lengths are px on a canvas of 2000 px, and are scaled with the canvas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.edge_damage.products import Product
from services.common.color import linear_to_srgb, srgb_to_linear
from tests.helpers import composites

_DARK, _LIGHT = (38, 38, 40), (214, 214, 212)
_COLORS = ((60, 150, 60), (170, 60, 60), (60, 80, 170))


@dataclass(frozen=True, slots=True)
class Packshot:
    """image: uint8 (S, S, 3) on white. matte: float32 (S, S), what it was cut with."""

    image: composites.Image
    matte: composites.Matte


@dataclass(frozen=True, slots=True)
class Damage:
    """strengths go from hardly to plainly visible; unit is theirs. target: the measurement that should see it."""

    name: str
    unit: str
    strengths: tuple[float, ...]
    target: str
    make: Callable[[Product, float, np.random.Generator], Packshot]


def clean(product: Product) -> Packshot:
    """The product on white with its true matte and colour."""
    return _cut(product.foreground, product.matte)


def encode(image: composites.Image, rng: np.random.Generator) -> bytes:
    """JPEG as sellers' files are: quality 80 to 95, with and without chroma subsampling."""
    sampling = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)[int(rng.integers(2))]
    options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.choice([80, 88, 95])), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    done, data = cv2.imencode(".jpg", image[..., ::-1], options)
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return data.tobytes()


def _cut(foreground: composites.Image, matte: composites.Matte) -> Packshot:
    shade = srgb_to_linear(foreground)
    shade -= 1
    shade *= matte[..., None]
    shade += 1
    return Packshot(linear_to_srgb(shade), matte)


def _over(foreground: composites.Image, background: composites.Image, matte: composites.Matte) -> composites.Image:
    """One image over another, mixed in linear light."""
    below = srgb_to_linear(background)
    mixed = srgb_to_linear(foreground)
    mixed -= below
    mixed *= matte[..., None]
    mixed += below
    return linear_to_srgb(mixed)


def _px(product: Product, length: float) -> float:
    return length * float(product.matte.shape[0]) / 2000


def _moved(matte: composites.Matte, outwards_px: float) -> composites.Matte:
    """The matte's outline moved; its own softness and its translucent parts stay as they are.

    Grey morphology by whole pixels and a mix of two for what is left.
    """
    whole, part = divmod(abs(outwards_px), 1.0)
    change = cv2.dilate if outwards_px > 0 else cv2.erode

    def by(radius: int) -> composites.Matte:
        if radius == 0:
            return matte
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        changed: composites.Matte = change(matte, kernel)
        return changed

    moved: composites.Matte = (1 - part) * by(int(whole)) + part * by(int(whole) + 1)
    return moved


def _fringe(product: Product, width: float, color: tuple[int, int, int]) -> Packshot:
    """The outermost pixels take another colour, whatever is covered stays covered."""
    inner = _moved(product.matte, -_px(product, width))
    share = np.where(product.matte > 0, inner / np.maximum(product.matte, 1e-4), 1).clip(0, 1).astype(np.float32)
    side = product.matte.shape[0]
    rim = composites.solid(side, side, color)
    return _cut(_over(product.foreground, rim, share), product.matte)


def _dark(product: Product, width: float, rng: np.random.Generator) -> Packshot:
    return _fringe(product, width, _DARK)


def _light(product: Product, width: float, rng: np.random.Generator) -> Packshot:
    return _fringe(product, width, _LIGHT)


def _colored(product: Product, width: float, rng: np.random.Generator) -> Packshot:
    return _fringe(product, width, _COLORS[int(rng.integers(len(_COLORS)))])


def _dilated(product: Product, width: float, rng: np.random.Generator) -> Packshot:
    """Cut too far out, the photo's own pixels kept: a strip of the old background all around."""
    photo = _over(product.foreground, product.background, product.matte)
    return _cut(photo, _moved(product.matte, _px(product, width)))


def _eroded(product: Product, width: float, rng: np.random.Generator) -> Packshot:
    """Cut too far in: a sliver of the product is lost, the edge itself is fine."""
    return _cut(product.foreground, _moved(product.matte, -_px(product, width)))


def _steps(product: Product, times: float, rng: np.random.Generator) -> Packshot:
    """A matte made `times` smaller and enlarged by repeating pixels."""
    side = product.matte.shape[0]
    small = cv2.resize(product.matte, (round(side / times),) * 2, interpolation=cv2.INTER_AREA)
    small = (small >= 0.5).astype(np.float32)
    large = cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST)
    return _cut(product.foreground, large)


def _coarse(product: Product, side_px: float, rng: np.random.Generator) -> Packshot:
    """A network's matte of `side_px`, enlarged bilinearly."""
    side = product.matte.shape[0]
    small = cv2.resize(product.matte, (int(side_px),) * 2, interpolation=cv2.INTER_AREA)
    return _cut(product.foreground, cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR))


def _blurred(product: Product, sigma: float, rng: np.random.Generator) -> Packshot:
    return _cut(product.foreground, cv2.GaussianBlur(product.matte, (0, 0), _px(product, sigma)))


def _binary(product: Product, unused: float, rng: np.random.Generator) -> Packshot:
    return _cut(product.foreground, (product.matte >= 0.5).astype(np.float32))


def _haze(product: Product, percent: float, rng: np.random.Generator) -> Packshot:
    """Patches of the old background, thin as a veil, around the product."""
    veil = percent / 100 * _patches(product.matte.shape[0], rng)
    near = cv2.GaussianBlur((product.matte > 0.5).astype(np.float32), (0, 0), product.matte.shape[0] / 30)
    veil = veil * np.clip(4 * near, 0, 1) * (1 - product.matte)
    matte = product.matte + veil
    share = (product.matte / np.maximum(matte, 1e-4)).astype(np.float32)
    return _cut(_over(product.foreground, product.background, share), matte.astype(np.float32))


def _washed(product: Product, percent: float, rng: np.random.Generator) -> Packshot:
    """Patches inside the product through which white shows."""
    hole = percent / 100 * _patches(product.matte.shape[0], rng)
    return _cut(product.foreground, (product.matte * (1 - hole)).astype(np.float32))


def _patches(side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth random patches covering about a third: float32 (S, S) in [0, 1]."""
    small = rng.normal(0, 1, (64, 64)).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), 3.0)
    small /= small.std()
    patches: NDArray[np.float32] = np.clip(
        3 * (cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC) - 0.3), 0, 1
    )
    return patches


DAMAGES = (
    Damage("dark fringe", "px", (0.5, 1, 2, 3), "halo", _dark),
    Damage("light fringe", "px", (0.5, 1, 2, 3), "halo", _light),
    Damage("colour fringe", "px", (0.5, 1, 2, 3), "halo", _colored),
    Damage("dilated", "px", (0.5, 1, 2, 3), "halo", _dilated),
    Damage("eroded", "px", (1, 3), "none", _eroded),
    Damage("steps", "×", (2, 3, 4, 6, 8), "jaggedness", _steps),
    Damage("binary", "", (1,), "jaggedness", _binary),
    Damage("coarse", "px", (320, 280, 240), "fringe_width", _coarse),
    Damage("blurred", "px", (1, 2, 3, 4), "fringe_width", _blurred),
    Damage("haze", "%", (3, 5, 10, 15), "leftover_translucency", _haze),
    Damage("washed", "%", (5, 10, 20), "leftover_translucency", _washed),
)
