"""Small product scenes whose matte, foreground and background are exactly known.

A product is drawn several times larger than asked and averaged down, so its matte is true area coverage, and it is laid
over the background in linear light, as a lens mixes them. Photo noise is the only thing that is not exact. Places are
(row, col) in pixels, (0, 0) being the outer corner of the first one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear

_SUPERSAMPLE = 4
_FIXED_POINT_BITS = 4

Image = NDArray[np.uint8]
Matte = NDArray[np.float32]
Draw = Callable[[NDArray[np.uint8], float], None]


@dataclass(frozen=True, slots=True)
class Composite:
    """A photo and everything it was made from.

    photo, foreground, background: (H, W, 3) uint8 sRGB; foreground is defined everywhere.
    matte: (H, W) float32 in [0, 1], exact.
    """

    photo: Image
    matte: Matte
    foreground: Image
    background: Image

    def on_white(self) -> Image:
        """(H, W, 3) uint8: what the camera would have seen in front of a white wall."""
        return mix(self.foreground, np.full_like(self.foreground, 255), self.matte)


def compose(matte: Matte, foreground: Image, background: Image, *, noise: float = 0.0, seed: int = 0) -> Composite:
    """Lay a known foreground over a known background; noise is a standard deviation in sRGB bytes."""
    photo = mix(foreground, background, matte)
    if noise:
        grain = np.random.default_rng(seed).normal(0, noise, photo.shape)
        photo = np.clip(np.rint(photo + grain), 0, 255).astype(np.uint8)
    return Composite(photo, matte, foreground, background)


def mix(foreground: Image, background: Image, matte: Matte) -> Image:
    """Blend two sRGB images in linear light."""
    alpha = matte[..., None]
    linear = alpha * srgb_to_linear(foreground) + (1 - alpha) * srgb_to_linear(background)
    return to_srgb_bytes(linear)


def to_srgb_bytes(linear: NDArray[np.float32]) -> Image:
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    image: Image = np.clip(np.rint(encoded * 255), 0, 255).astype(np.uint8)
    return image


def draw_matte(height: int, width: int, draw: Draw, *, blur_px: float = 0.0) -> Matte:
    """Exact coverage of what `draw(layer, scale)` paints with 255 on a layer `scale` times as large; blur in pixels."""
    layer = np.zeros((height * _SUPERSAMPLE, width * _SUPERSAMPLE), np.uint8)
    draw(layer, float(_SUPERSAMPLE))
    exact: Matte = cv2.resize(layer.astype(np.float32) / 255, (width, height), interpolation=cv2.INTER_AREA)
    if blur_px:
        exact = cv2.GaussianBlur(exact, (0, 0), blur_px)
        exact[exact < 1 / 510] = 0
        exact[exact > 1 - 1 / 510] = 1
    return exact


def disc(radius: float, centre: tuple[float, float]) -> Draw:
    return lambda layer, scale: _circle(layer, scale, centre, radius, 255)


def ring(outer: float, inner: float, centre: tuple[float, float]) -> Draw:
    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        _circle(layer, scale, centre, outer, 255)
        _circle(layer, scale, centre, inner, 0)

    return draw


def rectangle(top: float, left: float, bottom: float, right: float) -> Draw:
    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        rows, cols = (
            slice(max(round(a * scale), 0), max(round(b * scale), 0)) for a, b in ((top, bottom), (left, right))
        )
        layer[rows, cols] = 255

    return draw


def star(outer: float, inner: float, points: int, centre: tuple[float, float]) -> Draw:
    angles = np.arange(2 * points) * np.pi / points + 0.1
    radii = np.where(np.arange(2 * points) % 2 == 0, outer, inner)
    corners = np.stack([centre[0] + radii * np.sin(angles), centre[1] + radii * np.cos(angles)], axis=1)
    return lambda layer, scale: _polygon(layer, scale, corners)


def hairs(radius: float, length: float, count: int, width: float, centre: tuple[float, float], seed: int = 0) -> Draw:
    """A disc with curved hairs of `width` pixels that end `length` outside of it."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, 2 * np.pi, count)
    bends = rng.normal(0, 0.25, count)
    ends = radius + length * rng.uniform(0.4, 1, count)

    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        _circle(layer, scale, centre, radius, 255)
        for start, bend, end in zip(starts, bends, ends, strict=True):
            t = np.linspace(0, 1, 24)
            r, a = radius * 0.9 + t * (end - radius * 0.9), start + bend * t**2
            curve = np.stack([centre[1] + r * np.cos(a), centre[0] + r * np.sin(a)], axis=1)
            points = np.rint((curve * scale - 0.5) * (1 << _FIXED_POINT_BITS)).astype(np.int32)
            thickness = max(1, round(width * scale))
            cv2.polylines(layer, [points], False, 255, thickness, cv2.LINE_8, _FIXED_POINT_BITS)

    return draw


