"""Drawn glass and floors that mirror, of which every layer is known.

A vessel is seen from the front, so that the path of light through it follows from its outline: T is what its walls and
its liquid leave of the backdrop's light, F_s what its surface adds. The photo is F_s + T * B in linear light, the truth
on white F_s + T. Places are (row, col) in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import srgb_to_linear
from tests.helpers.composites import Image, Matte, draw_matte, rectangle, to_srgb_bytes

Linear = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Glass:
    """A vessel of glass and what it was made from.

    photo, on_white: (H, W, 3) uint8 sRGB.
    silhouette: (H, W) float32 in [0, 1], how much of a pixel the vessel covers.
    transmission, surface: (H, W, 3) float32 linear light, T and F_s; 1 and 0 outside of the vessel.
    opaque: (H, W) bool, label and cap.
    """

    photo: Image
    on_white: Image
    silhouette: Matte
    transmission: Linear
    surface: Linear
    opaque: NDArray[np.bool_]


def vessel(
    backdrop: Image,
    *,
    tint: tuple[float, float, float] = (0.96, 0.97, 0.96),
    label: tuple[int, int, int] | None = (225, 220, 210),
    cap: tuple[int, int, int] | None = (40, 40, 44),
    noise: float = 1.0,
    seed: int = 0,
) -> Glass:
    """A bottle in the middle of a backdrop.

    Args:
        backdrop: (H, W, 3) uint8 sRGB.
        tint: what is left of light on its way through the bottle's middle, linear, per channel.
        label, cap: their sRGB colours; None for none.
        noise: standard deviation in sRGB bytes.
    """
    height, width = backdrop.shape[:2]
    half, across = _half_width(height, width)
    inside = draw_matte(height, width, _bottle, blur_px=0.6)
    outwards = np.clip(np.abs(across) / np.maximum(half, 1e-3), 0, 1)
    upright = np.sqrt(1 - np.minimum(outwards, 0.999) ** 2)

    # Walls are seen ever more aslant towards the outline; there light comes from elsewhere, or from nowhere.
    path = 0.35 / np.maximum(upright, 0.12) + 0.65 * upright
    bulk = np.asarray(tint, np.float32) ** path[..., None]
    fresnel = 0.04 + 0.96 * (1 - upright) ** 5
    rim = np.exp(-(((outwards - 0.95) / 0.035) ** 2))
    transmission = bulk * ((1 - fresnel) * (1 - 0.8 * rim))[..., None]
    softbox = 0.16 * _smooth_box(across / half, -0.72, -0.52) + 0.06 * _smooth_box(across / half, 0.55, 0.7)
    lamp = np.exp(
        -(((across / half - 0.3) / 0.05) ** 2 + ((np.mgrid[0:height, 0:width][0] / height - 0.38) / 0.05) ** 2)
    )
    surface = (0.25 * fresnel + softbox + 0.9 * lamp + 0.05 * rim)[..., None] * np.ones(3, np.float32)

    opaque = np.zeros((height, width), np.float32)
    for colour, place in ((label, (0.52, -0.7, 0.78, 0.7)), (cap, (0.1, -1.1, 0.19, 1.1))):
        if colour is None:
            continue
        part = _part(place, half, across, height) * inside
        paint = srgb_to_linear(np.array(colour, np.uint8)) * (0.75 + 0.25 * upright)[..., None]
        if colour is label:
            paint = paint * _print(height, width, seed)[..., None]
        surface = surface * (1 - part[..., None]) + paint * part[..., None]
        transmission = transmission * (1 - part[..., None])
        opaque = np.maximum(opaque, part)
    transmission = 1 + inside[..., None] * (transmission - 1)
    surface = _f32(inside[..., None] * surface)
    light = surface + transmission * srgb_to_linear(backdrop)
    photo = to_srgb_bytes(_f32(light))
    if noise:
        grain = np.random.default_rng(seed).normal(0, noise, photo.shape)
        photo = np.clip(np.rint(photo + grain), 0, 255).astype(np.uint8)
    return Glass(
        photo=photo,
        on_white=to_srgb_bytes(_f32(surface + transmission)),
        silhouette=inside,
        transmission=_f32(transmission),
        surface=surface,
        opaque=opaque > 0.99,
    )


def _f32(values: NDArray[Any]) -> Linear:
    return np.asarray(values, np.float32)


def _profile(height: int, width: int) -> list[tuple[float, float]]:
    """(row, half width) of the bottle from its mouth to its foot, in pixels."""
    wide = min(0.24 * width, 0.24 * height)
    corners = ((0.1, 0.34), (0.24, 0.34), (0.34, 0.9), (0.4, 1.0), (0.86, 1.0), (0.9, 0.93))
    return [(row * height, share * wide) for row, share in corners]


def _half_width(height: int, width: int) -> tuple[Linear, Linear]:
    rows, halves = np.array(_profile(height, width)).T
    half = np.interp(np.arange(height) + 0.5, rows, halves).astype(np.float32)
    across = np.arange(width, dtype=np.float32) + 0.5 - width / 2
    return np.broadcast_to(half[:, None], (height, width)), np.broadcast_to(across, (height, width))


def _bottle(layer: NDArray[np.uint8], scale: float) -> None:
    height, width = round(layer.shape[0] / scale), round(layer.shape[1] / scale)
    right = np.array([(width / 2 + half, row) for row, half in _profile(height, width)])
    left = np.array([(width / 2 - half, row) for row, half in reversed(_profile(height, width))])
    points = np.rint((np.concatenate([right, left]) * scale - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(layer, [points], 255, cv2.LINE_8, 4)


def _part(place: tuple[float, float, float, float], half: Linear, across: Linear, height: int) -> Matte:
    """Coverage of (top, left, bottom, right): rows as shares of the height, columns of the bottle's half width."""
    top, left, bottom, right = place
    rows = draw_matte(height, 1, rectangle(top * height, 0, bottom * height, 1))
    columns = np.clip(across - left * half + 0.5, 0, 1) * np.clip(right * half - across + 0.5, 0, 1)
    return _f32(rows * columns)


def _print(height: int, width: int, seed: int) -> Matte:
    """Letters of sorts: dark bars on the label's paper."""
    rng = np.random.default_rng(seed)
    paper = np.ones((height, width), np.float32)
    for row in np.arange(0.57, 0.75, 0.045):
        left = width // 2 - round(width * 0.1)
        for _ in range(6):
            right = left + round(width * rng.uniform(0.01, 0.04))
            paper[round(row * height) : round((row + 0.02) * height), left:right] = 0.08
            left = right + round(width * 0.008)
    return _f32(cv2.GaussianBlur(paper, (0, 0), 0.6))


def _smooth_box(at: Linear, low: float, high: float) -> Linear:
    """1 from low to high, with soft sides."""
    return _f32((1 + np.tanh((at - low) / 0.04)) * (1 - np.tanh((at - high) / 0.04)) / 4)
