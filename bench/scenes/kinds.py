"""Generated products to train on: what a shop sells, in shapes and sizes drawn from a seed.

Nothing here needs Mitsuba. Lengths are centimetres; z is up and the product's front looks to -y.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator

from bench.scenes import finishes, meshes, textures
from bench.scenes.materials import Material, glass, metal, paint, plastic, srgb
from bench.scenes.meshes import Floats
from bench.scenes.scenes import Part
from bench.scenes.shapes import SEGMENTS, ball, box, disc, fur, hollow, lathe, lay, loft, ring, tube, turned

_CLEAR: Final[Material] = {"type": "rgb", "value": [0.985, 0.99, 0.985]}


def bottle(rng: Generator) -> list[Part]:
    """A plastic bottle with a cap or a pump, mostly with a label."""
    radius, height, depth = rng.uniform(2, 3.6), rng.uniform(8, 17), float(rng.uniform(0.6, 1))
    neck, shoulder = rng.uniform(0.8, 1.3), rng.uniform(0.6, 3.5)
    foot, top = radius * rng.uniform(0.75, 1.05), height + shoulder
    outline = [
        (0, 0),
        (foot, 0),
        (radius, height * 0.5),
        (radius, height),
        (neck, top),
        (neck, top + 0.5),
        (0, top + 0.5),
    ]
    parts = [Part(turned(outline, 0.6, depth), finishes.coated(rng, finishes.colour(rng, 0.5)))]
    cap = finishes.coated(rng, finishes.colour(rng, 0.35)) if rng.random() < 0.7 else finishes.steel(rng)
    wide, tall = neck * rng.uniform(1.1, 1.7), rng.uniform(0.8, 3.5)
    parts.append(Part(disc(wide, top + 0.1, top + tall, 0.2), cap))
    if rng.random() < 0.3:
        nose, lift = rng.uniform(1.5, 3), top + tall + 1.5
        parts.append(Part(disc(0.3, top, lift, 0.05), cap))
        parts.append(
            Part(tube([(0.7, 0, lift), (-nose / 2, 0, lift + 0.2), (-nose, 0, lift - 0.3)], 0.9, 0.7, (0, 1, 0)), cap)
        )
    if rng.random() < 0.75 and foot > 0.9 * radius:
        low, high, half = height * rng.uniform(0.52, 0.6), height * rng.uniform(0.85, 0.95), rng.uniform(50, 85)
        low = height * 0.52 if foot < radius else low * 0.4
        shell = np.array([[radius * 1.004, low], [radius * 1.012, low], [radius * 1.012, high], [radius * 1.004, high]])
        band = meshes.lathe(shell, segments=SEGMENTS, arc_deg=(-90 - half, -90 + half), depth_scale=depth)
        parts.append(Part(band, finishes.printed(rng, radius * 2 * np.radians(half) / (high - low))))
    return parts


def glass_bottle(rng: Generator) -> list[Part]:
    """A clear or coloured glass bottle, with or without a liquid, a label and a stopper."""
    radius, height, shoulder = rng.uniform(2, 4), rng.uniform(5, 15), rng.uniform(1, 5)
    neck, long = rng.uniform(0.7, 1.2), rng.uniform(0.8, 6)
    top = height + shoulder + long
    line = meshes.fillet(
        [(0, 0), (radius, 0), (radius, height), (neck, height + shoulder), (neck, top)], [0, 0.5, 2, 1.5, 0], steps=8
    )
    parts = [Part(hollow(line, 0.25), glass(finishes.tint(rng, (0.2, 0.6)) if rng.random() < 0.4 else _CLEAR))]
    if rng.random() < 0.7:
        level = height * rng.uniform(0.4, 0.95)
        parts.append(Part(disc(radius - 0.28, 0.3, level, 0.4), glass(finishes.tint(rng), 1.33)))
    if rng.random() < 0.7:
        stopper = (
            finishes.wooden(rng)
            if rng.random() < 0.4
            else finishes.steel(rng)
            if rng.random() < 0.5
            else finishes.coated(rng, finishes.colour(rng))
        )
        parts.append(Part(disc(neck * rng.uniform(1.05, 1.6), top + 0.12, top + rng.uniform(0.8, 2.5), 0.15), stopper))
    if rng.random() < 0.5:
        low, high, half = height * 0.25, height * rng.uniform(0.55, 0.8), rng.uniform(45, 80)
        shell = np.array([[radius * 1.01, low], [radius * 1.02, low], [radius * 1.02, high], [radius * 1.01, high]])
        band = meshes.lathe(shell, segments=SEGMENTS, arc_deg=(-90 - half, -90 + half))
        parts.append(Part(band, finishes.printed(rng, radius * 2 * np.radians(half) / (high - low))))
    return parts


def _body(rng: Generator, height: float, widths: tuple[float, float]) -> Floats:
    """Draw a smooth outline from the bottom's centre to an open rim."""
    knots = int(rng.integers(3, 6))
    radius = rng.uniform(*widths, knots)
    levels = np.linspace(0.12, 1, knots) * height
    corners = [(0.0, 0.0), (radius[0] * 0.7, 0.0), (radius[0] * 0.85, 0.02 * height)]
    return meshes.smooth(corners + list(zip(radius, levels, strict=True)), rounds=4)


