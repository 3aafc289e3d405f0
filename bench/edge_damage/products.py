"""Products with exact matte and exact colour, ready to be laid on a white canvas."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import linear_to_srgb, srgb_to_linear
from tests.helpers import composites

FILL = 0.87
SIDES_PX = (1000, 1200, 1000, 1600)
# Old backgrounds that a bad cut leaves traces of; none is so light that its traces could not be seen on white.
_BACKGROUNDS = ((34, 36, 40), (60, 120, 62), (120, 84, 52), (150, 152, 156), (58, 84, 150), (176, 60, 52))


@dataclass(frozen=True, slots=True)
class Product:
    """A product on its canvas.

    matte: float32 (S, S), exact. foreground, background: uint8 (S, S, 3) sRGB, defined everywhere.
    group: "solid", "detailed" (lace, text, teeth, wire), "hairy" or "clear" for drawn ones, else the scene's own.
    """

    name: str
    group: str
    matte: composites.Matte
    foreground: composites.Image
    background: composites.Image


def drawn_names() -> list[str]:
    """Names of the drawn products, each a shape and a seed."""
    return [f"{shape}-{seed}" for shape in _SHAPES for seed in range(2)]


def group_of(name: str) -> str:
    """A drawn product's group."""
    return _SHAPES[name.partition("-")[0]][0]


def drawn(name: str) -> Product:
    """Draw a product from its name; the same name gives the same pixels."""
    shape, _, number = name.partition("-")
    index = list(_SHAPES).index(shape)
    rng = np.random.default_rng(1000 * index + int(number))
    side = SIDES_PX[(index + int(number)) % len(SIDES_PX)]
    group, draw_of = _SHAPES[shape]
    # A product out of focus has a soft edge although it is cut cleanly.
    blur_px = float(rng.choice([0.45, 0.6, 0.8, 1.8])) * side / 1400
    matte = composites.draw_matte(side, side, draw_of(side, rng), blur_px=blur_px)
    foreground = _surface(rng, side, matte, blur_px)
    if group == "clear":
        matte, foreground = _glass(matte, foreground, rng)
    return Product(name, group, matte, foreground, _background(rng, side))


def _rendered(name: str, group: str, matte: composites.Matte, foreground: composites.Image, seed: int) -> Product:
    """Lay a rendered scene's product on a canvas, as large as a packshot asks and its own pixels allow."""
    rows, cols = np.nonzero(matte > 0.02)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    longest = max(box[0].stop - box[0].start, box[1].stop - box[1].start)
    side = SIDES_PX[seed % len(SIDES_PX)]
    scale = min(1.0, FILL * side / longest)
    side = max(1000, min(side, round(longest / FILL)))
    size = (round((box[1].stop - box[1].start) * scale), round((box[0].stop - box[0].start) * scale))
    alpha = cv2.resize(matte[box], size, interpolation=cv2.INTER_AREA)
    # Averaged with the coverage as weight, so that no colour of uncovered pixels gets in.
    weighted = (
        cv2.resize(srgb_to_linear(foreground[box]) * matte[box][..., None], size, interpolation=cv2.INTER_AREA)
        / np.maximum(alpha, 1e-4)[..., None]
    )
    plain = cv2.resize(foreground[box], size, interpolation=cv2.INTER_AREA)
    color = np.where(alpha[..., None] > 1e-3, linear_to_srgb(np.clip(weighted, 0, 1)), plain)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    margins = (top, side - size[1] - top, left, side - size[0] - left)
    canvas_matte = cv2.copyMakeBorder(alpha, *margins, cv2.BORDER_CONSTANT, value=0)
    canvas_color = cv2.copyMakeBorder(color, *margins, cv2.BORDER_REPLICATE)
    return Product(name, group, canvas_matte, canvas_color, _background(np.random.default_rng(seed), side))


def rendered_names(folder: Path) -> list[tuple[str, str, int]]:
    """Name (GROUP-NUMBER-WHAT), group and number of the rendered edge scenes that scenes.csv in a folder lists."""
    with (folder / "scenes.csv").open(encoding="utf-8") as file:
        return [(row["name"], row["group"], int(row["name"].split("-")[1])) for row in csv.DictReader(file)]


def rendered_from(folder: Path, name: str, group: str, seed: int) -> Product:
    """Read a rendered scene and lay its product on a canvas."""
    matte = cv2.imread(str(folder / f"{name}.matte.png"), cv2.IMREAD_UNCHANGED)
    foreground = cv2.imread(str(folder / f"{name}.foreground.png"), cv2.IMREAD_COLOR)
    if matte is None or foreground is None:
        raise FileNotFoundError(f"{folder / name}: matte or foreground is missing")
    scale = 65535 if matte.dtype == np.uint16 else 255
    return _rendered(name, group, (matte / np.float32(scale)).astype(np.float32), foreground[..., ::-1].copy(), seed)


