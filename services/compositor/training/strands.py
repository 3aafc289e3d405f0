"""Mattes drawn from numbers: fur, loose hair, meshes, feathers and plain shapes, whose coverage is exact.

Real cutouts with true alpha are nearly all hard objects; what is thin has to come from somewhere. Everything is drawn
at four times the size and averaged, so that a strand a fifth of a pixel wide covers a fifth of it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Matte = NDArray[np.uint8]
Points = NDArray[np.float64]

_FINER = 4
_SHIFT = 4  # fractional bits of OpenCV's coordinates


def draw_matte(rng: np.random.Generator, side: int) -> Matte:
    """One matte (side, side) uint8."""
    kinds = (_fur, _hair, _mesh, _feather, _shape)
    kind = kinds[rng.choice(len(kinds), p=[0.34, 0.2, 0.13, 0.13, 0.2])]
    canvas = np.zeros((side * _FINER, side * _FINER), np.uint8)
    kind(rng, canvas)
    return np.asarray(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _lines(canvas: Matte, lines: list[Points], width: float) -> None:
    """Polylines of a width in pixels of the finished matte."""
    points = [np.rint(line * _FINER * (1 << _SHIFT)).astype(np.int32) for line in lines]
    cv2.polylines(canvas, points, False, 255, max(1, round(width * _FINER)), cv2.LINE_8, _SHIFT)


def _fill(canvas: Matte, outline: Points, value: int = 255) -> None:
    cv2.fillPoly(canvas, [np.rint(outline * _FINER * (1 << _SHIFT)).astype(np.int32)], value, cv2.LINE_8, _SHIFT)


def _outline(rng: np.random.Generator, side: float, wobble: float, points: int = 240) -> Points:
    """A closed curve around somewhere near the middle: a circle with random low harmonics."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = np.full(points, 1.0)
    for order in range(1, 9):
        radius += wobble * rng.normal() / order * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.3, None) * rng.uniform(0.16, 0.36) * side
    centre = side * rng.uniform(0.35, 0.65, 2)
    stretch = rng.uniform(0.6, 1.6)
    return np.stack([centre[0] + radius * np.cos(angle) * stretch, centre[1] + radius * np.sin(angle)], axis=1)


def _curve(rng: np.random.Generator, start: Points, direction: float, length: float, bend: float) -> Points:
    """A line of a given length that turns by about `bend` radians on its way."""
    steps = 10
    turns = direction + np.cumsum(rng.normal(bend / steps, abs(bend) * 0.4 / steps + 0.02, steps))
    step = length / steps
    moves = np.stack([np.cos(turns), np.sin(turns)], axis=1) * step
    return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])


def _fur(rng: np.random.Generator, canvas: Matte) -> None:
    side = canvas.shape[0] / _FINER
    outline = _outline(rng, side, 0.12)
    _fill(canvas, outline)
    centre = outline.mean(axis=0)
    is_plush = rng.random() < 0.45
    length = rng.uniform(0.02, 0.2) * side
    width = rng.uniform(0.25, 0.7) if is_plush else np.exp(rng.uniform(np.log(0.3), np.log(2.2)))
    count = np.exp(rng.uniform(np.log(1_200), np.log(6_000))) if is_plush else rng.uniform(150, 900)
    comb, mess, bend = rng.normal(0, 0.7), rng.uniform(0.05, 0.6), rng.normal(0, 0.8)
    tuft = rng.uniform(0, 1.2)  # strands of a tuft lean the same way
    phase = rng.uniform(0, 2 * np.pi, 3)
    for _ in range(int(count)):
        root = outline[rng.integers(len(outline))]
        out = np.arctan2(*(root - centre)[::-1])
        lean = tuft * np.sin(out * rng.choice([9, 17, 31]) + phase[0]) * 0.5
        _lines(
            canvas,
            [_curve(rng, root, out + comb + lean + rng.normal(0, mess), length * rng.uniform(0.3, 1.2), bend)],
            width * rng.uniform(0.5, 1.2),
        )


