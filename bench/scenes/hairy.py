"""Hairy and fluffy products: a skin under strands, each drawn from a seed. Lengths are centimetres, z is up."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.random import Generator

from bench.scenes import meshes, textures
from bench.scenes.materials import Material, metal, paint, plastic, srgb, texture
from bench.scenes.meshes import Floats, Mesh, rotation
from bench.scenes.scenes import Part
from bench.scenes.shapes import ball, box, disc, hollow, tube, turned
from bench.scenes.strands import Strands, grow, roots

Things = list[Part | Strands]

_UP = np.array([0.0, 0.0, 1.0])


def _dye(rng: Generator) -> Floats:
    """Draw a fur's colour, sRGB (3,) in [0, 1]: white, natural or loud."""
    draw = rng.random()
    if draw < 0.35:
        return np.asarray(rng.uniform(0.86, 0.95) + rng.uniform(-0.02, 0.02, 3) * (1, 0.5, 2))
    if draw < 0.75:
        return np.asarray(colorsys.hsv_to_rgb(rng.uniform(0.04, 0.11), rng.uniform(0.15, 0.6), rng.uniform(0.25, 0.85)))
    return np.asarray(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.4, 0.8), rng.uniform(0.5, 0.95)))


def _cloth(colour: Floats) -> Material:
    red, green, blue = (int(t) for t in np.clip(255 * colour, 0, 255))
    return paint(srgb(red, green, blue))


def _coat(
    skin: Mesh, count: int, length: float, width: float, colour: Floats, rng: Generator, **way: object
) -> list[Strands]:
    """Grow hair on a mesh in three shades of a colour."""
    coats = []
    for shade in (0.82, 1.0, 1.08):
        root, normal = roots(skin, count // 3, rng)
        coats.append(grow(root, normal, length, width, _cloth(np.clip(colour * shade, 0, 0.96)), rng, **way))  # type: ignore[arg-type]
    return coats


def _eyes(apart: float, y: float, z: float, size: float) -> Things:
    black = plastic(srgb(12, 11, 11), 0.05)
    return [Part(ball((size, size, size), 16).moved((sign * apart, y, z)), black) for sign in (-1, 1)]


def teddy(rng: Generator) -> Things:
    """A plush bear in short fur."""
    colour = _dye(rng)
    bodies = [ball((4.6, 4.2, 5)).moved((0, 0, 5)), ball((3.9, 3.6, 3.5)).moved((0, -0.5, 12.3))]
    for sign in (-1, 1):
        bodies.append(ball((1.4, 0.9, 1.5)).moved((sign * 3.0, -0.2, 15.4)))
        bodies.append(ball((1.5, 1.5, 3.2)).moved((sign * 4.8, -1, 6.8), rotation("y", sign * -35.0)))
        bodies.append(ball((1.8, 3.0, 1.8)).moved((sign * 3.1, -3.6, 1.9)))
    muzzle = ball((1.7, 1.4, 1.3)).moved((0, -3.9, 11.4))
    skin = meshes.join(*bodies, muzzle)
    length = float(rng.uniform(0.8, 1.3))
    return [
        Part(skin, _cloth(colour * 0.7)),
        *_coat(skin, 54000, length, 0.042, colour, rng, stray=0.4, curl=0.12, droop=0.15),
        *_eyes(1.5, -4.0 - 0.4 * length, 13.0, 0.5),
        Part(ball((0.75, 0.5, 0.5), 16).moved((0, -5.2 - 0.4 * length, 12.0)), plastic(srgb(40, 26, 24), 0.15)),
    ]


def pompom(rng: Generator) -> Things:
    """A fluffy ball on a key ring."""
    colour = _dye(rng)
    skin = ball((2.2, 2.2, 2.2)).moved((0, 0, 5))
    steel = metal(srgb(235, 235, 238), 0.08)
    loop = tube([(0, 0, 8.2), (1.0, 0, 9.4), (0, 0, 10.8), (-1.0, 0, 9.4), (0, 0, 8.2)], 0.22, 0.22, (0, 1, 0))
    strap = tube([(0, 0, 6.5), (0.1, 0, 7.6), (0, 0, 8.6)], 0.5, 0.25, (1, 0, 0))
    hair = _coat(skin, 21000, 2.7, 0.035, colour, rng, stray=0.25, curl=0.1, droop=0.12)
    return [Part(skin, _cloth(colour * 0.6)), *hair, Part(strap, _cloth(colour * 0.4)), Part(loop, steel)]


def brush(rng: Generator) -> Things:
    """A make-up or shaving brush standing on its handle."""
    colour = _dye(rng)
    tall, wide = float(rng.uniform(4, 9)), float(rng.uniform(1.2, 1.8))
    handle = turned([(0, 0), (wide * 0.9, 0), (wide * 0.6, tall * 0.5), (wide, tall), (0, tall)], 0.5)
    ferrule = turned([(0, tall), (wide * 1.02, tall), (wide * 0.98, tall + 1.4), (0, tall + 1.4)], 0.15)
    count = 4500
    radius, angle = wide * 0.93 * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    root = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(count, tall + 1.2)], axis=1)
    out = root * (1, 1, 0) / wide
    hairs: Things = []
    for part, shade in enumerate((0.7, 1.0, 1.1)):
        some = slice(part, None, 3)
        reach = 5.5 * (1.05 - 0.4 * (radius[some] / wide) ** 2).mean()
        way = _UP + 0.3 * out[some]
        grown = grow(
            root[some], way, reach, 0.035, _cloth(np.clip(colour * shade, 0, 0.95)), rng, stray=0.05, curl=0.03
        )
        hairs.append(Strands(grown.points, grown.widths, out[some] + (0, 0, 0.3), grown.material))
    core = turned([(0, tall + 1.2), (wide * 0.9, tall + 1.2), (wide * 1.15, tall + 4.6), (0, tall + 5.2)], 0.8)
    gloss = plastic(srgb(*(int(t) for t in rng.integers(10, 240, 3))), 0.06)
    ring = metal(srgb(235, 232, 228), 0.1)
    return [Part(handle, gloss), Part(ferrule, ring), Part(core, _cloth(colour * 0.6)), *hairs]


