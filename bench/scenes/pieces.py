"""Sets of loose pieces, and things full of holes: chain, laces, wire, mesh. Lengths are centimetres, z is up."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.random import Generator

from bench.scenes import meshes, textures
from bench.scenes.materials import Material, metal, paint, plastic, srgb, texture
from bench.scenes.meshes import Floats, Mesh, rotation
from bench.scenes.scenes import Part
from bench.scenes.shapes import ball, box, disc, ring, tube


def _steel(rng: Generator) -> Material:
    tints = ((235, 235, 238), (225, 225, 228), (240, 205, 130), (235, 170, 140))
    return metal(srgb(*tints[int(rng.integers(4))]), float(rng.uniform(0.05, 0.2)))


def _loud(rng: Generator) -> Material:
    red, green, blue = (int(255 * t) for t in colorsys.hsv_to_rgb(rng.random(), 0.75, 0.9))
    return plastic(srgb(red, green, blue), 0.15)


def _wire(path: Floats, thick: float) -> Mesh:
    """Return a round wire along a path (P, 3) as it is, its ends closed."""
    section = meshes.superellipse(thick, thick, 2.0, steps=10)
    scale = np.ones(len(path))
    scale[[0, -1]] = 0.02
    way = path[1] - path[0]
    side = np.cross(way, (0.0, 0.0, 1.0)) if np.linalg.norm(way[:2]) > 1e-6 else np.array([1.0, 0, 0])
    return meshes.sweep(path, section, side=side, scale=scale)


def chain(rng: Generator) -> list[Part]:
    """A chain laid out in a curve, its links standing and lying in turn, with a pendant."""
    coat = _steel(rng)
    t = np.linspace(0, 1, 400)
    angle = 2.2 * np.pi * (t - 0.5) * 0.82
    wobble = 1 + 0.1 * np.sin(6 * np.pi * t + rng.uniform(0, 6))
    path = np.stack([9 * np.sin(angle) * wobble, 11 * np.cos(angle) * wobble, np.full(400, 0.4)], axis=1)
    reach = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    step = 0.92
    parts = []
    for index, far in enumerate(np.arange(0, reach[-1], step)):
        place = np.array([np.interp(far, reach, path[:, axis]) for axis in range(3)])
        ahead = np.array([np.interp(far + 0.1, reach, path[:, axis]) for axis in range(3)])
        turn = float(np.degrees(np.arctan2(*(ahead - place)[1::-1])))
        link = ring(0.62, 0.17, 0.17, 0.62)
        if index % 2:
            link = link.moved((0, 0, 0), rotation("x", 68))
        parts.append(Part(link.moved(tuple(place), rotation("z", turn)), coat))
    drop = ring(1.3, 0.28, 0.28).moved((0, 13.5, 0.4))
    return [*parts, Part(drop, coat)]


def laces(rng: Generator) -> list[Part]:
    """A pair of shoe laces in loose loops, with tips."""
    cloth = texture(textures.gingham(256, 8, 64, int(rng.integers(1 << 30)), (236, 236, 232), (200, 40, 50)))
    coat = paint(cloth) if rng.random() < 0.5 else paint(srgb(*(int(t) for t in rng.integers(20, 245, 3))))
    parts = []
    for sign in (-1, 1):
        count = 11
        angle = np.linspace(0, rng.uniform(3.2, 4.2) * np.pi, count)
        radius = np.linspace(2.2, 7.5, count) * rng.uniform(0.85, 1.15, count)
        points = np.stack([radius * np.cos(angle), 0.8 * radius * np.sin(angle), np.full(count, 0.2)], axis=1)
        points[:, 2] += 0.35 * (np.arange(count) % 2)
        points[:, 0] += 8.2 * sign
        path = meshes.smooth(points, 5)
        parts.append(Part(_flat(path, 0.62, 0.16), coat))
        for end, before in ((0, 12), (-1, -13)):
            way = path[end] - path[before]
            tip = np.stack([path[end] - 0.2 * way, path[end] + 1.6 * way / np.linalg.norm(way)])
            parts.append(Part(_wire(tip, 0.3), plastic(srgb(240, 240, 240), 0.1)))
    return parts


def _flat(path: Floats, width: float, thick: float) -> Mesh:
    """Return a flat ribbon lying along a path."""
    way = path[1] - path[0]
    side = np.cross(way, (0.0, 0.0, 1.0))
    return meshes.sweep(path, meshes.superellipse(width, thick, 2.4, steps=14), side=side)


def strainer(rng: Generator) -> list[Part]:
    """A kitchen strainer: a hemisphere of wire mesh, a rim and a handle."""
    coat, radius = _steel(rng), 6.0
    count = int(rng.integers(22, 30))
    parts = []
    for axis in (0, 1):
        for far in np.linspace(-0.95, 0.95, count) * radius:
            half = np.sqrt(radius**2 - far**2)
            angle = np.linspace(np.pi, 2 * np.pi, 40)
            a, z = half * np.cos(angle), half * np.sin(angle) + radius
            path = np.stack([a, np.full(40, far), z] if axis == 0 else [np.full(40, far), a, z], axis=1)
            parts.append(Part(_wire(path, 0.075), coat))
    parts.append(Part(ring(radius, 0.5, 0.5).moved((0, 0, radius)), coat))
    grip = [(radius, 0, radius), (radius + 5, 0, radius + 0.6), (radius + 13, 0, radius + 1.2)]
    black = plastic(srgb(22, 22, 24), 0.25)
    parts.append(Part(tube(grip, 1.2, 0.7, (0, 1, 0)), black if rng.random() < 0.5 else coat))
    hook = [
        (-radius, -1.2, radius),
        (-radius - 1.6, -1.0, radius),
        (-radius - 1.6, 1.0, radius),
        (-radius, 1.2, radius),
    ]
    return [*parts, Part(tube(hook, 0.35, 0.35, (0, 0, 1)), coat)]


def _lying(rng: Generator, count: int, apart: float) -> list[tuple[float, float, float]]:
    """Draw places on the table, none nearer to another than ``apart``: x, y and a turn in degrees."""
    places: list[tuple[float, float, float]] = []
    reach = apart * np.sqrt(count) * 0.72
    for _ in range(4000):
        x, y = rng.uniform(-1.15, 1.15) * reach, rng.uniform(-0.95, 0.95) * reach
        if all(np.hypot(x - a, y - b) > apart for a, b, _ in places):
            places.append((float(x), float(y), float(rng.uniform(0, 360))))
        if len(places) == count:
            break
    return places


def clips(rng: Generator) -> list[Part]:
    """Paper clips, scattered."""
    parts = []
    corners = [
        (0.9, -1.6, 0.1), (0.9, 1.8, 0.1), (-0.7, 1.8, 0.1), (-0.7, -2.2, 0.1), (0.65, -2.2, 0.1), (0.65, 1.2, 0.25),
        (-0.35, 1.2, 0.3), (-0.35, -1.2, 0.3),
    ]  # fmt: skip
    path = meshes.fillet(corners, 0.8, steps=12)
    for x, y, turn in _lying(rng, 12, 4.6):
        coat = _steel(rng) if rng.random() < 0.5 else _loud(rng)
        parts.append(Part(_wire(path, 0.16).moved((x, y, 0), rotation("z", turn)), coat))
    return parts


def keys(rng: Generator) -> list[Part]:
    """A bunch of keys fanned out on a ring."""
    parts = [Part(ring(2.2, 0.22, 0.22).moved((0, 0, 0.5)), _steel(rng))]
    for index, turn in enumerate(np.linspace(-115, 75, 4) + rng.uniform(-8, 8, 4)):
        coat = _steel(rng)
        level = 0.25 + 0.12 * index
        bow = ring(1.15, 0.75, 0.24).moved((0, -3.2, 0))
        blade = box((0.62, 5.2, 0.2), 0.06).moved((0, -6.6, 0))
        teeth = [box((0.45 * rng.uniform(0.6, 1.2), 0.4, 0.2), 0.05).moved((0.42, -6.2 - 0.6 * k, 0)) for k in range(5)]
        parts.append(Part(meshes.join(bow, blade, *teeth).moved((0, 0, level), rotation("z", float(turn))), coat))
    tag = box((2.4, 4.2, 0.3), 0.14).moved((0, 4.6, 0.3), rotation("z", float(rng.uniform(-40, 40))))
    return [*parts, Part(tag, _loud(rng))]


def bolts(rng: Generator) -> list[Part]:
    """Bolts, nuts and washers, laid out apart."""
    coat = _steel(rng)
    parts = []
    for index, (x, y, turn) in enumerate(_lying(rng, 13, 3.9)):
        spin = rotation("z", turn)
        if index % 3 == 0:
            z = np.linspace(0, 3.0, 120)
            line = np.stack([0.42 + 0.05 * np.sin(2 * np.pi * z / 0.2), z], axis=1)
            shaft = meshes.lathe(np.concatenate([[(0, 0)], line, [(0, 3.0)]]), segments=40)
            head = meshes.lathe(np.array([(0, 3.0), (0.9, 3.0), (0.9, 3.6), (0, 3.6)]), segments=6)
            bolt = meshes.join(shaft, head).moved((0, -1.6, 0.8), rotation("x", -84))
            parts.append(Part(bolt.moved((x, y, 0), spin), coat))
        elif index % 3 == 1:
            nut = _washer(0.5, 0.95, 0.75, 6)
            parts.append(Part(nut.moved((x, y, 0), spin), coat))
        else:
            parts.append(Part(_washer(0.55, 1.25, 0.16, 64).moved((x, y, 0), spin), coat))
    return parts


def _washer(hole: float, radius: float, thick: float, corners: int) -> Mesh:
    """Return a flat ring; six corners make a nut of it."""
    angle = np.linspace(0, 2 * np.pi, 97)
    sector = 2 * np.pi / corners
    out = radius * np.cos(sector / 2) / np.cos((angle % sector) - sector / 2) if corners < 12 else radius + 0 * angle
    loop = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)])
    reach = hole + (out[None, :] - hole) * loop[:, :1]
    points = np.stack(
        [reach * np.cos(angle), reach * np.sin(angle), np.repeat(loop[:, 1:] * thick, 97, axis=1)], axis=2
    )
    facets = [meshes.grid(points[row : row + 2]) for row in range(4)]
    return meshes.join(*facets)


def hoops(rng: Generator) -> list[Part]:
    """Ear rings of several sizes in pairs, with hooks and beads."""
    parts = []
    for row, size in enumerate((2.6, 1.8, 1.2)):
        coat, bead = _steel(rng), _loud(rng)
        y = (0.0, 6.2, 10.8)[row]
        for sign in (-1, 1):
            x = sign * (3.4 - 0.3 * row)
            parts.append(Part(ring(size, 0.14, 0.14).moved((x, y, 0.1)), coat))
            hook = [(x, y + size, 0.1), (x + 0.1, y + size + 0.9, 0.1), (x + 0.5, y + size + 1.0, 0.1)]
            parts.append(Part(tube([*hook, (x + 0.7, y + size + 0.2, 0.1)], 0.09, 0.09, (0, 0, 1)), coat))
            for angle in np.radians(rng.uniform(200, 340, 3)):
                place = (x + size * np.cos(angle), y + size * np.sin(angle), 0.3)
                parts.append(Part(ball((0.3, 0.3, 0.3), 16).moved(place), bead))
    return parts


def cable(rng: Generator) -> list[Part]:
    """A charging cable in a coil, its plugs beside it, and a power brick."""
    coat = plastic(srgb(244, 244, 242), 0.2) if rng.random() < 0.6 else plastic(srgb(24, 24, 26), 0.2)
    angle = np.linspace(0, 6.6 * np.pi, 240)
    radius = 4.6 + 0.35 * np.sin(1.3 * angle) + 0.12 * angle / np.pi
    coil = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0.2 + 0.05 * angle / np.pi], axis=1)
    start, end = np.array([(9.5, -5.0, 0.2), (6.5, -3.5, 0.2)]), np.array([(-6.5, -5.5, 0.3), (-9.5, -6.0, 0.2)])
    path = meshes.smooth(np.concatenate([start, coil, end]), 2)
    parts = [Part(_wire(path, 0.34), coat)]
    for place, way in ((path[0], path[0] - path[40]), (path[-1], path[-1] - path[-41])):
        turn = rotation("z", float(np.degrees(np.arctan2(way[1], way[0]))))
        plug = box((2.4, 1.0, 0.55), 0.2).moved((1.0, 0, 0))
        parts.append(Part(plug.moved(tuple(place), turn), coat))
        parts.append(
            Part(
                box((1.0, 0.75, 0.3), 0.1).moved((2.6, 0, 0)).moved(tuple(place), turn),
                metal(srgb(235, 235, 238), 0.15),
            )
        )
    brick = box((4, 4, 2.2), 0.5).moved((10.5, 3.2, 1.1), rotation("z", float(rng.uniform(-20, 20))))
    return [*parts, Part(brick, coat)]


def springs(rng: Generator) -> list[Part]:
    """Coil springs of several sizes, lying about."""
    parts = []
    for x, y, turn in _lying(rng, 6, 6.2):
        radius, length, turns = rng.uniform(0.6, 1.1), rng.uniform(3.5, 5.5), rng.uniform(5, 10)
        t = np.linspace(0, 1, int(40 * turns))
        angle = 2 * np.pi * turns * t
        path = np.stack([length * (t - 0.5), radius * np.cos(angle), radius * np.sin(angle) + radius], axis=1)
        spring = _wire(path, float(rng.uniform(0.1, 0.2)))
        parts.append(Part(spring.moved((x, y, 0), rotation("z", turn)), _steel(rng)))
    return parts


def cutlery(rng: Generator) -> list[Part]:
    """Knife, fork and spoon, side by side."""
    coat = _steel(rng)
    handle = tube([(0, -9, 0.3), (0, -4, 0.35), (0, 1, 0.3), (0, 3.5, 0.3)], 1.1, 0.35, (1, 0, 0), 0.7)
    parts = [Part(handle.moved((x, 0, 0)), coat) for x in (-4.0, 0.0, 4.0)]
    parts.append(Part(ball((1.55, 2.5, 0.28)).moved((4.0, 5.6, 0.35)), coat))
    base = ball((1.25, 1.3, 0.22)).moved((-4.0, 3.9, 0.3))
    tines = [
        tube([(-4 + far, 4.2, 0.3), (-4 + far, 6, 0.3), (-4 + far, 7.9, 0.35)], 0.3, 0.22, (1, 0, 0), 0.6)
        for far in (-0.95, -0.32, 0.32, 0.95)
    ]
    parts.append(Part(meshes.join(base, *tines), coat))
    parts.append(Part(ball((0.75, 4.2, 0.16)).moved((0, 6.4, 0.3)), coat))
    band = disc(0.75, 0, 0.5, 0.1)
    rings_ = [band.moved((9.0, float(y), 0.0)) for y in (-3.0, 0.0)]
    return [*parts, *(Part(mesh, _loud(rng)) for mesh in rings_)]
