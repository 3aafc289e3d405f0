"""Glass, clear packaging, smoke plastic and liquids, each drawn from a seed. Lengths are centimetres, z is up."""

from __future__ import annotations

import colorsys
from typing import Final

import numpy as np
from numpy.random import Generator

from bench.scenes import meshes, textures
from bench.scenes.materials import Material, glass, metal, paint, plastic, srgb, texture
from bench.scenes.meshes import Floats, Mesh, rotation
from bench.scenes.scenes import Part
from bench.scenes.shapes import ball, box, disc, hollow, loft, ring, tube, turned

_CLEAR: Final[Material] = {"type": "rgb", "value": [0.985, 0.99, 0.985]}
_STEEL: Final = metal(srgb(235, 235, 238), 0.1)


def _tint(hue: float, strength: float, depth: float = 1.0) -> Material:
    """Return what is left of light after one crossing: ``strength`` is the saturation, ``depth`` the lightness."""
    rgb = colorsys.hsv_to_rgb(hue, strength, depth)
    return {"type": "rgb", "value": [float(max(channel, 0.02) ** 1.4) for channel in rgb]}


def _film(tint: Material = _CLEAR) -> Material:
    """Return a thin clear sheet: both faces in one, without bending light."""
    return {"type": "thindielectric", "int_ior": 1.5, "specular_transmittance": tint}


def _print(rng: Generator, aspect: float, ground: textures.Colour = (244, 242, 236)) -> Material:
    picture = textures.label(max(64, round(360 * aspect)), 360, int(rng.integers(1 << 30)), ground)
    return plastic(texture(picture), 0.25)


def _band(radius: float, low: float, high: float, half_deg: float, coat: Material, depth: float = 1.0) -> Part:
    """Return a label around the front of a round body."""
    line = np.array([(radius + 0.02, low), (radius + 0.05, low), (radius + 0.05, high), (radius + 0.02, high)])
    return Part(meshes.lathe(line, segments=72, arc_deg=(-90 - half_deg, -90 + half_deg), depth_scale=depth), coat)


def _contents(outer: Floats, gap: float, low: float, level: float) -> Mesh:
    """Return what fills a vessel of that outline, ``gap`` from its outer side, between two heights."""
    z = np.linspace(low, level, 40)
    rising = outer[np.argmax(outer[:, 0] > gap * 2) :]
    radius = np.maximum(np.interp(z, rising[:, 1], rising[:, 0]) - gap, 0.05)
    line = np.concatenate([[(0, low)], np.stack([radius, z], axis=1), [(0, level)]])
    return meshes.lathe(line, segments=96)


def tumbler(rng: Generator) -> list[Part]:
    """A water glass with a heavy foot, sometimes with water."""
    radius, tall = rng.uniform(3.0, 3.8), rng.uniform(9, 13)
    line = meshes.fillet([(0, 0), (radius * 0.85, 0), (radius, tall)], [0, 0.5, 0], steps=12)
    parts = [Part(hollow(line, 0.22), glass(_CLEAR))]
    if rng.random() < 0.5:
        parts.append(Part(_contents(line, 0.26, 0.4, tall * rng.uniform(0.4, 0.75)), glass(_CLEAR, 1.33)))
    return parts


def wine(rng: Generator) -> list[Part]:
    """A stemmed glass, empty."""
    radius, cup, stem = rng.uniform(3.2, 4.2), rng.uniform(6, 9), rng.uniform(6, 9)
    line = meshes.smooth(
        [
            (0, 0),
            (radius * 0.95, 0),
            (radius * 0.95, 0.2),
            (0.4, 0.6),
            (0.35, stem * 0.5),
            (0.4, stem),
            (radius, stem + 0.6),
            (radius * 1.15, stem + cup * 0.5),
            (radius * 0.85, stem + cup),
        ],
        5,
    )
    return [Part(hollow(line, 0.16), glass(_CLEAR))]