def vase(rng: Generator) -> list[Part]:
    """A vase of any outline."""
    return [Part(hollow(_body(rng, rng.uniform(10, 26), (1.6, 6.5)), 0.35), finishes.ceramic(rng))]


def bowl(rng: Generator) -> list[Part]:
    """A bowl or a plate, sometimes a stack of two."""
    wide, tall, foot = rng.uniform(6, 11), rng.uniform(1.5, 8), rng.uniform(2.5, 4.5)
    line = meshes.smooth(
        [(0, 0), (foot, 0), (foot, 0.5), (wide * rng.uniform(0.75, 1.05), tall * 0.25), (wide, tall)], 4
    )
    coat = finishes.ceramic(rng)
    parts = [Part(hollow(line, 0.4), coat)]
    if rng.random() < 0.2:
        parts.append(
            Part(
                hollow(line, 0.4).moved((0.1, 0, 0.6 + 0.2 * tall)),
                coat if rng.random() < 0.5 else finishes.ceramic(rng),
            )
        )
    return parts


def dish(rng: Generator) -> list[Part]:
    """A bowl full of small things: berries, sweets, beads or cubes."""
    wide, tall, foot = rng.uniform(5, 9), rng.uniform(3, 8), rng.uniform(2.5, 4.5)
    line = meshes.smooth(
        [(0, 0), (foot, 0), (foot * 1.05, 0.4), (wide * rng.uniform(0.8, 1.0), tall * 0.4), (wide, tall)], 4
    )
    coat = finishes.ceramic(rng)
    fill = tall * rng.uniform(0.6, 0.95)
    reach = float(np.interp(fill, line[2:, 1], line[2:, 0])) - 0.5
    size = rng.uniform(0.5, 1.1)
    spots = rng.uniform(-1, 1, (int(min(90, 3 * (reach / size) ** 2)), 2))
    spots = spots[np.hypot(*spots.T) < 1] * (reach - 1.2 * size)
    heap = rng.uniform(0, 1.5)
    if rng.random() < 0.7:
        one = ball((size, size, size * rng.uniform(0.7, 1.0)), 14)
    else:
        one = box((2 * size, 2 * size, 1.6 * size), 0.25 * size)
    things = [
        lay(
            one,
            ("x", float(rng.normal(0, 25))),
            to=(x, y, fill + heap * (1 - np.hypot(x, y) / reach) + rng.normal(0, 0.2)),
        )
        for x, y in spots
    ]
    coats = [finishes.coated(rng, finishes.colour(rng, 0.1)) for _ in range(int(rng.integers(1, 4)))]
    parts = [Part(hollow(line, 0.35), coat), Part(disc(0.97 * reach, fill - 0.5, fill, 0.2), coats[0])]
    return parts + [
        Part(meshes.join(*things[i :: len(coats)]), c) for i, c in enumerate(coats) if things[i :: len(coats)]
    ]


def mug(rng: Generator) -> list[Part]:
    """A mug or cup with a handle."""
    foot, wide, tall = rng.uniform(2.4, 4), rng.uniform(3.4, 4.8), rng.uniform(5, 11)
    corners = [(0, 0), (foot, 0), ((foot + wide) / 2 * rng.uniform(0.95, 1.15), tall * 0.45), (wide, tall)]
    line = meshes.fillet(corners, [0, 0.7, tall * 0.3, 0], steps=10)
    coat = finishes.ceramic(rng)
    reach, high, low = rng.uniform(2, 3.4), tall * rng.uniform(0.78, 0.9), tall * rng.uniform(0.2, 0.35)
    above = float(np.interp(high, line[1:, 1], line[1:, 0]))
    below = float(np.interp(low, line[1:, 1], line[1:, 0]))
    grip = [
        (above - 0.2, 0, high),
        (above + reach * 0.6, 0, high + 0.2),
        (above + reach, 0, high),
        (above + reach * 1.05, 0, (high + low) / 2),
        (below + reach * 0.8, 0, low),
        (below - 0.2, 0, low),
    ]
    handle = tube(grip, rng.uniform(0.9, 1.6), rng.uniform(0.5, 0.9), (0, 1, 0))
    return [Part(hollow(line, 0.35), coat), Part(handle, coat if rng.random() < 0.85 else finishes.ceramic(rng))]