def frame(outer: tuple[float, float, float, float], bar: float, bars: int) -> Draw:
    """A grille: a (top, left, bottom, right) frame of bars `bar` pixels thick with upright bars inside."""
    top, left, bottom, right = outer

    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        rectangle(top, left, top + bar, right)(layer, scale)
        rectangle(bottom - bar, left, bottom, right)(layer, scale)
        for at in np.linspace(left, right - bar, bars):
            rectangle(top, at, bottom, at + bar)(layer, scale)

    return draw


def solid(height: int, width: int, color: tuple[int, int, int]) -> Image:
    return np.full((height, width, 3), color, np.uint8)


def gradient(height: int, width: int, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image:
    t = np.linspace(0, 1, height)[:, None, None]
    image = (1 - t) * np.array(top) + t * np.array(bottom)
    return np.ascontiguousarray(np.broadcast_to(np.rint(image), (height, width, 3)).astype(np.uint8))


def texture(
    height: int, width: int, color: tuple[int, int, int], contrast: float, grain_px: float, seed: int = 0
) -> Image:
    """Smooth random texture: `contrast` is the standard deviation in bytes, `grain_px` the size of its blobs."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), grain_px)
    noise = 0.7 * noise.mean(axis=2, keepdims=True) + 0.3 * noise
    noise *= contrast / max(float(noise.std()), 1e-6)
    image: Image = np.clip(np.rint(np.array(color) + noise), 0, 255).astype(np.uint8)
    return image


def stripes(height: int, width: int, one: tuple[int, int, int], other: tuple[int, int, int], period_px: float) -> Image:
    rows, cols = np.mgrid[0:height, 0:width]
    wave = 0.5 + 0.5 * np.clip(4 * np.sin(2 * np.pi * (0.8 * cols + 0.6 * rows) / period_px), -1, 1)
    image: Image = np.rint(wave[..., None] * np.array(one) + (1 - wave[..., None]) * np.array(other)).astype(np.uint8)
    return image


def coarse(matte: Matte, side_px: int = 320) -> Matte:
    """What a network working at `side_px` makes of a matte: averaged down, softened and enlarged again."""
    height, width = matte.shape
    scale = side_px / max(height, width)
    small = cv2.resize(
        matte, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), 0.6)
    large: Matte = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(large, 0, 1)


def _circle(layer: NDArray[np.uint8], scale: float, centre: tuple[float, float], radius: float, value: int) -> None:
    one = 1 << _FIXED_POINT_BITS
    row, col = (round((c * scale - 0.5) * one) for c in centre)
    cv2.circle(layer, (col, row), round(radius * scale * one), value, -1, cv2.LINE_8, _FIXED_POINT_BITS)


def _polygon(layer: NDArray[np.uint8], scale: float, corners: NDArray[np.float64]) -> None:
    """Fill a polygon of (row, col) corners."""
    one = 1 << _FIXED_POINT_BITS
    points = np.rint((corners[:, ::-1] * scale - 0.5) * one).astype(np.int32)
    cv2.fillPoly(layer, [points], 255, cv2.LINE_8, _FIXED_POINT_BITS)
