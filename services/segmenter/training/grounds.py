"""Grounds: what a product stands on and before, without the product. All are (S, S, 3) uint8 RGB."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.training.pack import Labelled

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


def colour(rng: np.random.Generator, lightness: tuple[float, float] = (0.1, 1.0)) -> Floats:
    """A colour (3,) in [0, 255], more often greyish than not, as sets are."""
    value = rng.uniform(*lightness)
    saturation = rng.beta(1, 4)
    hsv = np.array([[[rng.uniform(0, 360), saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255, np.float32)


def smooth_noise(rng: np.random.Generator, side: int, cells: int) -> Floats:
    """(S, S) in [-1, 1], with about `cells` bumps along a side."""
    coarse = rng.uniform(-1, 1, (cells + 1, cells + 1)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def sweep(rng: np.random.Generator, side: int) -> Image:
    """A paper sweep: one colour, white more often than not, its light falling off softly."""
    base = _whitish(rng)
    rows, cols = np.mgrid[0:side, 0:side].astype(np.float32) / side
    angle = rng.uniform(0, 2 * np.pi)
    along = (np.cos(angle) * (cols - 0.5) + np.sin(angle) * (rows - 0.5)) * rng.uniform(0, 0.4)
    around = -np.hypot(rows - rng.uniform(0.2, 0.8), cols - rng.uniform(0.2, 0.8)) * rng.uniform(0, 0.4)
    light = 1 + along + around + smooth_noise(rng, side, 3) * rng.uniform(0, 0.08)
    if rng.random() < 0.5:  # the table bends into the wall
        bend = 0.5 + 0.5 * np.tanh((rows - rng.uniform(0.3, 0.8)) / rng.uniform(0.01, 0.2))
        light = light + bend * rng.uniform(-0.15, 0.15)
    return np.asarray(np.clip(base * light[..., None], 0, 255), np.uint8)


def cloth(rng: np.random.Generator, side: int) -> Image:
    """A sheet laid out by hand, white more often than not: folds and creases that catch the light."""
    light = np.ones((side, side), np.float32)
    depth = rng.uniform(0.03, 0.3)
    for cells in (2, 4, 8, 16):
        folds = smooth_noise(rng, side, cells)
        creased = 1 - 2 * np.abs(folds) if rng.random() < 0.5 else folds
        light += np.float32(depth * rng.uniform(0.2, 1) / np.sqrt(cells)) * creased
    return np.asarray(np.clip(_whitish(rng) * light[..., None], 0, 255), np.uint8)


def _whitish(rng: np.random.Generator) -> Floats:
    """Half of the time a white (3,), else any colour."""
    white = rng.random() < 0.5
    return np.asarray(rng.uniform(215, 256) + rng.uniform(-6, 6, 3) if white else colour(rng), np.float32)


def texture(rng: np.random.Generator, side: int, grounds: Sequence[Image]) -> Image:
    """A crop of one surface, turned and zoomed; sometimes a floor in perspective before a wall."""
    picked = _crop(rng, side, grounds[int(rng.integers(len(grounds)))])
    if rng.random() < 0.6:
        return picked
    wall = sweep(rng, side) if rng.random() < 0.5 else _crop(rng, side, grounds[int(rng.integers(len(grounds)))])
    if rng.random() < 0.5:
        wall = np.asarray(cv2.GaussianBlur(wall, (0, 0), side * rng.uniform(0.005, 0.03)), np.uint8)
    horizon = int(side * rng.uniform(0.2, 0.7))
    spread = rng.uniform(0.5, 2) * side
    source = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    target = np.array([[0, horizon], [side, horizon], [side + spread, side], [-spread, side]], np.float32)
    floor = cv2.warpPerspective(
        picked, cv2.getPerspectiveTransform(source, target), (side, side), borderMode=cv2.BORDER_REFLECT
    )
    wall[horizon:] = floor[horizon:]
    return wall


def clutter(rng: np.random.Generator, side: int, ground: Image, others: Sequence[Labelled]) -> Image:
    """Things that are not the product: behind it, smaller, cut by the frame or out of focus."""
    scene = ground.copy()
    for _ in range(rng.integers(1, 6)):
        other = others[int(rng.integers(len(others)))]
        scale = side * rng.uniform(0.12, 0.5) / max(other.image.shape[:2])
        size = (max(2, round(other.image.shape[1] * scale)), max(2, round(other.image.shape[0] * scale)))
        thing = cv2.resize(other.image, size, interpolation=cv2.INTER_AREA)
        matte = cv2.resize(other.matte, size, interpolation=cv2.INTER_AREA)
        # Near the frame: the middle is the product's.
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.6) * side
        top = int(side / 2 + reach * np.sin(angle) - size[1] / 2)
        left = int(side / 2 + reach * np.cos(angle) - size[0] / 2)
        paste(scene, thing, matte, top, left)
    if rng.random() < 0.6:
        scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), side * rng.uniform(0.002, 0.02)), np.uint8)
    return scene


def behind_a_photo(rng: np.random.Generator, side: int, photo: Labelled) -> Image:
    """A real photo as the set; its own product is to be covered, or lies out of focus."""
    scene = _crop(rng, side, photo.image, turn=False)
    blur = rng.uniform(0.01, 0.05) * side
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), blur), np.uint8)


def paste(scene: Image, thing: Image, matte: Image, top: int, left: int) -> None:
    """Composite in place; parts beyond the frame are lost."""
    height, width = matte.shape
    rows = slice(max(top, 0), min(top + height, scene.shape[0]))
    cols = slice(max(left, 0), min(left + width, scene.shape[1]))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    part = slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left)
    alpha = matte[part][..., None].astype(np.float32) / np.float32(255)
    scene[rows, cols] = (alpha * thing[part] + (1 - alpha) * scene[rows, cols]).astype(np.uint8)


def _crop(rng: np.random.Generator, side: int, image: Image, *, turn: bool = True) -> Image:
    height, width = image.shape[:2]
    part = rng.uniform(0.5, 1.0) * min(height, width)
    top, left = rng.uniform(0, height - part), rng.uniform(0, width - part)
    corners = np.array([[left, top], [left + part, top], [left, top + part]], np.float32)
    target = np.array([[0, 0], [side, 0], [0, side]], np.float32)
    if turn:
        target = np.roll(target, rng.integers(3), axis=0) if rng.random() < 0.3 else target
    if rng.random() < 0.5:
        target = np.stack([side - target[:, 0], target[:, 1]], axis=1)
    matrix = cv2.getAffineTransform(corners, np.asarray(target, np.float32))
    flags = cv2.INTER_AREA if part > side else cv2.INTER_LINEAR
    warped = cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
    gain = rng.uniform(0.6, 1.15) * (1 + rng.uniform(-0.08, 0.08, 3))
    return np.asarray(np.clip(warped * gain, 0, 255), np.uint8)