def bottle(rng: Generator) -> list[Part]:
    """An empty clear bottle with a stopper."""
    radius, tall, top = rng.uniform(2.6, 3.6), rng.uniform(8, 12), rng.uniform(15, 18)
    line = meshes.fillet(
        [(0, 0), (radius, 0), (radius, tall), (0.95, tall + 3), (0.95, top)], [0, 0.5, 2, 1.5, 0], steps=10
    )
    cork = plastic(texture(textures.wood(256, 2, int(rng.integers(1 << 30)), (206, 164, 118), (126, 84, 52))), 0.4)
    return [Part(hollow(line, 0.25), glass(_CLEAR)), Part(disc(1.1, top + 0.15, top + 1.8, 0.2), cork)]


def jar(rng: Generator) -> list[Part]:
    """A jar half full of sweets under a metal lid."""
    radius, tall = rng.uniform(3.6, 4.6), rng.uniform(8, 11)
    line = meshes.fillet(
        [(0, 0), (radius, 0), (radius, tall), (radius * 0.85, tall + 0.8), (radius * 0.85, tall + 1.4)], 0.8, 8
    )
    parts = [Part(hollow(line, 0.22), glass(_CLEAR)), Part(disc(radius * 0.92, tall + 1.75, tall + 2.9, 0.15), _STEEL)]
    for _ in range(46):
        angle, far = rng.uniform(0, 2 * np.pi), (radius - 1.2) * np.sqrt(rng.random())
        size = rng.uniform(0.65, 0.85)
        place = (far * np.cos(angle), far * np.sin(angle), rng.uniform(1.1, tall * 0.55))
        red, green, blue = (int(255 * t) for t in colorsys.hsv_to_rgb(rng.random(), 0.7, 0.95))
        parts.append(Part(ball((size, size, size * 0.8), 16).moved(place), plastic(srgb(red, green, blue), 0.08)))
    return parts


def vase(rng: Generator) -> list[Part]:
    """A clear vase of thick glass."""
    line = meshes.smooth([(0, 0), (2.6, 0), (3.0, 0.6), (3.8, 6), (2.0, 12), (1.6, 15), (2.8, 18)], 4)
    return [Part(hollow(line * rng.uniform(0.85, 1.15, 2), 0.4), glass(_CLEAR))]


def packaging(rng: Generator) -> list[Part]:
    """A clear folding box with a product inside and a printed back card."""
    wide, deep, tall = rng.uniform(6, 8), rng.uniform(4.5, 6), rng.uniform(8, 11)
    parts = [Part(mesh.moved((0, 0, tall / 2)), _film()) for mesh in _sheets(wide, deep, tall)]
    red, green, blue = (int(255 * t) for t in colorsys.hsv_to_rgb(rng.random(), 0.75, 0.9))
    coat = plastic(srgb(red, green, blue), 0.06)
    size = deep * 0.34
    parts.append(Part(ball((size, size, size)).moved((0, 0, size + 0.15)), coat))
    parts.append(Part(ball((size * 0.75, size * 0.75, size * 0.75)).moved((0, 0, size * 2.55)), coat))
    parts.append(
        Part(
            ball((size * 0.3, size * 0.3, size * 0.2)).moved((0, -size * 0.7, size * 2.6)),
            plastic(srgb(250, 250, 250), 0.05),
        )
    )
    card = box((wide * 0.96, 0.06, tall * 0.3), 0.02).moved((0, deep / 2 - 0.2, tall * 0.83))
    return [*parts, Part(card, _print(rng, 2.5))]


def _sheets(wide: float, deep: float, tall: float) -> list[Mesh]:
    """Return the six sheets of a box centred on the origin."""
    faces = meshes.rounded_box((wide, deep, tall), 0.08, steps=2)
    return [meshes.join(*faces.values())]


