"""Leafy, flowering and fringed products to train on: much outline, little inside.

Nothing here needs Mitsuba. Lengths are centimetres; z is up and the product's front looks to -y.
"""

from __future__ import annotations

import colorsys
from typing import Final

import numpy as np
from numpy.random import Generator

from bench.scenes import meshes
from bench.scenes.finishes import ceramic, colour, colour_bytes, steel, wooden, woven
from bench.scenes.kinds import Kinds
from bench.scenes.materials import Material, paint, plastic, srgb
from bench.scenes.meshes import Floats, Mesh
from bench.scenes.scenes import Part
from bench.scenes.shapes import ball, hollow, tube

_UP: Final = np.array([0.0, 0.0, 1.0])
_SHADES: Final = (0.7, 1.0, 1.2)


def leaf(root: Floats, way: Floats, length: float, width: float, droop: float, fold: float, tip: float) -> Mesh:
    """Return a blade that starts at ``root`` towards ``way``, sinks by ``droop`` lengths and is folded along its rib.

    ``tip`` in (0, 1) is where along its length it is widest.
    """
    t = np.linspace(0, 1, 9)
    way = way / np.linalg.norm(way)
    rib = root + length * (t[:, None] * way - droop * t[:, None] ** 2 * _UP)
    along = np.gradient(rib, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, _UP + 0.01 * np.array([1.0, 2.0, 0.0]))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    face = np.cross(across, along)
    power = np.log(0.5) / np.log(tip)
    half = width / 2 * np.maximum(np.sin(np.pi * t**power) ** 0.8, 0.03)
    share = half[:, None, None] * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])[None, :, None]
    return meshes.grid(rib[:, None] + share * across[:, None] + fold * abs(share) * face[:, None])


def _green(rng: Generator) -> Floats:
    """Draw a foliage colour, sRGB (3,) in [0, 1]: green, bluish, yellowish, purple or dry."""
    if rng.random() < 0.8:
        hsv = rng.uniform(0.2, 0.42), rng.uniform(0.25, 0.8), rng.uniform(0.2, 0.7)
    else:
        hsv = float(rng.choice([0.09, 0.9])) + rng.uniform(-0.05, 0.05), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.85)
    return np.array(colorsys.hsv_to_rgb(*hsv))


def _in_shades(blades: list[Mesh], tone: Floats, gloss: float | None) -> list[Part]:
    """Return the blades in three shades of a colour, by turns."""
    parts = []
    for index, shade in enumerate(_SHADES):
        some = blades[index :: len(_SHADES)]
        if some:
            red, green, blue = (int(t) for t in np.clip(255 * shade * tone, 0, 250))
            hue = srgb(red, green, blue)
            parts.append(Part(meshes.join(*some), paint(hue) if gloss is None else plastic(hue, gloss)))
    return parts


def _around(rng: Generator, rise: float) -> Floats:
    """Draw a direction (3,): any way round, ``rise`` over one sideways."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle), rise])


def _pot(rng: Generator, radius: float, tall: float) -> list[Part]:
    """A pot with its soil, standing on z = 0."""
    outline = [(0, 0), (radius * rng.uniform(0.6, 1.0), 0), (radius, tall)]
    if rng.random() < 0.4:
        outline += [(radius * 1.12, tall), (radius * 1.15, tall * 1.18)]
    line = meshes.fillet(outline, [0, *[0.25] * (len(outline) - 2), 0], steps=6)
    clay = srgb(*(int(t) for t in (rng.uniform(150, 195), rng.uniform(80, 115), rng.uniform(50, 85))))
    body = [ceramic(rng), ceramic(rng), paint(clay), woven(rng), wooden(rng), steel(rng)][int(rng.integers(6))]
    earth = ball((radius * 0.93, radius * 0.93, 0.5)).moved((0, 0, tall * 0.9))
    return [Part(hollow(line, 0.3), body), Part(earth, paint(srgb(58, 44, 34)))]


def _stem(rng: Generator, foot: Floats, reach: Floats) -> Floats:
    """Draw a stem's line (N, 3) from its foot, as far as ``reach`` (3,), bent outwards."""
    middle = foot + 0.5 * reach + (0.12 * _UP + rng.normal(0, 0.04, 3)) * np.linalg.norm(reach)
    return meshes.smooth(np.stack([foot, middle, foot + reach]), 3)