def beanie(rng: Generator) -> Things:
    """A knitted hat with a fur bobble, fibres standing off the wool."""
    colour, bobble = _dye(rng), _dye(rng)
    line = meshes.smooth([(7, 0), (7.6, 1), (7.4, 4), (6.4, 8), (3.5, 11), (0, 11.8)], 4)
    dome = meshes.lathe(line, segments=240, depth_scale=0.9)
    angle = np.arctan2(dome.vertices[:, 1], dome.vertices[:, 0])
    dome.vertices[:, :2] *= (1 + 0.014 * np.cos(60 * angle))[:, None]
    brim = meshes.lathe(meshes.fillet([(7.0, 0), (8.1, 0), (8.1, 3.2), (7.2, 3.2)], 0.4), segments=240, depth_scale=0.9)
    brim.vertices[:, :2] *= (1 + 0.02 * np.cos(48 * np.arctan2(brim.vertices[:, 1], brim.vertices[:, 0])))[:, None]
    wool = _cloth(colour)
    skin = ball((1.5, 1.5, 1.5)).moved((0, 0, 13.3))
    fibres = _coat(meshes.join(dome, brim), 9000, 0.45, 0.022, colour, rng, stray=0.6, curl=0.3)
    hair = _coat(skin, 12000, 2.1, 0.04, bobble, rng, stray=0.3, curl=0.1, droop=0.1)
    return [Part(dome, wool), Part(brim, wool), *fibres, Part(skin, _cloth(bobble * 0.6)), *hair]


def cushion(rng: Generator) -> Things:
    """A shaggy cushion leaning back."""
    colour = _dye(rng)
    size = 9.0
    levels = np.linspace(-1, 1, 25)
    sections = [
        meshes.superellipse(2 * size * (0.9 + 0.1 * t * t), 4.5 * np.sqrt(1 - t * t) + 0.4, 2.6, 72) for t in levels
    ]
    body = np.stack([np.pad(s, ((0, 0), (0, 1))) + (0, 0, size * t) for s, t in zip(sections, levels, strict=True)])
    mesh = meshes.grid(np.concatenate([body, body[:, :1]], axis=1), closed=True)
    mesh = mesh.moved((0, 0, size), rotation("x", -12.0))
    droop = float(rng.uniform(0.3, 0.6))
    hair = _coat(mesh, 42000, float(rng.uniform(1.6, 2.6)), 0.05, colour, rng, stray=0.4, curl=0.15, droop=droop)
    return [Part(mesh, _cloth(colour * 0.7)), *hair]