def cloche(rng: Generator) -> list[Part]:
    """A glass dome with a knob over a wooden board, a small thing under it."""
    radius, tall = rng.uniform(5, 6), rng.uniform(7, 10)
    outer = meshes.fillet([(radius, 1.2), (radius, tall), (0, tall + 1.2)], [0, 4.0, 0], steps=24)
    inner = outer[::-1] - (0.16, 0.16)
    inner = np.stack([np.maximum(inner[:, 0], 0), np.maximum(inner[:, 1], 1.2)], axis=1)
    shell = meshes.lathe(np.concatenate([inner, outer]), segments=120)
    knob = ball((0.8, 0.8, 0.8), 24).moved((0, 0, tall + 1.95))
    board = plastic(texture(textures.wood(512, 2, int(rng.integers(1 << 30)), (206, 164, 118), (126, 84, 52))), 0.3)
    cake = turned([(0, 1.2), (2.6, 1.2), (2.4, 3.6), (0, 3.8)], 0.4)
    return [
        Part(shell, glass(_CLEAR)),
        Part(knob, glass(_CLEAR)),
        Part(disc(radius * 1.12, 0, 1.15, 0.25), board),
        Part(cake, paint(srgb(188, 120, 86))),
        Part(ball((0.7, 0.7, 0.7), 18).moved((0, 0, 4.3)), plastic(srgb(190, 24, 36), 0.05)),
    ]


def bulb(rng: Generator) -> list[Part]:
    """A filament bulb, cap down."""
    wide = rng.uniform(2.9, 3.4)
    outline = [(1.15, 2.6), (1.2, 3.4), (wide * 0.75, 5.4), (wide, 7.6), (wide * 0.85, 9.9), (0.9, 11.0), (0, 11.05)]
    line = meshes.smooth(outline, 5)
    parts = [Part(meshes.lathe(line, segments=96), _film())]
    z = np.linspace(0, 2.7, 90)
    thread = np.stack([1.15 + 0.09 * np.sin(2 * np.pi * z / 0.42), z], axis=1)
    parts.append(Part(meshes.lathe(np.concatenate([[(0, 0)], thread, [(0, 2.7)]]), segments=72), _STEEL))
    stem = turned([(0, 2.6), (0.45, 2.6), (0.2, 5.0), (0, 5.1)], 0.1)
    parts.append(Part(stem, glass(_CLEAR)))
    copper = metal(srgb(235, 170, 120), 0.15)
    for index in range(6):
        angle = np.pi * index / 3
        x, y = np.cos(angle), np.sin(angle)
        path = [(0.1 * x, 0.1 * y, 5.0), (1.2 * x, 1.2 * y, 6.2), (0.7 * x, 0.7 * y, 9.0), (0.1 * x, 0.1 * y, 9.6)]
        parts.append(Part(tube(path, 0.07, 0.07, (y, -x, 0)), copper))
    return parts


def pitcher(rng: Generator) -> list[Part]:
    """A jug with a handle, with water."""
    tall = rng.uniform(13, 16)
    line = meshes.smooth([(0, 0), (4.2, 0), (4.8, 1.0), (5.0, tall * 0.4), (3.3, tall * 0.8), (3.9, tall)], 5)
    high = float(np.interp(tall * 0.9, line[1:, 1], line[1:, 0]))
    low = float(np.interp(tall * 0.35, line[1:, 1], line[1:, 0]))
    grip = tube(
        [
            (high + 0.05, 0, tall * 0.92),
            (high + 3.2, 0, tall * 0.95),
            (low + 2.8, 0, tall * 0.6),
            (low + 0.05, 0, tall * 0.32),
        ],
        0.9,
        0.7,
        (0, 1, 0),
    )
    water = _contents(line, 0.29, 0.5, tall * rng.uniform(0.35, 0.6))
    return [Part(hollow(line, 0.25), glass(_CLEAR)), Part(grip, glass(_CLEAR)), Part(water, glass(_CLEAR, 1.33))]


def bowl(rng: Generator) -> list[Part]:
    """A shallow glass bowl, sometimes frosted."""
    line = meshes.smooth([(0, 0), (3.0, 0), (3.2, 0.5), (7.5, 2.5), (8.5, rng.uniform(5, 7))], 4)
    frosted = float(rng.choice([0.0, 0.12]))
    return [Part(hollow(line, 0.3), glass(_CLEAR, roughness=frosted))]