def _stalk(line: Floats, thick: float, taper: float = 1.0) -> Mesh:
    return tube([tuple(point) for point in line[:: len(line) // 4]], thick, thick, (1, 0.2, 0), taper)


def plant(rng: Generator) -> list[Part]:
    """A potted plant: a tuft of long blades, stems with leaves along them, or a rosette of thick leaves."""
    radius, tall = rng.uniform(3, 6), rng.uniform(4, 9)
    top = np.array([0.0, 0.0, tall])
    blades: list[Mesh] = []
    stems: list[Mesh] = []
    growth = rng.random()
    if growth < 0.3:
        long, wide, stiff = rng.uniform(8, 20), rng.uniform(0.25, 1.6), rng.uniform(0.1, 0.8)
        for _ in range(int(rng.integers(25, 110))):
            foot = top + _around(rng, 0) * radius * 0.5 * rng.random()
            way = _around(rng, rng.uniform(0.4, 4))
            blades.append(leaf(foot, way, long * rng.uniform(0.5, 1.1), wide, stiff * rng.random(), 0.3, 0.3))
    elif growth < 0.85:
        high, spread = rng.uniform(8, 24), rng.uniform(0.2, 0.9)
        long = rng.uniform(1.5, 7)
        wide, sunk = long * rng.uniform(0.15, 0.7), rng.uniform(0, 0.6)
        for _ in range(int(rng.integers(4, 26))):
            foot = top + _around(rng, 0) * radius * 0.4 * rng.random()
            line = _stem(rng, foot, high * rng.uniform(0.5, 1.0) * (_around(rng, 0) * spread * rng.random() + _UP))
            stems.append(_stalk(line, 0.25, 0.6))
            for at in np.linspace(rng.uniform(0.15, 0.5), 1, int(rng.integers(4, 14))):
                joint = line[round(at * (len(line) - 1))]
                way = _around(rng, rng.uniform(-0.1, 0.9))
                size = rng.uniform(0.6, 1.1)
                blades.append(leaf(joint, way, long * size, wide * size, sunk * rng.random(), 0.15, 0.45))
    else:
        long = rng.uniform(3, 7)
        for ring in range(int(rng.integers(3, 6))):
            for _ in range(int(rng.integers(5, 10))):
                way = _around(rng, 0.15 + 0.55 * ring)
                blades.append(leaf(top, way, long * (1 - 0.12 * ring), long * rng.uniform(0.3, 0.5), -0.15, 0.25, 0.65))
    tone = _green(rng)
    gloss = None if rng.random() < 0.4 else float(rng.uniform(0.15, 0.4))
    parts = [*_pot(rng, radius, tall), *_in_shades(blades, tone, gloss)]
    return parts + ([Part(meshes.join(*stems), paint(srgb(96, 84, 52)))] if stems else [])


def _petals(rng: Generator, at: Floats, axis: Floats, size: float, count: int, slim: float, layers: int) -> list[Mesh]:
    """Petals about an axis (3,) at a point."""
    axis = axis / np.linalg.norm(axis)
    first = np.cross(axis, [0.31, 0.17, 0.9])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    petals = []
    for layer in range(layers):
        for index in range(count):
            angle = 2 * np.pi * (index + 0.5 * layer) / count + rng.normal(0, 0.08)
            way = np.cos(angle) * first + np.sin(angle) * second + axis * (0.25 + 0.6 * layer + rng.normal(0, 0.1))
            petals.append(leaf(at, way, size * (1 - 0.2 * layer), size * slim, rng.uniform(-0.2, 0.2), 0.2, 0.6))
    return petals


def flowers(rng: Generator) -> list[Part]:
    """A bunch of flowers: in a vase, in a pot, or bound by itself."""
    held = rng.random() < 0.7
    radius, tall = rng.uniform(2, 4), rng.uniform(6, 12)
    high, spread = rng.uniform(6, 14), rng.uniform(0.25, 0.8)
    size, count, slim = rng.uniform(1, 3.2), int(rng.integers(5, 13)), rng.uniform(0.25, 0.8)
    layers = int(rng.integers(1, 4))
    tone = np.array(colour_bytes(rng, 0.3)) / 255
    stems: list[Mesh] = []
    blades: list[Mesh] = []
    petals: list[Mesh] = []
    hearts: list[Mesh] = []
    foot = np.array([0.0, 0.0, tall * 0.6])
    for _ in range(int(rng.integers(5, 26))):
        line = _stem(
            rng, foot, (tall * 0.4 + high * rng.uniform(0.6, 1)) * (_around(rng, 0) * spread * rng.random() + _UP)
        )
        stems.append(_stalk(line, 0.22))
        petals += _petals(rng, line[-1], line[-1] - line[-3] + rng.normal(0, 0.15, 3), size, count, slim, layers)
        hearts.append(ball((size * 0.2,) * 3, 12).moved(line[-1]))
        for _ in range(int(rng.integers(0, 5))):
            joint = line[int(rng.integers(len(line) // 3, len(line)))]
            long = rng.uniform(2, 5)
            blades.append(
                leaf(joint, _around(rng, rng.uniform(0, 1)), long, long * rng.uniform(0.2, 0.5), 0.3, 0.2, 0.45)
            )
    parts = [Part(meshes.join(*stems), paint(srgb(84, 112, 58))), Part(meshes.join(*hearts), paint(colour(rng, 0.1)))]
    parts += _in_shades(petals, tone, None) + _in_shades(blades, _green(rng), 0.3)
    if held:
        return parts + _pot(rng, radius, tall)
    ends = [_stem(rng, foot, tall * 0.6 * (_around(rng, 0) * 0.3 * rng.random() - _UP)) for _ in range(9)]
    cut = [_stalk(line, 0.22) for line in ends]
    return [
        *parts,
        Part(meshes.join(*cut), paint(srgb(84, 112, 58))),
        Part(ball((1.2, 1.2, 0.9)).moved(foot), woven(rng)),
    ]


def fringe(rng: Generator) -> list[Part]:
    """Yarn that hangs side by side: a scarf's or a throw's fringe, a wall hanging, a mop."""
    wide, cloth, long = rng.uniform(8, 22), rng.uniform(1, 14), rng.uniform(6, 18)
    tones: list[Material] = [paint(colour(rng, 0.25)) for _ in range(int(rng.choice([1, 2, 4, 7])))]
    cords: list[list[Mesh]] = [[] for _ in tones]
    thick, tidy = rng.uniform(0.15, 0.5), rng.uniform(0.1, 0.7)
    for row in range(int(rng.integers(1, 4))):
        for x in np.arange(-wide / 2, wide / 2, thick * rng.uniform(1.0, 2.2)):
            end = long * rng.uniform(0.75, 1.05)
            steps = np.linspace(0, 1, 6)
            sway = np.cumsum(rng.normal(0, tidy * 0.5, (6, 2)), axis=0) * [1, 0.4]
            line = np.stack([x + sway[:, 0], 0.4 * thick * row + sway[:, 1], -end * steps], axis=1)
            line[0, :2] = x, 0.4 * thick * row
            cords[int(rng.integers(len(tones)))].append(tube([tuple(p) for p in line], thick, thick, (1, 0, 0)))
    parts = [Part(meshes.join(*some), tone) for some, tone in zip(cords, tones, strict=True) if some]
    columns, rows = np.linspace(0, 1, 40), np.linspace(0, 1, 12)
    waves = rng.uniform(0, 0.8) * np.sin(2 * np.pi * (columns * rng.uniform(1, 4) + rng.random()))
    points = np.stack(np.broadcast_arrays((columns - 0.5) * wide, waves * rows[:, None], cloth * rows[:, None]), axis=2)
    parts.append(Part(meshes.grid(points), woven(rng) if rng.random() < 0.6 else tones[0]))
    if rng.random() < 0.5:
        bar = [(-0.56 * wide, 0.0, cloth), (0.0, 0.0, cloth), (0.56 * wide, 0.0, cloth)]
        parts.append(Part(tube(bar, 0.9, 0.9, (0, 1, 0)), wooden(rng)))
    return parts


KINDS: Final[Kinds] = {
    "plant": (plant, 5.0),
    "flowers": (flowers, 3.0),
    "fringe": (fringe, 3.0),
}