def jar(rng: Generator) -> list[Part]:
    """A jar with a lid: ceramic with a knob, or glass with something in it."""
    radius, tall = rng.uniform(3, 5.5), rng.uniform(4, 12)
    line = meshes.fillet(
        [(0, 0), (radius, 0), (radius, tall), (radius * 0.85, tall + 0.8), (radius * 0.85, tall + 1.4)], 0.8, 6
    )
    if rng.random() < 0.5:
        lid = turned([(0, tall + 1.2), (radius * 0.95, tall + 1.2), (radius * 0.9, tall + 1.9), (0, tall + 2.4)], 0.3)
        coat = finishes.ceramic(rng)
        parts = [Part(hollow(line, 0.4), coat), Part(lid, coat if rng.random() < 0.6 else finishes.wooden(rng))]
        knob = ball((0.8, 0.8, rng.uniform(0.5, 0.9))).moved((0, 0, tall + 2.8))
        return [*parts, Part(knob, parts[1].material)]
    filling = disc(radius - 0.35, 0.35, tall * rng.uniform(0.5, 0.95), 0.6)
    lid = disc(radius * 0.95, tall + 1.0, tall + 2.2, 0.15)
    return [
        Part(hollow(line, 0.25), glass(_CLEAR)),
        Part(filling, paint(finishes.colour(rng, 0.2))),
        Part(lid, finishes.steel(rng)),
    ]


def carton(rng: Generator) -> list[Part]:
    """A printed box, sometimes with a second one leaning on it."""
    size = (rng.uniform(5, 16), rng.uniform(2, 12), rng.uniform(3, 20))
    faces = meshes.rounded_box(size, float(rng.uniform(0.05, 0.4)), steps=3)
    front, side, plain = (
        finishes.printed(rng, size[0] / size[2]),
        finishes.printed(rng, size[1] / size[2]),
        finishes.coated(rng, finishes.colour(rng, 0.5)),
    )
    coats = {
        "front": front,
        "back": front,
        "left": side,
        "right": side,
        "top": finishes.printed(rng, size[0] / size[1]),
    }
    if rng.random() < 0.25:
        coats = {}  # an unprinted, often white box
    turn = meshes.rotation("z", 0)
    parts = [Part(mesh.moved((0, 0, size[2] / 2), turn), coats.get(name, plain)) for name, mesh in faces.items()]
    if rng.random() < 0.2:
        near = meshes.rotation("z", float(rng.uniform(-40, 40)))
        parts += [Part(p.mesh.moved((size[0] * 0.8, -size[1] * 0.6 - 3, 0), near), p.material) for p in parts]
    return parts


def can(rng: Generator) -> list[Part]:
    """A tin or a drink can, printed, its rims bare metal."""
    radius, tall, neck, steel = (
        rng.uniform(2.4, 5),
        rng.uniform(4, 15),
        rng.uniform(0.82, 1),
        metal(srgb(230, 230, 233), 0.12),
    )
    wall = meshes.lathe(np.array([[radius, 0.3], [radius, tall]]), segments=SEGMENTS)
    lid = turned(
        [
            (0, tall),
            (radius, tall),
            (radius * neck, tall + 0.7),
            (radius * neck - 0.15, tall + 0.9),
            (radius * neck - 0.3, tall + 0.6),
            (0, tall + 0.55),
        ],
        0.12,
    )
    foot = turned([(0, 0.1), (radius * 0.8, 0), (radius * 1.01, 0.15), (radius, 0.4), (0, 0.4)], 0.1)
    printed = (
        finishes.printed(rng, 2 * np.pi * radius / tall)
        if rng.random() < 0.8
        else finishes.coated(rng, finishes.colour(rng))
    )
    return [Part(wall, printed), Part(lid, steel), Part(foot, steel)]


def squeeze_tube(rng: Generator) -> list[Part]:
    """A cosmetics tube standing on its cap or lying."""
    radius, tall = rng.uniform(1.5, 3), rng.uniform(9, 16)
    rise = np.linspace(0, 1, 24)
    flat = rise**1.3
    sections = [meshes.superellipse(2 * radius * (1 + 0.3 * f), 2 * radius * (1 - f) + 0.15, 2, steps=64) for f in flat]
    body = loft(sections, 2 + rise * tall)
    material = finishes.printed(rng, 2.0) if rng.random() < 0.6 else finishes.coated(rng, finishes.colour(rng, 0.6))
    return [
        Part(body, material),
        Part(disc(radius * rng.uniform(0.6, 1.0), 0, 2.05, 0.15), finishes.coated(rng, finishes.colour(rng))),
    ]