def beer(rng: Generator) -> list[Part]:
    """A brown or green bottle with a crown cap and a label."""
    radius, top = rng.uniform(2.9, 3.2), rng.uniform(21, 23)
    line = meshes.fillet([(0, 0), (radius, 0), (radius, 12), (1.3, 16.5), (1.25, top)], [0, 0.5, 2.5, 2, 0], steps=10)
    colour = _tint(rng.uniform(0.06, 0.09), 0.75, 0.8) if rng.random() < 0.6 else _tint(0.3, 0.6, 0.75)
    crown = turned([(0, top + 0.05), (1.5, top + 0.05), (1.35, top + 0.65), (0, top + 0.75)], 0.2)
    return [
        Part(hollow(line, 0.25), glass(colour)),
        Part(_contents(line, 0.28, 0.4, 15.5), glass(_tint(0.1, 0.35), 1.33)),
        Part(crown, metal(srgb(235, 205, 130), 0.15)),
        _band(radius, 3.5, 9.5, 80, _print(rng, 1.4)),
    ]


def perfume(rng: Generator) -> list[Part]:
    """A squared flask of thick glass with a coloured scent."""
    wide, deep, tall = rng.uniform(5, 7), rng.uniform(2.6, 3.6), rng.uniform(6, 9)
    hue = rng.uniform(0, 1)
    shell = box((wide, deep, tall), 0.5).moved((0, 0, tall / 2))
    hole = box((wide - 1.0, deep - 0.9, tall - 1.3), 0.4)
    inner = Mesh(hole.vertices, -hole.normals, hole.uv, hole.faces[:, ::-1].copy()).moved((0, 0, tall / 2 + 0.25))
    scent = box((wide - 1.06, deep - 0.96, (tall - 1.36) * 0.8), 0.38).moved((0, 0, 0.93 + (tall - 1.36) * 0.4))
    gold = metal(srgb(240, 205, 130) if rng.random() < 0.5 else srgb(235, 235, 238), 0.07)
    return [
        Part(meshes.join(shell, inner), glass(_CLEAR)),
        Part(scent, glass(_tint(hue, rng.uniform(0.25, 0.5)), 1.36)),
        Part(disc(0.75, tall, tall + 0.5, 0.1), gold),
        Part(
            box((2.2, 2.0, 2.4), 0.25).moved((0, 0, tall + 1.75)),
            plastic(srgb(18, 18, 20), 0.03) if rng.random() < 0.5 else gold,
        ),
    ]


def juice(rng: Generator) -> list[Part]:
    """A clear bottle of juice with a lid."""
    radius, tall = rng.uniform(3, 3.6), rng.uniform(11, 14)
    line = meshes.fillet(
        [(0, 0), (radius, 0), (radius, tall), (1.9, tall + 3), (1.9, tall + 4)], [0, 0.7, 2.5, 1, 0], 10
    )
    hue = float(rng.choice([0.02, 0.09, 0.97, 0.25]))
    lid = disc(2.15, tall + 4.1, tall + 5.6, 0.2)
    return [
        Part(hollow(line, 0.2), glass(_CLEAR)),
        Part(_contents(line, 0.23, 0.35, tall + 1.5), glass(_tint(hue, 0.85), 1.34)),
        Part(lid, plastic(srgb(240, 240, 236), 0.2)),
        _band(radius, tall * 0.3, tall * 0.65, 55, _print(rng, 1.5)),
    ]


