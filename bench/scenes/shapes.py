"""Meshes that products are put together from: turned, hollow, lofted, swept and furred. Lengths are centimetres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.random import Generator

from bench.scenes import meshes
from bench.scenes.meshes import Floats, Mesh

SEGMENTS: Final = 72


def lathe(profile: Floats, depth_scale: float = 1.0) -> Mesh:
    return meshes.lathe(profile, segments=SEGMENTS, depth_scale=depth_scale)


def turned(corners: list[tuple[float, float]], radius: float, depth_scale: float = 1.0) -> Mesh:
    """Lathe a closed outline of (radius, z), bottom centre to top centre, its corners rounded."""
    return lathe(meshes.fillet(corners, radius, steps=5), depth_scale)


def disc(radius: float, low: float, high: float, rounding: float) -> Mesh:
    return turned([(0, low), (radius, low), (radius, high), (0, high)], rounding)


def hollow(outer: Floats, wall: float) -> Mesh:
    """Return a closed vessel with walls that thick; ``outer`` (N, 2), (radius, z), rises to the rim in small steps."""
    inner = outer[::-1] + (-wall, 0)
    solid = (inner[:, 0] <= wall) | (inner[:, 1] <= outer[0, 1] + wall)
    inside = inner[: int(np.argmax(solid))]  # from the rim down to the floor, or to where a stem begins
    rim = outer[-1] + np.array([(-0.15 * wall, 0.35 * wall), (-0.85 * wall, 0.35 * wall)])
    floor = np.array([(0.0, inside[-1, 1])])
    return lathe(np.concatenate([outer, rim, inside, floor]))


def ball(radii: tuple[float, float, float], rings: int = 30) -> Mesh:
    """Return an ellipsoid of those radii along x, y, z."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings)
    unit = meshes.lathe(np.stack([np.cos(angle), np.sin(angle)], axis=1), segments=48)
    scale = np.asarray(radii, float)
    normals = unit.vertices / scale
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(unit.vertices * scale, normals, unit.uv, unit.faces)


def tube(
    line: Sequence[tuple[float, float, float]],
    width: float,
    height: float,
    side: tuple[float, float, float],
    taper: float = 1.0,
) -> Mesh:
    """Sweep an oval along a smoothed line (N, 3) and round its ends; ``taper`` is the end's size over the start's."""
    path = meshes.smooth(line, rounds=4)
    reach = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    end = np.minimum(reach, reach[-1] - reach) / max(width, height)
    rounded = np.sqrt(np.clip(1 - (1 - np.clip(2 * end, 0, 1)) ** 2, 1e-6, 1))
    scale = rounded * (1 + (taper - 1) * reach / reach[-1])
    return meshes.sweep(path, meshes.superellipse(width, height, 2.4, steps=20), side=side, scale=scale)


def ring(radius: float, width: float, height: float, squeeze: float = 1.0, power: float = 2.0) -> Mesh:
    """Return a hoop about z, ``width`` thick in its plane; ``squeeze`` scales y, ``power`` above 2 boxes it."""
    outline = meshes.superellipse(2 * radius, 2 * radius * squeeze, power, steps=64)
    # One point more on both sides, cut off again: there the sweep does not know how the path goes on.
    path = np.concatenate([outline[-1:], outline, outline[:2]])
    section = meshes.superellipse(width, height, 2.0, steps=16)
    swept = meshes.sweep(np.pad(path, ((0, 0), (0, 1))), section, side=(1, 0, 0))
    return meshes.grid(swept.vertices.reshape(len(path), -1, 3)[1:-1], closed=True)


def box(size: tuple[float, float, float], rounding: float) -> Mesh:
    """Return a rounded box centred on the origin."""
    return meshes.join(*meshes.rounded_box(size, rounding, steps=3).values())


def loft(sections: list[Floats], heights: Floats) -> Mesh:
    """Join closed sections (S, 2) at those heights, bottom first, and close both ends."""
    stack = np.stack(
        [np.pad(section, ((0, 0), (0, 1))) + (0, 0, z) for section, z in zip(sections, heights, strict=True)]
    )
    caps = [stack[:1] * (1e-4, 1e-4, 1), stack, stack[-1:] * (1e-4, 1e-4, 1)]
    points = np.concatenate(caps)
    return meshes.grid(np.concatenate([points, points[:, :1]], axis=1), closed=True)


def fur(base: Mesh, count: int, length: float, width: float, rng: Generator) -> Mesh:
    """Return that many hairs standing on a mesh, each one slim triangle combed about at random."""
    corner = base.vertices[base.faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    face = rng.choice(len(area), count, p=area / area.sum())
    share = rng.dirichlet([1, 1, 1], count)[..., None]
    root = (corner[face] * share).sum(axis=1)
    normal = (base.normals[base.faces[face]] * share).sum(axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    lean = normal + rng.normal(0, 0.4, (count, 3))
    tip = root + lean / np.linalg.norm(lean, axis=1, keepdims=True) * length * rng.uniform(0.5, 1.2, (count, 1))
    across = np.cross(normal, rng.standard_normal((count, 3)))
    across *= width / 2 / np.linalg.norm(across, axis=1, keepdims=True)
    below = root - 0.2 * length * normal
    points = np.stack([below - across, below + across, tip], axis=1).reshape(-1, 3)
    faces = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    return Mesh(points, np.repeat(normal, 3, axis=0), np.full((3 * count, 2), 0.5), faces)


def lay(mesh: Mesh, *turns: tuple[str, float], to: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    for axis, degrees in turns:
        mesh = mesh.moved((0, 0, 0), meshes.rotation(axis, degrees))
    return mesh.moved(to)