def robot(rng: Generator) -> list[Part]:
    """A toy robot: glossy, most often white, with a dark visor."""
    shell = plastic(finishes.colour(rng, 0.75), float(rng.uniform(0.03, 0.1)))
    dark, trim = plastic(srgb(16, 17, 20), 0.03), finishes.coated(rng, finishes.colour(rng, 0.2))
    width, body, head = rng.uniform(3, 4.5), rng.uniform(3.2, 5), rng.uniform(2.6, 4)
    neck = 3 + 2 * body
    if rng.random() < 0.5:
        torso, skull = ball((width, width * 0.8, body)), ball((head * 1.15, head, head * 0.9))
        visor = ball((head * 0.85, head * 0.5, head * 0.5)).moved((0, -head * 0.62, 0))
    else:
        torso, skull = box((2 * width, 1.5 * width, 2 * body), 1.2), box((2.2 * head, 1.7 * head, 1.7 * head), 0.9)
        visor = box((1.7 * head, 0.4, 0.9 * head), 0.19).moved((0, -head * 0.84, 0))
    middle, top = (0, 0, 3 + body), (0, 0, neck + head * 0.75)
    parts = [Part(torso.moved(middle), shell), Part(skull.moved(top), shell), Part(visor.moved(top), dark)]
    eye = {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": srgb(90, 220, 255)}}
    for sign in (-1, 1):
        look = ball((0.35, 0.25, 0.45), 12).moved((sign * head * 0.4, -head * 1.06, neck + head * 0.78))
        shoulder, lift = (sign * width * 0.85, 0, 3 + body * 1.45), rng.uniform(-2, 4)
        hand = (sign * (width + rng.uniform(1.5, 3)), -1.0, 3 + body * 0.9 + lift)
        elbow = (sign * (width + 1.8), 0, 3 + body)
        arm = tube([shoulder, elbow, hand], 1.5, 1.5, (0, 1, 0), 0.8)
        leg = tube(
            [(sign * width * 0.45, 0, 4), (sign * width * 0.5, 0, 2), (sign * width * 0.5, 0, 0.5)], 1.8, 1.8, (1, 0, 0)
        )
        foot = ball((1.4, 2.0, 0.8), 16).moved((sign * width * 0.5, -0.5, 0.6))
        parts += [Part(look, eye), Part(arm, trim if rng.random() < 0.4 else shell), Part(leg, trim), Part(foot, shell)]
        parts.append(Part(ball((0.9, 0.9, 0.9), 16).moved(hand), dark if rng.random() < 0.5 else shell))
    if rng.random() < 0.5:
        mast = neck + head * 1.5
        parts.append(
            Part(tube([(0, 0, mast - 0.3), (0, 0, mast + 0.7), (0, 0, mast + 1.8)], 0.3, 0.3, (1, 0, 0)), dark)
        )
        parts.append(Part(ball((0.5, 0.5, 0.5), 14).moved((0, 0, mast + 2)), trim))
    return parts


def teapot(rng: Generator) -> list[Part]:
    """A teapot, often white porcelain."""
    return _pot(rng, finishes.ceramic(rng), finishes.ceramic(rng) if rng.random() < 0.15 else None)


def kettle(rng: Generator) -> list[Part]:
    """A chrome kettle with a dark or wooden handle over it."""
    return _pot(
        rng,
        finishes.steel(rng),
        finishes.wooden(rng) if rng.random() < 0.4 else plastic(srgb(24, 24, 26), 0.2),
        overhead=True,
    )


def _pot(rng: Generator, coat: Material, grip: Material | None, *, overhead: bool = False) -> list[Part]:
    wide, tall, foot, mouth = rng.uniform(5.5, 8), rng.uniform(7, 12), rng.uniform(3.5, 7), rng.uniform(2.5, 4)
    swell = wide * rng.uniform(1.0, 1.2)
    outline = [(0, 0), (foot, 0), (swell, tall * 0.3), (wide * 0.95, tall * 0.75), (mouth, tall), (0, tall)]
    parts = [Part(lathe(meshes.fillet(outline, [0, 0.8, 3, 3, 0.5, 0], steps=8)), coat)]
    lid = turned([(0, tall - 0.2), (mouth * 1.08, tall - 0.2), (mouth * 0.9, tall + 0.5), (0, tall + 1.1)], 0.3)
    knob = ball((0.9, 0.9, 0.8), 18).moved((0, 0, tall + 1.7))
    parts += [Part(lid, coat), Part(knob, grip or coat)]
    tip, girth = tall * rng.uniform(0.85, 1.1), rng.uniform(1.8, 2.6)
    spout = [
        (-wide * 0.7, 0, tall * 0.3),
        (-wide * 1.25, 0, tall * 0.35),
        (-wide * 1.35, 0, tall * 0.75),
        (-wide * rng.uniform(1.6, 1.9), 0, tip),
    ]
    parts.append(Part(tube(spout, girth, girth * 1.2, (0, 1, 0), 0.5), coat))
    if overhead:
        high = tall * rng.uniform(1.5, 1.9)
        arch = [
            (-wide * 0.75, 0, tall * 0.8),
            (-wide * 0.9, 0, high),
            (0, 0, high * 1.1),
            (wide * 0.9, 0, high),
            (wide * 0.75, 0, tall * 0.8),
        ]
    else:
        far = wide * rng.uniform(1.45, 1.75)
        arch = [
            (wide * 0.75, 0, tall * 0.75),
            (far * 0.9, 0, tall * 0.95),
            (far, 0, tall * 0.7),
            (far * 0.95, 0, tall * 0.4),
            (wide * 0.8, 0, tall * 0.25),
        ]
    parts.append(Part(tube(arch, rng.uniform(0.9, 1.6), rng.uniform(0.7, 1.0), (0, 1, 0)), grip or coat))
    return parts


def clock(rng: Generator) -> list[Part]:
    """A round table or wall clock, facing the front."""
    radius, deep = rng.uniform(5, 10), rng.uniform(1.5, 4)
    case = (
        finishes.steel(rng)
        if rng.random() < 0.3
        else finishes.wooden(rng)
        if rng.random() < 0.3
        else finishes.coated(rng, finishes.colour(rng))
    )
    white = rng.random() < 0.75
    dial = paint(srgb(244, 243, 240)) if white else finishes.coated(rng, finishes.colour(rng, 0.1))
    ink = plastic(srgb(20, 20, 22), 0.2) if white else plastic(srgb(240, 240, 238), 0.2)
    rim = ring(radius, rng.uniform(0.6, 1.6), deep)
    parts = [
        Part(rim, case),
        Part(disc(radius, -deep / 2, 0.1, 0.1), case),
        Part(disc(radius * 0.97, 0, 0.2, 0.05), dial),
    ]
    for hour in range(12):
        angle = np.radians(30 * hour)
        mark = box((0.12 * radius, 0.03 * radius, 0.1), 0.04).moved((0.82 * radius, 0, 0.23))
        parts.append(Part(mark.moved((0, 0, 0), meshes.rotation("z", float(np.degrees(angle)))), ink))
    for length, thick in ((0.45, 0.07), (0.7, 0.045)):
        hand = box((length * radius, thick * radius, 0.08), 0.03).moved((length * radius * 0.42, 0, 0.35))
        parts.append(Part(lay(hand, ("z", float(rng.uniform(0, 360)))), ink))
    parts = [Part(lay(part.mesh, ("x", 90)), part.material) for part in parts]
    if rng.random() < 0.6:
        for sign in (-1, 1):
            foot = tube(
                [
                    (sign * radius * 0.5, 0, -radius * 0.8),
                    (sign * radius * 0.6, 0, -radius),
                    (sign * radius * 0.7, 0, -radius * 1.3),
                ],
                0.9,
                0.9,
                (0, 1, 0),
                0.6,
            )
            parts.append(Part(foot, case))
    if rng.random() < 0.3:
        parts += [
            Part(ball((radius * 0.3, radius * 0.3, radius * 0.2)).moved((sign * radius * 0.55, 0, radius * 1.0)), case)
            for sign in (-1, 1)
        ]
    return parts


def candle(rng: Generator) -> list[Part]:
    """A candle in a tumbler, or free."""
    radius, tall = rng.uniform(2.8, 4.5), rng.uniform(5, 11)
    wax, fill = plastic(finishes.colour(rng, 0.6), 0.35), tall * rng.uniform(0.5, 0.85)
    wick = Part(disc(0.12, fill - 0.2, fill + 1.0, 0.05), paint(srgb(30, 26, 22)))
    if rng.random() < 0.3:
        return [Part(disc(radius * 0.8, 0, fill, 0.3), wax), wick]
    line = meshes.fillet([(0, 0), (radius, 0), (radius * rng.uniform(1, 1.1), tall)], [0, 0.6, 0], steps=8)
    vessel = (
        glass(_CLEAR if rng.random() < 0.6 else finishes.tint(rng, (0.2, 0.6)))
        if rng.random() < 0.7
        else finishes.ceramic(rng)
    )
    return [Part(hollow(line, 0.3), vessel), Part(disc(radius - 0.36, 0.5, fill, 0.3), wax), wick]


def wine_glass(rng: Generator) -> list[Part]:
    """A stemmed glass or a tumbler, sometimes filled."""
    radius, cup, stem = rng.uniform(2.8, 4.5), rng.uniform(5, 9), rng.uniform(4, 9)
    if rng.random() < 0.4:
        line = meshes.fillet([(0, 0), (radius * 0.8, 0), (radius, cup * 1.4)], [0, 0.6, 0], steps=8)
        parts = [Part(hollow(line, 0.22), glass(_CLEAR))]
        filled = turned([(0, 0.4), (radius * 0.72, 0.4), (radius * 0.82, cup * 0.8), (0, cup * 0.8)], 0.2)
    else:
        line = meshes.smooth(
            [
                (0, 0),
                (radius * 0.9, 0),
                (radius * 0.9, 0.2),
                (0.35, 0.5),
                (0.35, stem),
                (radius * 0.9, stem + 0.2),
                (radius * 1.2, stem + cup * 0.5),
                (radius * 0.85, stem + cup),
            ],
            4,
        )
        parts = [Part(hollow(line, 0.2), glass(_CLEAR))]
        filled = ball((radius * 0.75, radius * 0.75, cup * 0.2)).moved((0, 0, stem + cup * 0.38))
    return [*parts, Part(filled, glass(finishes.tint(rng), 1.33))] if rng.random() < 0.4 else parts


def sunglasses(rng: Generator) -> list[Part]:
    """Spectacles or sunglasses: thin rims, dark or clear lenses, long temples."""
    radius, squeeze, power, thick = (
        rng.uniform(2.2, 2.9),
        rng.uniform(0.75, 1),
        rng.uniform(1.9, 3.2),
        rng.uniform(0.18, 0.6),
    )
    frame = finishes.steel(rng) if rng.random() < 0.4 else finishes.coated(rng, finishes.colour(rng, 0.2))
    lens = (
        plastic(finishes.colour(rng, 0.0) if rng.random() < 0.4 else srgb(22, 22, 26), 0.03)
        if rng.random() < 0.75
        else glass(_CLEAR)
    )
    apart = radius + rng.uniform(0.5, 0.9)
    parts = []
    for sign in (-1, 1):
        rim = ring(radius, thick, thick, squeeze, power)
        outline = meshes.superellipse(2 * radius, 2 * radius * squeeze, power, steps=48)
        pane = loft([outline, outline], np.array([-0.06, 0.06]))
        hinge = sign * (apart + radius)
        temple = tube(
            [
                (hinge, 0, 0.8),
                (hinge + sign * 0.3, 3, 0.9),
                (hinge + sign * 0.2, 9, 0.8),
                (hinge, 11.5, 0.2),
                (hinge - sign * 0.2, 14, -2.2),
            ],
            thick * 0.8,
            thick * 1.3,
            (1, 0, 0),
        )
        parts += [Part(lay(rim, ("x", 90), to=(sign * apart, 0, 0)), frame), Part(temple, frame)]
        parts.append(Part(lay(pane, ("x", 90), to=(sign * apart, 0, 0)), lens))
    inner = apart - radius
    bridge = tube([(-inner, 0, 0.5), (0, -0.2, 1.0), (inner, 0, 0.5)], thick, thick, (0, 0, 1))
    return [*parts, Part(bridge, frame)]


def bag(rng: Generator) -> list[Part]:
    """A soft bag with two handle loops."""
    wide, deep, tall = rng.uniform(8, 14), rng.uniform(3, 6), rng.uniform(8, 15)
    rise = np.linspace(0, 1, 30)
    bulge = 1 + 0.12 * np.sin(np.pi * rise**0.7)
    thin = 1 - 0.75 * rise**2
    sections = [
        meshes.superellipse(2 * wide * b * (0.9 + 0.1 * r), 2 * deep * t * b, 3.2, steps=72)
        for b, t, r in zip(bulge, thin, rise, strict=True)
    ]
    body = loft(sections, rise * tall)
    dents = textures.fractal((32, 73), (4, 8), int(rng.integers(1 << 30)), octaves=3).astype(float)
    dents[:, -1] = dents[:, 0]
    points = (body.vertices + 0.05 * deep * dents.reshape(-1, 1) * body.normals).reshape(32, 73, 3)
    points[[0, -1]] = body.vertices.reshape(32, 73, 3)[[0, -1]]
    cloth = (
        finishes.woven(rng) if rng.random() < 0.6 else plastic(finishes.colour(rng, 0.3), float(rng.uniform(0.2, 0.4)))
    )
    parts = [Part(meshes.grid(points, closed=True), cloth)]
    strap, high, gap = (
        cloth if rng.random() < 0.5 else plastic(finishes.colour(rng, 0.1), 0.3),
        rng.uniform(4, 12),
        wide * rng.uniform(0.35, 0.6),
    )
    for sign in (-1, 1):
        y = sign * deep * 0.22
        loop = [
            (-gap, y, tall * 0.9),
            (-gap, y * 1.2, tall + high * 0.7),
            (0, y * 1.4, tall + high * 1.3),
            (gap, y * 1.2, tall + high * 0.7),
            (gap, y, tall * 0.9),
        ]
        parts.append(Part(tube(loop, rng.uniform(0.5, 1.4), 0.4, (1, 0, 0)), strap))
    return parts


def fuzzy(rng: Generator) -> list[Part]:
    """A furry ball or a plush animal."""
    coat = paint(finishes.colour(rng, 0.4))
    length = rng.uniform(0.4, 1.6)
    bodies = [ball((5, 4.8, 5))]
    extras: list[Part] = []
    if rng.random() < 0.7:
        bodies.append(ball((3.8, 3.6, 3.5)).moved((0, -0.5, 7.2)))
        for sign in (-1, 1):
            bodies.append(ball((1.3, 0.8, rng.uniform(1.2, 3))).moved((sign * 2.7, -0.2, 10.4)))
            bodies.append(lay(ball((1.5, 1.5, 3)), ("y", sign * 40.0), to=(sign * 4.6, -1, 2)))
            bodies.append(ball((1.7, 2.6, 1.7)).moved((sign * 2.9, -3.4, -4)))
            extras.append(
                Part(
                    ball((0.45, 0.45, 0.45), 14).moved((sign * 1.3, -4.0 - 0.1 * length, 8)),
                    plastic(srgb(12, 11, 11), 0.05),
                )
            )
        extras.append(
            Part(ball((0.7, 0.5, 0.5), 14).moved((0, -4.3 - 0.2 * length, 7)), plastic(srgb(40, 26, 24), 0.15))
        )
    skin = meshes.join(*bodies)
    hairs = fur(skin, 3500 if len(bodies) == 1 else 7000, float(length), float(rng.uniform(0.1, 0.22)), rng)
    return [Part(skin, coat), Part(hairs, coat), *extras]


def lens(rng: Generator) -> list[Part]:
    """A camera lens: stacked ribbed barrels with a dark mirroring front, most often lying or looking up."""
    body = (
        plastic(srgb(20, 20, 22), float(rng.uniform(0.1, 0.35)))
        if rng.random() < 0.65
        else finishes.glossy(rng, finishes.colour(rng, 0.8))
    )
    z, parts = 0.0, []
    for index in range(int(rng.integers(3, 6))):
        radius, tall = rng.uniform(3, 4.4), rng.uniform(0.8, 3)
        barrel = disc(radius, z, z + tall, 0.15)
        if index % 2:
            angle = np.arctan2(barrel.vertices[:, 1], barrel.vertices[:, 0])
            barrel.vertices[:, :2] *= (1 - 0.025 * (np.cos(36 * angle) > 0))[:, None]
        parts.append(Part(barrel, body if rng.random() < 0.85 else finishes.steel(rng)))
        z += tall
    hood = hollow(meshes.fillet([(0, z), (3.2, z), (4.2, z + 1.6)], 0.2, 4), 0.3)
    front = ball((3.3, 3.3, 0.8)).moved((0, 0, z + 0.45))
    parts += [Part(hood, body), Part(front, plastic(srgb(10, 8, 16), 0.02))]
    tip = [0.0, 50.0, 90.0][int(rng.integers(3))]
    return [Part(lay(part.mesh, ("x", tip)), part.material) for part in parts]


def stool(rng: Generator) -> list[Part]:
    """A stool or chair on thin legs."""
    wide, tall = rng.uniform(8, 11), rng.uniform(14, 24)
    wood = finishes.wooden(rng) if rng.random() < 0.6 else finishes.coated(rng, finishes.colour(rng, 0.4))
    legs = finishes.steel(rng) if rng.random() < 0.4 else wood
    thick = rng.uniform(0.5, 1.4)
    seat = (
        disc(wide, tall, tall + 1.5, 0.5)
        if rng.random() < 0.5
        else box((2 * wide, 2 * wide, 1.6), 0.5).moved((0, 0, tall + 0.75))
    )
    parts = [Part(seat, wood if rng.random() < 0.6 else finishes.woven(rng))]
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        top, end = 0.6 * wide, rng.uniform(0.75, 0.95) * wide
        line = [
            (x * top, y * top, tall + 0.3),
            (x * (top + end) / 2, y * (top + end) / 2, tall / 2),
            (x * end, y * end, 0),
        ]
        parts.append(Part(tube(line, thick, thick, (1, 0, 0), 0.8), legs))
    if rng.random() < 0.6:
        back = tall + rng.uniform(10, 16)
        for x in (-1, 1):
            post = [
                (x * wide * 0.8, wide * 0.8, tall),
                (x * wide * 0.8, wide * 0.85, (tall + back) / 2),
                (x * wide * 0.8, wide, back),
            ]
            parts.append(Part(tube(post, thick, thick, (1, 0, 0)), legs))
        for level in np.linspace(tall + 5, back - 1, int(rng.integers(1, 4))):
            y = wide * (0.85 + 0.12 * (level - tall) / (back - tall))
            parts.append(Part(box((wide * 1.7, 0.7, 1.8), 0.3).moved((0, y, float(level))), wood))
    return parts


def lamp(rng: Generator) -> list[Part]:
    """A table lamp: foot, stem and a cloth, glass or metal shade."""
    tall, wide, high = rng.uniform(14, 22), rng.uniform(5, 9), rng.uniform(6, 10)
    base = finishes.steel(rng) if rng.random() < 0.4 else finishes.ceramic(rng)
    stem = disc(rng.uniform(0.3, 0.7), 0.5, tall + 2, 0.1)
    if rng.random() < 0.4:
        stem = lathe(np.concatenate([_body(rng, tall, (0.8, 4)), [(0.3, tall + 0.1), (0.0, tall + 0.1)]]))
    line = np.array([(wide, tall), (wide * rng.uniform(0.4, 1.0), tall + high)])
    loop = np.concatenate([line, (line - (0.2, 0))[::-1], line[:1]])
    shade = lathe(meshes.fillet(loop, 0.05, 3))
    material = finishes.woven(rng) if rng.random() < 0.6 else finishes.coated(rng, finishes.colour(rng, 0.6))
    return [
        Part(disc(rng.uniform(3, 5.5), 0, rng.uniform(0.6, 1.8), 0.25), base),
        Part(stem, base),
        Part(shade, material),
    ]


def pan(rng: Generator) -> list[Part]:
    """A pan or pot with one long handle."""
    radius, tall = rng.uniform(7, 11), rng.uniform(2, 9)
    line = meshes.fillet([(0, 0), (radius * 0.88, 0), (radius, tall)], [0, 1, 0], steps=8)
    body = finishes.steel(rng) if rng.random() < 0.5 else finishes.coated(rng, finishes.colour(rng, 0.3))
    grip = (
        plastic(srgb(22, 22, 24), 0.25)
        if rng.random() < 0.5
        else finishes.wooden(rng)
        if rng.random() < 0.5
        else finishes.steel(rng)
    )
    long = rng.uniform(10, 18)
    line_up = [
        (radius * 0.95, 0, tall * 0.8),
        (radius + long * 0.4, 0, tall * 0.9),
        (radius + long, 0, tall + rng.uniform(0, 3)),
    ]
    return [
        Part(hollow(line, 0.3), body),
        Part(tube(line_up, rng.uniform(1.2, 2.2), rng.uniform(0.7, 1.2), (0, 1, 0)), grip),
    ]


def jewel(rng: Generator) -> list[Part]:
    """A ring with a stone, or a bangle."""
    metal_ = finishes.steel(rng)
    band = lay(ring(3, rng.uniform(0.3, 0.9), rng.uniform(0.4, 2.2)), ("x", 90))
    if rng.random() < 0.3:
        return [Part(band, metal_)]
    stone = meshes.lathe(np.array([(0, 0), (1.0, 0.9), (1.0, 1.1), (0.6, 1.5), (0, 1.5)]), segments=8)
    claw = meshes.lathe(meshes.fillet([(0, -0.2), (0.5, 0), (0.95, 0.8), (0.8, 0.8), (0, 0.2)], 0.1, 4), segments=48)
    gem = glass(_CLEAR, 1.9) if rng.random() < 0.5 else finishes.glossy(rng, finishes.colour(rng, 0.1))
    return [Part(band, metal_), Part(claw.moved((0, 0, 3)), metal_), Part(stone.moved((0, 0, 3.15)), gem)]


def speaker(rng: Generator) -> list[Part]:
    """A loudspeaker, router or toaster: a rounded box with round insets."""
    size = (rng.uniform(7, 16), rng.uniform(5, 10), rng.uniform(7, 18))
    parts = [Part(box(size, float(rng.uniform(0.3, 2.2))), finishes.coated(rng, finishes.colour(rng, 0.5)))]
    room = min(size[0], size[2]) * 0.42
    levels = [0.0] if size[2] < 1.4 * size[0] else [-size[2] * 0.22, size[2] * 0.25]
    for index, level in enumerate(levels):
        radius = room * (0.8 if index == 0 else 0.5)
        place = (0.0, -size[1] / 2, float(level))
        cone = lay(
            hollow(meshes.smooth([(0, -0.3), (radius * 0.5, -0.2), (radius, 0.35)], 3), 0.2), ("x", 90), to=place
        )
        parts.append(Part(cone, plastic(srgb(26, 26, 28), 0.3)))
        parts.append(Part(lay(ring(radius, 0.5, 0.6), ("x", 90), to=place), finishes.steel(rng)))
        parts.append(
            Part(
                ball((radius * 0.3, 0.4, radius * 0.3), 18).moved(place),
                finishes.coated(rng, finishes.colour(rng, 0.2)),
            )
        )
    return parts


Kinds = dict[str, tuple[Callable[[Generator], list[Part]], float]]
"""What draws a kind, and how often it is drawn beside the others."""

KINDS: Final[Kinds] = {
    "bottle": (bottle, 1.5),
    "glass-bottle": (glass_bottle, 1.1),
    "vase": (vase, 1.4),
    "bowl": (bowl, 1.1),
    "dish": (dish, 2.5),
    "mug": (mug, 1.5),
    "jar": (jar, 1.0),
    "carton": (carton, 1.4),
    "can": (can, 0.8),
    "tube": (squeeze_tube, 1.0),
    "robot": (robot, 1.8),
    "teapot": (teapot, 1.5),
    "kettle": (kettle, 1.0),
    "clock": (clock, 1.0),
    "candle": (candle, 0.9),
    "wine-glass": (wine_glass, 0.7),
    "sunglasses": (sunglasses, 0.9),
    "bag": (bag, 1.0),
    "fuzzy": (fuzzy, 1.0),
    "lens": (lens, 1.0),
    "stool": (stool, 0.9),
    "lamp": (lamp, 0.8),
    "pan": (pan, 0.7),
    "jewel": (jewel, 0.4),
    "speaker": (speaker, 1.0),
}


def draw(rng: Generator, kinds: Kinds = KINDS) -> tuple[str, list[Part]]:
    """Draw a kind (each with its weight) and one product of it."""
    weights = np.array([weight for _, weight in kinds.values()])
    name = list(kinds)[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    return name, kinds[name][0](rng)