def duster(rng: Generator) -> Things:
    """A feather duster: soft barbs about a stem over a turned handle."""
    colour = _dye(rng)
    handle = turned([(0, 0), (0.7, 0), (0.5, 4), (0.75, 8), (0.4, 9), (0, 9)], 0.3)
    count = 15000
    rise = rng.uniform(9, 17, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    root = np.stack([0.3 * np.cos(angle), 0.3 * np.sin(angle), rise], axis=1)
    out = np.stack([np.cos(angle), np.sin(angle), rng.uniform(0.1, 1.1, count)], axis=1)
    hairs: Things = []
    for part, shade in enumerate((0.75, 0.95, 1.1)):
        some = slice(part, None, 3)
        cloth = _cloth(np.clip(colour * shade, 0, 0.95))
        hairs.append(grow(root[some], out[some], 3.6, 0.045, cloth, rng, stray=0.25, curl=0.22, droop=0.35))
    core = turned([(0, 8.6), (1.2, 9.2), (1.5, 15), (0.5, 18), (0, 18)], 0.8)
    wood = plastic(texture(textures.wood(256, 2, int(rng.integers(1 << 30)), (206, 164, 118), (126, 84, 52))), 0.2)
    return [Part(handle, wood), Part(core, _cloth(colour * 0.6)), *hairs]


def wig(rng: Generator) -> Things:
    """Long hair on a mannequin's head."""
    colour = np.asarray(
        colorsys.hsv_to_rgb(rng.uniform(0.02, 0.12), rng.uniform(0.3, 0.75), rng.uniform(0.12, 0.8)), float
    )
    head = ball((3.6, 4.3, 4.8)).moved((0, 0, 16))
    neck = turned([(0, 4), (3.6, 4), (1.9, 7), (1.7, 12.5), (0, 12.5)], 1.0)
    skin = plastic(srgb(238, 236, 232), 0.3)
    root, normal = roots(ball((3.65, 4.35, 4.85)), 16000, rng)
    crown = (root[:, 2] > 2.2) | ((root[:, 1] > 0.3) & (root[:, 2] > -1.5))
    root, normal = root[crown], normal[crown]
    away = root * (1, 1, 0) + rng.normal(0, 0.15, root.shape) * (1, 1, 0)
    normal = 0.5 * normal + away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 0.2)
    root = root + (0, 0, 16)
    wave = float(rng.uniform(0.01, 0.06))
    long = float(rng.uniform(8, 10))
    hairs: Things = []
    for part, shade in enumerate((0.8, 1.0, 1.15)):
        some = slice(part, None, 3)
        cloth = _cloth(np.clip(colour * shade, 0, 0.95))
        way = normal[some]
        hairs.append(
            _hanging(grow(root[some], way, long, 0.035, cloth, rng, stray=0.1, curl=wave, droop=0.0, taper=0.6))
        )
    return [Part(head, skin), Part(neck, skin), *hairs]


def _hanging(strands: Strands) -> Strands:
    """Bend strands that start outwards until they hang down beside the head."""
    points = strands.points.copy()
    root = points[:, :1]
    way = points - root
    reach = np.linalg.norm(way, axis=2, keepdims=True)
    long = reach[:, -1:] + 1e-9
    t = reach / long
    out = way * (1, 1, 0) * 0.32 * (1 - np.exp(-3.5 * t)) / np.maximum(t, 1e-3)
    drop = np.minimum(long * 0.95, root[..., 2:] - 4.8)
    z = root[..., 2:] + way[..., 2:] * np.exp(-4 * t) * 0.4 - drop * t**1.35
    bent = np.concatenate([root[..., :2] + out[..., :2], z], axis=2)
    # Over the head, not through it.
    inside = (bent - (0, 0, 16)) / (3.75, 4.45, 4.95)
    depth = np.linalg.norm(inside, axis=2, keepdims=True)
    bent = (0, 0, 16) + (bent - (0, 0, 16)) / np.clip(depth, 1e-3, 1)
    return Strands(bent, strands.widths, strands.normals, strands.material)


def pampas(rng: Generator) -> Things:
    """Dried plumes in a vase."""
    colour = np.asarray(
        colorsys.hsv_to_rgb(rng.uniform(0.06, 0.12), rng.uniform(0.1, 0.35), rng.uniform(0.7, 0.95)), float
    )
    line = meshes.smooth([(0, 0), (2.4, 0), (3.0, 3), (2.2, 6.5), (1.1, 8.5), (1.3, 9.6)], 4)
    things: Things = [Part(hollow(line, 0.25), plastic(srgb(232, 228, 222), float(rng.uniform(0.05, 0.3))))]
    for index in range(6):
        turn = 2 * np.pi * index / 6 + rng.uniform(-0.3, 0.3)
        spread, top = rng.uniform(1.5, 6), rng.uniform(16, 22)
        side = np.array([np.cos(turn), np.sin(turn), 0.0])
        path = [(0, 0, 2), tuple(0.35 * side * spread + (0, 0, 12)), tuple(side * spread + (0, 0, top))]
        things.append(Part(tube(path, 0.14, 0.14, (1, 0, 0)), _cloth(colour * 0.75)))
        stem = meshes.smooth(path, 4)
        place = rng.uniform(0.5, 1.0, 2600) ** 0.8 * (len(stem) - 1)
        low = np.minimum(place.astype(int), len(stem) - 2)
        root = stem[low] + (stem[low + 1] - stem[low]) * (place - low)[:, None]
        way = rng.standard_normal((2600, 3)) * 0.8 + (stem[low + 1] - stem[low]) * 1.2 + 0.5 * side
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        shade = np.clip(colour * rng.uniform(0.9, 1.08), 0, 0.95)
        things.append(grow(root, way, 2.0, 0.03, _cloth(shade), rng, stray=0.25, curl=0.15, droop=0.25))
    return things