def _surface(rng: np.random.Generator, side: int, matte: composites.Matte, blur_px: float) -> composites.Image:
    """Print, texture, light from one side, a rim darker or lighter as round things have, and grain."""
    level = float(rng.choice([25, 70, 120, 170, 215]))
    color = np.clip(level + rng.normal(0, 25, 3), 8, 232)
    red, green, blue = (int(c) for c in color)
    image = _textured(rng, side, (red, green, blue), float(rng.uniform(3, 18)), grain=300)
    for _ in range(14):
        start, end = rng.uniform(0.12, 0.88, (2, 2)) * side
        ink = tuple(int(c) for c in rng.integers(0, 235, 3))
        cv2.line(image, start.astype(int).tolist(), end.astype(int).tolist(), ink, max(1, side // 250), cv2.LINE_AA)
    depth = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    light = np.linspace(1.0, float(rng.uniform(0.6, 0.95)), side, dtype=np.float32)[None, :]
    light = light * (1 + float(rng.uniform(-0.35, 0.2)) * np.exp(-depth / (0.04 * side)))
    grain = rng.standard_normal((side, side), np.float32) * np.float32(rng.uniform(0.3, 2))
    lit = cv2.GaussianBlur(image * light.astype(np.float32)[..., None], (0, 0), blur_px) + grain[..., None]
    surface: composites.Image = np.clip(np.rint(lit), 0, 240).astype(np.uint8)
    return surface


def _textured(
    rng: np.random.Generator, side: int, color: tuple[int, int, int], contrast: float, grain: float
) -> composites.Image:
    """Smooth random texture with blobs of 1/grain of the side, drawn small and enlarged for speed."""
    small = composites.texture(side // 4, side // 4, color, contrast, side / 4 / grain, int(rng.integers(999)))
    image: composites.Image = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return image


def _background(rng: np.random.Generator, side: int) -> composites.Image:
    color = _BACKGROUNDS[int(rng.integers(len(_BACKGROUNDS)))]
    return _textured(rng, side, color, float(rng.uniform(2, 14)), grain=80)


def _glass(
    matte: composites.Matte, foreground: composites.Image, rng: np.random.Generator
) -> tuple[composites.Matte, composites.Image]:
    """Clear inside, dark towards the outline, with highlights and an opaque label."""
    side = matte.shape[0]
    depth = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    wall = np.exp(-depth / (0.012 * side))
    clear = float(rng.uniform(0.08, 0.35))
    alpha = matte * np.clip(clear + (0.92 - clear) * wall, 0, 1)
    shine = np.zeros_like(matte)
    cv2.line(shine, (int(0.4 * side), int(0.3 * side)), (int(0.4 * side), int(0.7 * side)), 1.0, side // 60)
    alpha = np.maximum(alpha, 0.6 * cv2.GaussianBlur(shine, (0, 0), side / 250) * matte)
    label = np.zeros_like(matte)
    cv2.rectangle(
        label, (int(0.42 * side), int(0.5 * side)), (int(0.58 * side), int(0.62 * side)), 1.0, -1, cv2.LINE_AA
    )
    alpha = np.maximum(alpha, label * matte)
    tint = np.array(rng.uniform(40, 150, 3))
    color = np.where((label > 0.5)[..., None], foreground, tint * (0.5 + 0.5 * depth / depth.max())[..., None])
    color = np.where((shine > 0.3)[..., None], 240, color)
    return alpha.astype(np.float32), np.clip(np.rint(color), 0, 255).astype(np.uint8)


def _polygon(corners: NDArray[np.float64], rounding: float = 0.0) -> composites.Draw:
    """Fill a polygon of (row, col) corners, its corners rounded by a radius."""

    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        points = np.rint((corners[:, ::-1] * scale - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(layer, [points], 255, cv2.LINE_8, 4)
        if rounding:
            cv2.polylines(layer, [points], True, 255, round(2 * rounding * scale), cv2.LINE_8, 4)

    return draw


def _turned(points: NDArray[np.float64], side: int, degrees: float) -> NDArray[np.float64]:
    """Points in units of half the fill around the middle, turned and placed on the canvas."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed: NDArray[np.float64] = points @ turn.T * FILL * side / 2 + side / 2
    return placed


def _box(side: int, rng: np.random.Generator) -> composites.Draw:
    corners = np.array([[-0.8, -0.45], [-0.8, 0.45], [0.8, 0.45], [0.8, -0.45]])
    return _polygon(_turned(corners, side, float(rng.uniform(3, 40))))


def _bottle(side: int, rng: np.random.Generator) -> composites.Draw:
    half = [(-0.95, 0.13), (-0.55, 0.13), (-0.3, 0.38), (0.9, 0.38)]
    corners = np.array(half + [(row, -col) for row, col in half[::-1]])
    return _polygon(_turned(corners, side, float(rng.uniform(-4, 4))), rounding=side / 40)


def _oval(side: int, rng: np.random.Generator) -> composites.Draw:
    around = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    points = np.stack([0.6 * np.sin(around), 0.97 * np.cos(around)], axis=1)
    return _polygon(_turned(points, side, float(rng.uniform(5, 85))))


def _ring(side: int, rng: np.random.Generator) -> composites.Draw:
    return composites.ring(FILL * side / 2, FILL * side * float(rng.uniform(0.2, 0.42)), (side / 2, side / 2))


def _gear(side: int, rng: np.random.Generator) -> composites.Draw:
    teeth = int(rng.integers(24, 60))
    around = np.arange(4 * teeth) * np.pi / (2 * teeth)
    radius = np.where(np.arange(4 * teeth) % 4 < 2, 0.97, 0.88)
    return _polygon(_turned(np.stack([radius * np.sin(around), radius * np.cos(around)], axis=1), side, 7.0))


def _star(side: int, rng: np.random.Generator) -> composites.Draw:
    return composites.star(FILL * side / 2, FILL * side * 0.27, int(rng.integers(5, 11)), (side / 2, side / 2))


def _text(side: int, rng: np.random.Generator) -> composites.Draw:
    words = ("Home", "& Co", "1987", "Love", "Baby")
    rows = [words[int(index)] for index in rng.permutation(len(words))[:3]]

    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        size = layer.shape[0]
        font = cv2.FONT_HERSHEY_TRIPLEX
        for line, word in enumerate(rows):
            thickness = round(size * 0.018)
            (width, _), _ = cv2.getTextSize(word, font, 1.0, 1)
            at = (round(size * 0.1), round(size * (0.33 + 0.25 * line)))
            cv2.putText(layer, word, at, font, 0.78 * size / width, 255, thickness, cv2.LINE_8)

    return draw


def _lace(side: int, rng: np.random.Generator) -> composites.Draw:
    pitch = side / float(rng.uniform(26, 44))

    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        middle, radius = layer.shape[0] / 2, FILL * layer.shape[0] / 2
        cv2.circle(layer, (round(middle), round(middle)), round(radius * 0.94), 255, -1)
        for turn in np.arange(0, 2 * np.pi, 2.2 * pitch * scale / radius):
            at = (round(middle + 0.94 * radius * np.cos(turn)), round(middle + 0.94 * radius * np.sin(turn)))
            cv2.circle(layer, at, round(radius * 0.055), 255, -1)
        for row in np.arange(middle - radius, middle + radius, pitch * scale):
            for col in np.arange(middle - radius, middle + radius, pitch * scale):
                if np.hypot(row - middle, col - middle) < 0.88 * radius and (row + 1.7 * col) % 7 > 0.5:
                    cv2.circle(layer, (round(col), round(row)), round(0.33 * pitch * scale), 0, -1)

    return draw


def _fur(side: int, rng: np.random.Generator) -> composites.Draw:
    half = FILL * side / 2
    return composites.hairs(
        half * 0.8, half * 0.2, int(rng.integers(1500, 4000)), side / 700, (side / 2, side / 2), int(rng.integers(999))
    )


def _wisps(side: int, rng: np.random.Generator) -> composites.Draw:
    half = FILL * side / 2
    return composites.hairs(half * 0.7, half * 0.3, 120, side / 800, (side / 2, side / 2), int(rng.integers(999)))


def _grille(side: int, rng: np.random.Generator) -> composites.Draw:
    low, high = side * (1 - FILL) / 2, side * (1 + FILL) / 2
    return composites.frame((low, low + side * 0.1, high, high - side * 0.1), side / float(rng.uniform(30, 70)), 9)


Shape = Callable[[int, np.random.Generator], composites.Draw]
_SHAPES: dict[str, tuple[str, Shape]] = {
    "oval": ("solid", _oval),
    "box": ("solid", _box),
    "bottle": ("solid", _bottle),
    "ring": ("solid", _ring),
    "star": ("solid", _star),
    "gear": ("detailed", _gear),
    "text": ("detailed", _text),
    "lace": ("detailed", _lace),
    "grille": ("detailed", _grille),
    "fur": ("hairy", _fur),
    "wisps": ("hairy", _wisps),
    "flask": ("clear", _bottle),
}
