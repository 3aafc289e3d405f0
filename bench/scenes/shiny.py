"""Chrome, polished metal and mirror-like lacquer, each drawn from a seed. Lengths are centimetres, z is up."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from bench.scenes import meshes, textures
from bench.scenes.materials import Material, metal, plastic, srgb, texture
from bench.scenes.meshes import rotation
from bench.scenes.scenes import Part
from bench.scenes.shapes import ball, box, disc, hollow, loft, ring, tube, turned

_TINTS = ((236, 236, 240), (236, 236, 240), (244, 208, 130), (238, 172, 140))


def _chrome(rng: Generator) -> Material:
    return metal(srgb(*_TINTS[int(rng.integers(len(_TINTS)))]), float(rng.uniform(0.015, 0.07)))


def _black() -> Material:
    return plastic(srgb(20, 20, 22), 0.12)


def kettle(rng: Generator) -> list[Part]:
    """A kettle with a spout and a black handle over it."""
    tall, swell = rng.uniform(8, 11), rng.uniform(6.8, 8)
    outline = [(0, 0), (6.2, 0), (swell, tall * 0.3), (6.2, tall * 0.75), (3.2, tall), (0, tall)]
    coat = _chrome(rng)
    lid = turned([(0, tall - 0.2), (3.4, tall - 0.2), (2.9, tall + 0.5), (0, tall + 1.1)], 0.3)
    spout = [(-4.6, 0, tall * 0.3), (-8.2, 0, tall * 0.35), (-8.8, 0, tall * 0.75), (-11, 0, tall)]
    high = tall * rng.uniform(1.5, 1.8)
    arch = [(-5, 0, tall * 0.8), (-6, 0, high), (0, 0, high * 1.1), (6, 0, high), (5, 0, tall * 0.8)]
    return [
        Part(turned(outline, 1.5), coat),
        Part(lid, coat),
        Part(ball((0.9, 0.9, 0.8), 18).moved((0, 0, tall + 1.7)), _black()),
        Part(tube(spout, 2.2, 2.6, (0, 1, 0), 0.5), coat),
        Part(tube(arch, 1.3, 0.8, (0, 1, 0)), _black()),
    ]


def baubles(rng: Generator) -> list[Part]:
    """Three mirror balls with caps and loops."""
    parts = []
    for x, size in ((-6.2, 2.8), (0.4, 3.6), (7.0, 2.6)):
        coat = _chrome(rng)
        parts.append(Part(ball((size, size, size), 60).moved((x, 0, size)), coat))
        parts.append(Part(disc(size * 0.25, 2 * size - 0.1, 2 * size + 0.5, 0.08).moved((x, 0, 0)), _chrome(rng)))
        loop = ring(size * 0.14, 0.08, 0.08).moved((x, 0, 2 * size + 0.5 + size * 0.14), rotation("x", 90))
        parts.append(Part(loop, _chrome(rng)))
    return parts


def shaker(rng: Generator) -> list[Part]:
    """A cocktail shaker of three pieces."""
    coat, tall = _chrome(rng), rng.uniform(11, 13)
    body = turned([(0, 0), (3.1, 0), (4.2, tall), (0, tall)], 0.3)
    shoulder = turned([(0, tall), (4.3, tall), (4.1, tall + 2.5), (2.2, tall + 4.5), (0, tall + 4.5)], 0.8)
    cap = turned([(0, tall + 4.5), (2.3, tall + 4.5), (1.9, tall + 7), (0, tall + 7.3)], 0.5)
    return [Part(body, coat), Part(shoulder, coat), Part(cap, coat)]


def tap(rng: Generator) -> list[Part]:
    """A basin tap with an arched spout and a lever."""
    coat, high = _chrome(rng), rng.uniform(15, 20)
    neck = [(0, 0, 0.5), (0, 0, high * 0.9), (-1.5, 0, high * 1.15), (-7, 0, high * 1.15), (-8.5, 0, high * 0.75)]
    return [
        Part(disc(2.6, 0, 0.7, 0.2), coat),
        Part(disc(1.7, 0.5, 4.5, 0.3), coat),
        Part(tube(neck, 1.8, 1.8, (0, 1, 0)), coat),
        Part(disc(1.05, -1.4, 0.4, 0.1).moved((-8.5, 0, high * 0.75)), coat),
        Part(tube([(1.2, 0, 3.5), (3.4, 0, 4.4), (6.2, 0, 6.0)], 0.8, 0.6, (0, 1, 0), 0.7), coat),
    ]


def trophy(rng: Generator) -> list[Part]:
    """A cup with two handles on a dark foot."""
    coat = metal(srgb(244, 208, 130), 0.04) if rng.random() < 0.6 else _chrome(rng)
    line = meshes.smooth([(0, 3), (2.6, 3), (0.6, 4.2), (0.6, 7), (4.4, 9.5), (4.6, 14), (5.2, 16)], 4)
    parts = [Part(hollow(line, 0.25), coat), Part(box((6.4, 6.4, 3), 0.25).moved((0, 0, 1.5)), _black())]
    for sign in (-1, 1):
        path = [(sign * 4.2, 0, 10), (sign * 7.4, 0, 10.6), (sign * 7.6, 0, 14.6), (sign * 4.7, 0, 14.8)]
        parts.append(Part(tube(path, 0.7, 0.6, (0, 1, 0)), coat))
    plate = box((4.4, 0.15, 1.5), 0.06).moved((0, -3.25, 1.5))
    return [*parts, Part(plate, metal(srgb(240, 210, 150), 0.15))]


def ring_(rng: Generator) -> list[Part]:
    """A pair of wedding bands."""
    coat = _chrome(rng)
    bands = []
    for x, size, lean in ((-2.4, 3.0, 0.0), (2.6, 2.7, 62.0)):
        band = ring(size, rng.uniform(0.35, 0.6), rng.uniform(0.8, 1.4)).moved((0, 0, 0), rotation("x", 90 - lean))
        low = float(band.vertices[:, 2].min())
        bands.append(Part(band.moved((x, -1.5 if lean else 0, -low), rotation("z", float(rng.uniform(-30, 30)))), coat))
    return bands


def pan(rng: Generator) -> list[Part]:
    """A steel saucepan with a steel handle."""
    coat, radius, tall = _chrome(rng), rng.uniform(8, 10), rng.uniform(4, 8)
    line = meshes.fillet([(0, 0), (radius * 0.92, 0), (radius, tall)], [0, 1, 0], steps=8)
    path = [(radius * 0.95, 0, tall * 0.8), (radius + 5, 0, tall * 0.95), (radius + 13, 0, tall + 1.5)]
    return [Part(hollow(line, 0.3), coat), Part(tube(path, 1.8, 0.8, (0, 1, 0)), coat)]


def toaster(rng: Generator) -> list[Part]:
    """A toaster: rounded chrome body, slots, knob and lever."""
    coat = metal(srgb(236, 236, 240), 0.05)
    levels = np.linspace(0, 1, 24)
    bulge = 1 - 0.16 * np.clip(levels - 0.55, 0, 1) ** 2 / 0.2
    body = loft([meshes.superellipse(26 * b, 14 * b, 5.0, 96) for b in bulge], 1.0 + levels * 15)
    parts = [Part(body, coat), Part(box((24, 12.5, 1.2), 0.4).moved((0, 0, 0.6)), _black())]
    parts += [Part(box((17, 1.9, 0.3), 0.1).moved((0, y, 16.1)), _black()) for y in (-2.4, 2.4)]
    parts.append(Part(box((0.9, 3.4, 1.0), 0.3).moved((13.4, 0, 11)), _black()))
    dial = turned([(0, 0), (1.5, 0), (1.35, 1.2), (0, 1.2)], 0.2).moved((-8, -7.0, 5), rotation("x", 90))
    return [*parts, Part(dial, _black())]


def piano_vase(rng: Generator) -> list[Part]:
    """A vase lacquered black or white, as glossy as a piano."""
    level = int(rng.choice([12, 248]))
    line = meshes.smooth([(0, 0), (2.6, 0), (4.6, 3), (5.0, 8), (1.6, 13), (1.3, 17), (2.4, 19)], 4)
    return [Part(hollow(line * rng.uniform(0.85, 1.1, 2), 0.35), plastic(srgb(level, level, level), 0.012))]


def thermos(rng: Generator) -> list[Part]:
    """A brushed flask with a printed sleeve and a cup for a lid."""
    tall = rng.uniform(18, 22)
    coat = metal(srgb(236, 236, 240), 0.09)
    sleeve = meshes.lathe(np.array([[3.53, 4.0], [3.53, 11.0]]), segments=96)
    picture = textures.label(900, 300, int(rng.integers(1 << 30)), (30, 34, 40))
    return [
        Part(turned([(0, 0), (3.5, 0), (3.5, tall), (0, tall)], 0.6), coat),
        Part(sleeve, plastic(texture(picture), 0.15)),
        Part(turned([(0, tall), (3.1, tall), (3.3, tall + 5), (0, tall + 5.3)], 0.5), coat),
    ]