def monster(rng: Generator) -> Things:
    """A soft toy that is all hair and eyes."""
    colour = np.asarray(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.4, 0.8), rng.uniform(0.55, 0.95)), float)
    skin = ball((4.2, 4.0, 4.4)).moved((0, 0, 5.2))
    hair = _coat(skin, 30000, 2.6, 0.05, colour, rng, stray=0.45, curl=0.2, droop=0.35)
    things: Things = [Part(skin, _cloth(colour * 0.5)), *hair]
    for sign in (-1, 1):
        eye = (sign * 1.5, -5.6, 7.2)
        things.append(Part(ball((1.1, 0.9, 1.1), 24).moved(eye), plastic(srgb(246, 246, 244), 0.05)))
        things.append(
            Part(ball((0.5, 0.4, 0.5), 20).moved((eye[0] * 0.9, -6.35, 7.2)), plastic(srgb(10, 10, 12), 0.04))
        )
        foot = ball((1.7, 2.4, 0.9)).moved((sign * 2.0, -1.4, 0.7))
        things.append(Part(foot, plastic(srgb(240, 150, 40), 0.3)))
    return things


def tassel(rng: Generator) -> Things:
    """A pair of silk tassels, hanging side by side from one cord."""
    colour = _dye(rng)
    things: Things = []
    silk = _cloth(colour)
    for sign in (-1, 1):
        x = 3.0 * sign
        things.append(Part(ball((0.95, 0.95, 1.1)).moved((x, 0, 11)), silk))
        things.append(Part(disc(0.85, 9.6, 10.2, 0.1).moved((x, 0, 0)), metal(srgb(240, 205, 130), 0.12)))
        count = 2400
        radius, angle = 0.75 * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
        out = np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], axis=1)
        root = out * radius[:, None] + (x, 0, 9.8)
        for part, shade in enumerate((0.75, 1.0, 1.1)):
            some = slice(part, None, 3)
            cloth = _cloth(np.clip(colour * shade, 0, 0.95))
            grown = grow(root[some], 0.22 * out[some] - _UP, 9.0, 0.05, cloth, rng, stray=0.04, curl=0.02, taper=0.2)
            things.append(Strands(grown.points, grown.widths, out[some] + (0, 0, 0.1), cloth))
    cord = tube([(-3, 0, 11.6), (-2, 0, 15), (0, 0, 16.5), (2, 0, 15), (3, 0, 11.6)], 0.35, 0.35, (0, 1, 0))
    return [*things, Part(cord, silk)]


def slipper(rng: Generator) -> Things:
    """A pair of fur-lined slippers."""
    colour, lining = _dye(rng), np.array([0.94, 0.93, 0.9])
    things: Things = []
    for sign in (-1, 1):
        sole = box((7.4, 19, 1.4), 0.65).moved((0, 0, 0.7))
        upper = ball((3.7, 5.4, 3.3)).moved((0, -4.4, 1.6))
        upper.vertices[:, 2] = np.maximum(upper.vertices[:, 2], 0.9)
        rim = tube(
            [(-3.4, -1.5, 2), (-2.6, 0.6, 3.9), (0, 1.0, 4.9), (2.6, 0.6, 3.9), (3.4, -1.5, 2)], 1.2, 1.2, (0, 1, 0)
        )
        turn = rotation("z", -9.0 * sign)
        to = (5.0 * sign, 0.0, 0.0)
        things += [Part(sole.moved(to, turn), _cloth(colour * 0.45)), Part(upper.moved(to, turn), _cloth(colour))]
        hair = _coat(upper, 7000, 0.35, 0.035, colour, rng, stray=0.5)
        hair += _coat(rim, 9000, 1.3, 0.045, lining, rng, stray=0.45, curl=0.2, droop=0.2)
        things += [Part(rim.moved(to, turn), _cloth(lining * 0.8)), *(h.moved(to, turn) for h in hair)]
    return things