def smoke_box(rng: Generator) -> list[Part]:
    """A case of smoke plastic with something in it."""
    wide, deep, tall = rng.uniform(10, 13), rng.uniform(6, 8), rng.uniform(5, 7)
    level = rng.uniform(0.35, 0.6)
    smoke = {"type": "rgb", "value": [level, level * 0.98, level * 0.95]}
    parts = [Part(mesh.moved((0, 0, tall / 2)), _film(smoke)) for mesh in _sheets(wide, deep, tall)]
    for index in range(4):
        red, green, blue = (int(255 * t) for t in colorsys.hsv_to_rgb(rng.random(), 0.6, 0.9))
        x = (index - 1.5) * wide / 4.4
        coat = plastic(srgb(red, green, blue), 0.1)
        parts.append(
            Part(turned([(0, 0.1), (1.1, 0.1), (1.1, tall * 0.5), (0, tall * 0.55)], 0.3).moved((x, 0, 0)), coat)
        )
    lid = box((wide + 0.4, deep + 0.4, 0.5), 0.2).moved((0, 0, tall + 0.2))
    return [*parts, Part(lid, _film(smoke))]


def soap(rng: Generator) -> list[Part]:
    """A tinted clear bottle with liquid soap and a pump."""
    radius, tall = rng.uniform(2.8, 3.4), rng.uniform(9, 12)
    line = meshes.fillet(
        [(0, 0), (radius, 0), (radius, tall), (1.2, tall + 1.4), (1.2, tall + 2)], [0, 0.8, 1.2, 0.5, 0], 10
    )
    hue = rng.random()
    cap = plastic(srgb(245, 245, 243), 0.12) if rng.random() < 0.5 else plastic(srgb(20, 20, 22), 0.12)
    top = tall + 2.1
    nose = tube([(0.6, 0, top + 3.6), (-1.6, 0, top + 3.8), (-3.0, 0, top + 3.1)], 0.9, 0.7, (0, 1, 0))
    pipe = tube([(0, 0, 0.8), (0.1, 0, tall * 0.5), (0, 0, tall + 2)], 0.35, 0.35, (1, 0, 0))
    return [
        Part(hollow(line, 0.2), glass(_tint(hue, 0.25))),
        Part(disc(1.45, top, top + 1.5, 0.15), cap),
        Part(disc(0.4, top, top + 3.4, 0.05), cap),
        Part(nose, cap),
        Part(_contents(line, 0.23, 0.3, tall * rng.uniform(0.55, 0.9)), glass(_tint(hue, 0.5), 1.34)),
        Part(pipe, plastic(srgb(235, 235, 235), 0.2)),
    ]


def sunglasses(rng: Generator) -> list[Part]:
    """Sunglasses whose lenses let a third of the light through."""
    radius, squeeze, power, thick = rng.uniform(2.4, 2.9), rng.uniform(0.8, 1.0), rng.uniform(2.0, 3.0), 0.35
    frame = plastic(srgb(24, 22, 22), 0.05) if rng.random() < 0.5 else metal(srgb(240, 205, 130), 0.08)
    tone = np.array([0.36, 0.33, 0.3]) * rng.uniform(0.7, 1.4) * rng.uniform(0.85, 1.15, 3)
    lens = _film({"type": "rgb", "value": [float(t) for t in tone]})
    apart = radius + 0.7
    outline = meshes.superellipse(2 * radius, 2 * radius * squeeze, power, steps=72)
    parts = []
    for sign in (-1, 1):
        turn, to = rotation("x", 90.0), (sign * apart, 0.0, 3.0)
        parts.append(Part(ring(radius, thick, thick, squeeze, power).moved(to, turn), frame))
        parts.append(Part(loft([outline, outline], np.array([-0.05, 0.05])).moved(to, turn), lens))
        hinge = sign * (apart + radius)
        temple = [
            (hinge, 0.0, 3.8),
            (hinge + sign * 0.3, 3.0, 3.9),
            (hinge + sign * 0.2, 9.0, 3.7),
            (hinge, 11.5, 3.0),
            (hinge - sign * 0.2, 14.0, 0.8),
        ]
        parts.append(Part(tube(temple, thick * 0.8, thick * 1.3, (1, 0, 0)), frame))
    inner = apart - radius
    bridge = tube([(-inner, 0, 3.5), (0, -0.2, 4.0), (inner, 0, 3.5)], thick, thick, (0, 0, 1))
    return [*parts, Part(bridge, frame)]


