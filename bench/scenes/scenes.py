"""The five scenes: what stands where, what it is made of, how it is lit and how the phone that took it behaves.

Nothing here needs Mitsuba: materials are its plugin dictionaries (textures as arrays), shapes are meshes. Lengths are
centimetres; x points right, y away from the camera, z up; the floor is z = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from bench.scenes import meshes, textures
from bench.scenes.materials import Material, metal, paint, plastic, srgb, texture
from bench.scenes.meshes import Floats, Mesh

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """One mesh and the Mitsuba BSDF it is made of."""

    mesh: Mesh
    material: Material


@dataclass(frozen=True)
class Light:
    """A rectangular lamp (width × height cm) at ``position`` facing ``target``; ``front`` modulates its radiance."""

    position: Vector
    target: Vector
    size: tuple[float, float]
    radiance: Vector
    front: textures.Image8 | None = None


@dataclass(frozen=True)
class Camera:
    """Full-frame-equivalent camera: focal length on a 36 mm wide (long side) frame, focused at ``focus``."""

    position: Vector
    target: Vector
    focal_length_mm: float
    focus: Vector
    f_number: float = 22.0


@dataclass(frozen=True)
class Development:
    """How linear light becomes a JPEG: exposure in stops, (red, blue) white balance gains, lens and sensor faults."""

    exposure_ev: float = 0.0
    white_balance: tuple[float, float] = (1.0, 1.0)
    vignetting: float = 0.12
    noise: float = 0.006
    jpeg_quality: int = 89
    orientation: Literal[1, 3, 6, 8] = 1


@dataclass(frozen=True)
class Scene:
    """A product on a stage, lit and looked at; sizes are of the upright photo."""

    name: str
    width_px: int
    height_px: int
    product: list[Part]
    stage: list[Part]
    lights: list[Light]
    ambient: Vector
    camera: Camera
    development: Development = field(default_factory=Development)


def _arc(radius: tuple[float, float], degrees: tuple[float, float], steps: int = 96) -> Floats:
    """Return points (N, 2) of an elliptic arc about the origin."""
    angle = np.radians(np.linspace(*degrees, steps))
    return np.stack([radius[0] * np.cos(angle), radius[1] * np.sin(angle)], axis=1)


def _mug_body() -> Mesh:
    outline = [
        (0.0, 0.25), (2.6, 0.25), (2.75, 0.0), (3.2, 0.0), (4.2, 1.6), (4.75, 5.0), (4.0, 9.1), (4.0, 9.7),
        (3.65, 9.7), (3.65, 9.0), (4.35, 5.0), (3.8, 1.8), (2.6, 0.75), (0.0, 0.65),
    ]  # fmt: skip
    radii = [0, 0.1, 0.1, 0.3, 1.2, 3.4, 0.5, 0.17, 0.17, 0.4, 3.2, 1.2, 0.8, 0]
    return meshes.lathe(meshes.fillet(outline, radii, steps=14), segments=360)


def _mug_handle() -> Mesh:
    line = meshes.smooth(
        [(4.1, 7.75), (5.2, 8.2), (7.3, 8.2), (7.7, 6.0), (7.0, 3.8), (5.4, 2.7), (4.1, 2.9)], rounds=5
    )
    path = np.stack([line[:, 0], np.zeros(len(line)), line[:, 1]], axis=1)
    return meshes.sweep(path, meshes.superellipse(1.35, 0.72, 2.6), side=(0, 1, 0))


def mug() -> Scene:
    """A glazed mug with an open handle on an oak table, daylight from a window on the left, a painted wall behind."""
    turn = meshes.rotation("z", -24)
    body = textures.glaze((2048, 4096), 11, (64, 112, 120))
    handle = textures.glaze((1024, 1024), 12, (64, 112, 120))
    product = [
        Part(_mug_body().moved((0, 0, 0), turn), plastic(texture(body), 0.045)),
        Part(_mug_handle().moved((0, 0, 0), turn), plastic(texture(handle), 0.045)),
    ]
    table = meshes.height_field(120, 90, np.zeros((2, 2))).moved((4, 5, 0), meshes.rotation("z", 7))
    boards = textures.wood(4096, 4, 23, (206, 164, 118), (126, 84, 52))
    wall = meshes.height_field(300, 200, np.zeros((2, 2))).moved((0, 62, 60), meshes.rotation("x", 90))
    stage = [
        Part(table, plastic(texture(boards, 2.6), 0.28)),
        Part(wall, paint(texture(textures.plaster(1024, 5, (214, 205, 190))))),
    ]
    lights = [
        Light((-75, -22, 46), (0, 0, 6), (62, 84), (24, 24.5, 26), textures.window_light()),
        Light((80, -60, 45), (0, 0, 5), (90, 70), (1.5, 1.35, 1.15)),
    ]
    camera = Camera((3, -64, 20), (1.25, 0, 4.55), 138, (0, -4, 5), f_number=30)
    look = Development(exposure_ev=0.1, white_balance=(1.05, 0.93), vignetting=0.14)
    return Scene("mug", 2800, 2400, product, stage, lights, (0.22, 0.21, 0.20), camera, look)


def _bottle_profile() -> Floats:
    outline = [(0, 0.1), (2.9, 0.0), (3.3, 0.35), (3.35, 13.4), (2.9, 15.0), (1.45, 15.7), (1.4, 16.2), (0, 16.2)]
    return meshes.fillet(outline, [0, 0.3, 0.5, 1.6, 1.1, 0.5, 0.1, 0], steps=20)


def bottle() -> Scene:
    """A labelled lotion bottle with a flip cap on a grey sweep that runs from light to dark."""
    turn = meshes.rotation("z", 9)
    depth = 0.72
    body = meshes.lathe(_bottle_profile(), segments=320, depth_scale=depth)
    shell = np.array([[3.335, 1.7], [3.372, 1.72], [3.372, 12.28], [3.335, 12.3]])
    label = meshes.lathe(shell, segments=240, arc_deg=(-168, -12), depth_scale=depth)
    cap_outline = [(0, 15.95), (1.86, 15.95), (1.9, 16.05), (1.86, 18.7), (1.6, 18.95), (0, 19.0)]
    cap_profile = meshes.fillet(cap_outline, [0, 0.06, 0.08, 0.22, 0.2, 0], steps=12)
    cap = meshes.lathe(cap_profile, segments=720)
    ribs = cap.vertices.copy()
    angle = np.arctan2(ribs[:, 1], ribs[:, 0])
    grip = np.clip((ribs[:, 2] - 16.1) / 0.15, 0, 1) * np.clip((17.9 - ribs[:, 2]) / 0.1, 0, 1)
    ribs[:, :2] *= (1 - 0.016 * grip * (0.5 + 0.5 * np.cos(60 * angle)) ** 2)[:, None]
    product = [
        Part(body.moved((0, 0, 0), turn), plastic(srgb(236, 231, 220), 0.16)),
        Part(label.moved((0, 0, 0), turn), plastic(texture(textures.lotion_label(2000, 2320)), 0.22)),
        Part(meshes.Mesh(ribs, cap.normals, cap.uv, cap.faces).moved((0, 0, 0), turn), plastic(srgb(58, 84, 72), 0.2)),
    ]
    sweep = meshes.backdrop(260, -120, 62, 160, 46)
    stage = [Part(sweep, paint(srgb(176, 177, 180)))]
    lights = [
        Light((-52, -38, 58), (0, 0, 10), (42, 60), (15, 15, 15.4), textures.softbox_light()),
        Light((64, -22, 30), (0, 0, 9), (22, 70), (4.2, 4.1, 4.0), textures.softbox_light()),
        Light((0, 6, 92), (0, 12, 0), (70, 36), (6, 6, 6), textures.softbox_light()),
    ]
    camera = Camera((0, -86, 21), (0, 0, 9.3), 131, (0, -2.4, 9), f_number=28)
    look = Development(exposure_ev=0.1, white_balance=(0.985, 1.02), vignetting=0.16, noise=0.010, orientation=6)
    return Scene("bottle", 2250, 3000, product, stage, lights, (0.10, 0.10, 0.105), camera, look)


def box() -> Scene:
    """A printed carton on a checked cotton cloth, seen from above with kitchen light from behind left."""
    size = (9.0, 5.0, 18.0)
    turn = meshes.rotation("z", 27)
    faces = meshes.rounded_box(size, 0.07)
    side = textures.carton_side(1000, 3600)
    prints = {
        "front": textures.carton_front(1800, 3600),
        "left": side,
        "right": side,
        "top": textures.carton_top(1800, 1000),
        "back": side,
        "bottom": textures.carton_top(900, 500),
    }
    product = [
        Part(faces[name].moved((0, 0, size[2] / 2), turn), plastic(texture(picture), 0.2))
        for name, picture in prints.items()
    ]
    extent, cells = 150.0, 700
    t = np.linspace(-extent / 2, extent / 2, cells)
    reach = np.hypot(t[None, :], t[:, None])
    rise = np.clip((reach - 7.5) / 14, 0, 1)
    folds = textures.fractal((cells, cells), (7, 9), 77, octaves=4).astype(float)
    # Creases: the sharp side of folded noise, as in cloth that lay in a drawer.
    creases = -np.abs(textures.fractal((cells, cells), (5, 4), 78, octaves=2).astype(float))
    heights = rise**2 * (3 - 2 * rise) * (0.42 * folds + 0.9 * (creases + 0.8)) - 0.02
    cloth = meshes.height_field(extent, extent, np.where(reach < 9, np.minimum(heights, 0), heights))
    weave = textures.gingham(4096, 8, 560, 9, (240, 233, 218), (196, 138, 66))
    stage = [Part(cloth.moved((0, 18, 0), meshes.rotation("z", -14)), paint(texture(weave, 4.0)))]
    lights = [
        Light((-58, 20, 70), (0, 0, 5), (56, 56), (17, 17, 17.5), textures.softbox_light()),
        Light((40, -80, 60), (0, 0, 8), (80, 60), (5.2, 5.0, 4.6)),
    ]
    camera = Camera((5, -62, 44), (0.2, 0, 8.7), 111, (0, -4, 10), f_number=20)
    look = Development(exposure_ev=0.0, white_balance=(1.04, 0.95), vignetting=0.12, noise=0.004)
    return Scene("box", 2400, 2400, product, stage, lights, (0.20, 0.20, 0.20), camera, look)


def _along_x(mesh: Mesh, x: float, z: float, outward: int) -> Mesh:
    """Lay a lathed part on its side: its axis from the head (x = 0) outwards."""
    return mesh.moved((x, 0, z), meshes.rotation("y", 90 * outward))


def _band(radius: float, width: float, low: float, high: float) -> Mesh:
    """Return a flat ring about the z axis."""
    inner, outer = radius - width / 2, radius + width / 2
    corners = [(inner, low), (outer, low), (outer, high), (inner, high), (inner, low)]
    return meshes.lathe(meshes.fillet(corners, 0.04, steps=4), segments=128)


def _spoke(degrees: float) -> Mesh:
    """Return a bar from the middle of an ear cup to its ring."""
    bar = meshes.join(*meshes.rounded_box((2.9, 0.16, 0.14), 0.04, steps=2).values())
    return bar.moved((1.6, 0, 2.5)).moved((0, 0, 0), meshes.rotation("z", degrees))


def headphones() -> Scene:
    """Open over-ear headphones, steel bows over a leather strap, standing on a light grey sweep with their cable."""
    turn, ear_x, ear_z = meshes.rotation("z", 31), 8.3, 5.0
    shell = meshes.fillet(
        [(0, 0), (4.35, 0), (4.5, 0.5), (4.35, 2.0), (3.6, 2.5), (3.2, 2.62), (3.0, 2.3), (0, 2.2)],
        [0, 0.3, 0.5, 0.7, 0.3, 0.15, 0.15, 0],
    )
    ring = meshes.fillet([(3.3, 2.4), (3.3, 2.72), (3.02, 2.72), (3.02, 2.4)], [0, 0.1, 0.1, 0])
    cushion_path = np.concatenate([_arc((3.35, 3.35), (0, 360), 192), np.zeros((192, 1))], axis=1)
    cushion = meshes.sweep(cushion_path, meshes.superellipse(2.1, 2.0, 2.7), side=(1, 0, 0))
    grille = meshes.join(*[_band(radius, 0.16, 2.42, 2.62) for radius in (0.35, 0.95, 1.55, 2.15, 2.75)])
    spokes = meshes.join(*[_spoke(angle) for angle in range(0, 360, 60)])
    baffle = meshes.lathe(np.array([(0.0, -0.3), (3.4, -0.3), (3.45, -0.4)])[::-1])
    black, leather, steel = srgb(34, 34, 36), srgb(96, 62, 40), srgb(225, 225, 228)
    parts: list[Part] = []
    for sign in (-1, 1):

        def lay(mesh: Mesh, sign: int = sign) -> Mesh:
            return _along_x(mesh, sign * ear_x, ear_z, sign)

        yoke = np.concatenate([np.zeros((96, 1)), _arc((4.95, 4.95), (0, 180))], axis=1) + (
            sign * (ear_x + 1.1),
            0,
            ear_z,
        )
        slider = meshes.join(*meshes.rounded_box((0.9, 4.4, 1.9), 0.25).values())
        parts += [
            Part(lay(meshes.lathe(shell)), plastic(black, 0.25)),
            Part(lay(meshes.lathe(ring)), metal(steel, 0.15)),
            Part(lay(meshes.join(grille, spokes)), metal(steel, 0.2)),
            Part(lay(cushion.moved((0, 0, -0.75))), plastic(srgb(42, 38, 36), 0.38)),
            Part(lay(baffle), paint(srgb(20, 20, 21))),
            Part(meshes.sweep(yoke, meshes.superellipse(0.9, 0.34, 3), side=(1, 0, 0)), metal(steel, 0.18)),
            Part(slider.moved((sign * (ear_x + 1.1), 0, ear_z + 5.7)), plastic(black, 0.22)),
        ]
        for y in (-4.95, 4.95):
            pivot = meshes.lathe(meshes.fillet([(0, 0), (0.42, 0), (0.42, 0.5), (0, 0.5)], [0, 0.1, 0.1, 0]))
            tilt = meshes.rotation("x", 90 if y < 0 else -90)
            shift = 0.1 if y < 0 else -0.1
            parts.append(Part(pivot.moved((sign * (ear_x + 1.1), y + shift, ear_z), tilt), metal(steel, 0.2)))
    bow_x = ear_x + 1.1
    bow = _arc((bow_x, 9.6), (0, 180), 160)
    for y in (-1.5, 1.5):
        path = np.stack([bow[:, 0], np.full(len(bow), y), bow[:, 1] + ear_z + 6.2], axis=1)
        parts.append(Part(meshes.sweep(path, meshes.superellipse(0.42, 0.42), side=(0, 1, 0)), metal(steel, 0.12)))
    strap = _arc((bow_x - 0.35, 7.3), (4, 176), 128)
    strap_path = np.stack([strap[:, 0], np.zeros(len(strap)), strap[:, 1] + ear_z + 5.6], axis=1)
    taper = 0.62 + 0.38 * np.sin(np.linspace(0, np.pi, len(strap)))
    parts.append(
        Part(
            meshes.sweep(strap_path, meshes.superellipse(4.3, 0.36, 5), side=(0, 1, 0), scale=taper),
            plastic(leather, 0.4),
        )
    )
    cable = meshes.smooth(
        [
            (-8.9, -1.6, 0.95), (-9.1, -3.2, 0.5), (-9.0, -5.4, 0.17), (-6.0, -9.0, 0.17), (0.5, -10.0, 0.17),
            (5.5, -8.0, 0.17), (4.5, -4.5, 0.17), (0.0, -4.6, 0.17), (-2.4, -7.0, 0.25), (-1.4, -10.8, 0.85),
            (2.2, -12.0, 0.30), (3.6, -12.0, 0.30),
        ],
        rounds=6,
    )  # fmt: skip
    end = cable[-1]
    barrel, pin = (end + np.linspace(*span, 32)[:, None] * (1, 0, 0) for span in ((-0.1, 1.7), (1.6, 3.0)))
    rounded = np.maximum(1 - np.abs(np.linspace(-1, 1, 32)) ** 10, 0.02) ** 0.5
    parts += [
        Part(meshes.sweep(cable, meshes.superellipse(0.34, 0.34), side=(0, 0, 1)), plastic(black, 0.35)),
        Part(meshes.sweep(barrel, meshes.superellipse(0.6, 0.6), side=(0, 0, 1), scale=rounded), plastic(black, 0.2)),
        Part(meshes.sweep(pin, meshes.superellipse(0.3, 0.3), side=(0, 0, 1), scale=rounded), metal(steel, 0.1)),
    ]
    product = [Part(part.mesh.moved((0, 0, 0), turn), part.material) for part in parts]
    stage = [Part(meshes.backdrop(300, -140, 70, 170, 50), paint(srgb(214, 214, 212)))]
    lights = [
        Light((-60, -30, 75), (0, 0, 9), (60, 60), (13, 13, 13.2), textures.softbox_light()),
        Light((70, -30, 40), (0, 0, 9), (40, 70), (4.5, 4.5, 4.5), textures.softbox_light()),
    ]
    camera = Camera((0, -92, 27), (-0.3, 0, 9.8), 119, (0, -4, 9), f_number=32)
    look = Development(exposure_ev=0.2, white_balance=(1.02, 0.98), vignetting=0.10, noise=0.010)
    return Scene("headphones", 2400, 2400, product, stage, lights, (0.16, 0.16, 0.16), camera, look)


def white_vase() -> Scene:
    """White on white: an unglazed-looking vase on a near-white sweep, one large soft light, a soft shadow."""
    outer = meshes.smooth(
        [(0, 0), (4.3, 0), (5.1, 0.2), (7.4, 5.0), (7.6, 9.5), (6.2, 14.0), (2.6, 16.4), (2.05, 20.0), (3.1, 23.6),
         (3.35, 24.2)],
        rounds=5,
    )  # fmt: skip
    inner = meshes.smooth(
        [(3.35, 24.2), (3.3, 24.35), (3.05, 24.2), (1.7, 20.0), (2.2, 16.0), (3.0, 13.0), (0, 12)], rounds=5
    )
    body = meshes.lathe(np.concatenate([outer, inner[1:]]), segments=360)
    product = [Part(body, plastic(srgb(240, 238, 233), 0.3))]
    stage = [Part(meshes.backdrop(320, -140, 66, 190, 50), paint(srgb(238, 238, 237)))]
    lights = [
        Light((-70, -35, 80), (0, 0, 10), (70, 70), (9.5, 9.5, 9.6), textures.softbox_light()),
        Light((10, 20, 120), (0, 25, 0), (140, 80), (3.2, 3.2, 3.2), textures.softbox_light()),
    ]
    camera = Camera((0, -98, 42), (0.4, 0, 11.9), 116, (0, -6, 12), f_number=32)
    look = Development(exposure_ev=0.3, white_balance=(1.015, 0.985), vignetting=0.10, noise=0.012)
    return Scene("white-vase", 2250, 3000, product, stage, lights, (0.18, 0.18, 0.18), camera, look)


SCENES: Final[dict[str, Callable[[], Scene]]] = {
    "mug": mug,
    "bottle": bottle,
    "box": box,
    "headphones": headphones,
    "white-vase": white_vase,
}