def _hair(rng: np.random.Generator, canvas: Matte) -> None:
    side = canvas.shape[0] / _FINER
    if rng.random() < 0.7:
        _fill(canvas, _outline(rng, side, 0.1))
    origin = side * rng.uniform(-0.1, 1.1, 2)
    direction = np.arctan2(*(side / 2 - origin)[::-1])
    width = np.exp(rng.uniform(np.log(0.25), np.log(1.6)))
    spread, bend = rng.uniform(0.1, 0.6), rng.normal(0, 1.2)
    for _ in range(int(rng.uniform(15, 220))):
        start = origin + rng.normal(0, 0.12 * side, 2)
        length = side * rng.uniform(0.4, 1.3)
        _lines(canvas, [_curve(rng, start, direction + rng.normal(0, spread), length, bend)], width)


def _mesh(rng: np.random.Generator, canvas: Matte) -> None:
    side = canvas.shape[0] / _FINER
    spacing, width = rng.uniform(4, 26), np.exp(rng.uniform(np.log(0.5), np.log(4)))
    angle, skew = rng.uniform(0, np.pi), rng.uniform(0.5, np.pi - 0.5)
    sway, waves = rng.uniform(0, 0.4) * spacing, rng.uniform(0, 6)
    along = np.linspace(-side, side, 40)
    for turn in (angle, angle + skew)[: 1 if rng.random() < 0.25 else 2]:
        ahead, beside = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        for offset in np.arange(-side, side, spacing):
            swing = offset + sway * np.sin(along / side * np.pi * waves + offset)
            _lines(canvas, [side / 2 + along[:, None] * ahead + swing[:, None] * beside], width)
    if rng.random() < 0.7:
        inside = np.zeros_like(canvas)
        _fill(inside, _outline(rng, side, 0.15))
        canvas[inside == 0] = 0
        if rng.random() < 0.5:
            cv2.drawContours(
                canvas, cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], -1, 255, round(3 * width)
            )


def _feather(rng: np.random.Generator, canvas: Matte) -> None:
    side = canvas.shape[0] / _FINER
    for _ in range(int(rng.integers(1, 7))):
        start = side * rng.uniform(0.1, 0.9, 2)
        stem = _curve(rng, start, rng.uniform(0, 2 * np.pi), side * rng.uniform(0.3, 0.8), rng.normal(0, 0.5))
        _lines(canvas, [stem], rng.uniform(0.8, 3))
        barb, lean = side * rng.uniform(0.05, 0.22), rng.uniform(0.4, 1.2)
        width = np.exp(rng.uniform(np.log(0.3), np.log(1.5)))
        for share in np.linspace(0, 1, int(rng.uniform(12, 90))):
            place = share * (len(stem) - 1)
            index = min(int(place), len(stem) - 2)
            root = stem[index] + (place - index) * (stem[index + 1] - stem[index])
            way = np.arctan2(*(stem[index + 1] - stem[index])[::-1])
            for to_side in (-1, 1):
                length = barb * np.sin(np.pi * (0.15 + 0.85 * share)) * rng.uniform(0.7, 1.1)
                _lines(canvas, [_curve(rng, root, way + to_side * lean, length, rng.normal(0, 0.3))], width)


def _shape(rng: np.random.Generator, canvas: Matte) -> None:
    side = canvas.shape[0] / _FINER
    for _ in range(int(rng.integers(1, 4))):
        points = int(rng.choice([4, 5, 7, 240]))
        _fill(canvas, _outline(rng, side, rng.uniform(0, 0.4), points))
    for _ in range(int(rng.integers(0, 4))):
        _fill(
            canvas, (_outline(rng, side, 0.2) - side / 2) * rng.uniform(0.05, 0.4) + side * rng.uniform(0.2, 0.8, 2), 0
        )
    for _ in range(int(rng.integers(0, 4))):
        _lines(
            canvas,
            [_curve(rng, side * rng.uniform(0, 1, 2), rng.uniform(0, 7), side, rng.normal())],
            rng.uniform(0.5, 6),
        )