def medicine(rng: Generator) -> list[Part]:
    """An amber jar of pills under a white lid."""
    radius, tall = rng.uniform(2.4, 3), rng.uniform(6, 8)
    line = meshes.fillet(
        [(0, 0), (radius, 0), (radius, tall), (radius * 0.85, tall + 0.8), (radius * 0.85, tall + 1.4)], 0.5, 8
    )
    parts = [
        Part(hollow(line, 0.18), glass(_tint(0.075, 0.7, 0.95))),
        Part(disc(radius * 0.98, tall + 1.5, tall + 3.2, 0.2), plastic(srgb(246, 246, 244), 0.2)),
    ]
    for _ in range(36):
        angle, far = rng.uniform(0, 2 * np.pi), (radius - 0.9) * np.sqrt(rng.random())
        pill = ball((0.65, 0.4, 0.35), 14).moved((0, 0, 0), rotation("z", float(rng.uniform(0, 180))))
        place = (far * np.cos(angle), far * np.sin(angle), rng.uniform(0.7, tall * 0.5))
        parts.append(Part(pill.moved(place), plastic(srgb(244, 240, 232), 0.25)))
    return [*parts, _band(radius, tall * 0.55, tall * 0.9, 60, _print(rng, 1.6))]


def decanter(rng: Generator) -> list[Part]:
    """A blue, green or rose vase of coloured glass."""
    line = meshes.smooth([(0, 0), (3.6, 0), (4.4, 1.0), (4.4, 5), (1.2, 9), (1.0, 13), (2.0, 15.5)], 4)
    colour = _tint(float(rng.choice([0.58, 0.42, 0.93, 0.52])), float(rng.uniform(0.35, 0.6)))
    return [Part(hollow(line * rng.uniform(0.9, 1.1, 2), 0.3), glass(colour))]


def cup(rng: Generator) -> list[Part]:
    """A tinted plastic cup, smoke or coloured."""
    radius, tall = rng.uniform(3.4, 4), rng.uniform(9, 12)
    line = meshes.fillet([(0, 0), (radius * 0.75, 0), (radius, tall)], [0, 0.4, 0], steps=10)
    if rng.random() < 0.5:
        level = float(rng.uniform(0.5, 0.7))
        colour: Material = {"type": "rgb", "value": [level, level, level * 0.97]}
    else:
        colour = _tint(rng.random(), 0.4)
    return [Part(hollow(line, 0.14), glass(colour))]


def spray(rng: Generator) -> list[Part]:
    """A cleaner: a coloured liquid in a clear bottle under an opaque trigger."""
    tall = rng.uniform(11, 13)
    line = meshes.fillet(
        [(0, 0), (3.6, 0), (3.6, tall * 0.7), (1.3, tall + 1), (1.3, tall + 2)], [0, 0.8, 3, 1.5, 0], 10
    )
    hue = float(rng.choice([0.55, 0.35, 0.85]))
    red, green, blue = (int(255 * t) for t in colorsys.hsv_to_rgb(rng.random(), 0.8, 0.85))
    coat, top = plastic(srgb(red, green, blue), 0.15), tall + 2.1
    head = box((6.5, 2.2, 2.0), 0.7).moved((-1.2, 0, top + 3.0))
    trigger = tube([(-2.6, 0, top + 2.4), (-3.0, 0, top + 0.8), (-4.0, 0, top - 0.9)], 0.7, 1.2, (1, 0, 0))
    return [
        Part(hollow(line, 0.18), glass(_CLEAR)),
        Part(_contents(line, 0.21, 0.3, tall * rng.uniform(0.5, 0.8)), glass(_tint(hue, 0.6), 1.33)),
        Part(disc(1.7, top - 0.4, top + 2.2, 0.2), coat),
        Part(head, coat),
        Part(trigger, plastic(srgb(245, 245, 245), 0.2)),
        Part(tube([(0, 0, 0.7), (0.1, 0, 5), (0, 0, top)], 0.35, 0.35, (1, 0, 0)), plastic(srgb(235, 235, 235), 0.2)),
    ]
