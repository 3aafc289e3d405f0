"""Hair as curves: uniform cubic B-splines, swept as flat ribbons that face the camera.

A renderer's own curve shapes look the same but take fifteen times as long, and ribbons are triangles: the exact matte
fills the very ones that are rendered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from bench.scenes.materials import Material
from bench.scenes.meshes import Floats, Mesh
from bench.scenes.silhouette import View

_POINTS = 8


@dataclass(frozen=True)
class Strands:
    """Hairs of one material: B-spline control points (N, K, 3) and widths at them (N, K), centimetres.

    ``normals`` (N, 3) is what the skin below faces: hair is shaded with it, mostly.
    """

    points: Floats
    widths: Floats
    normals: Floats
    material: Material

    def moved(self, translation: tuple[float, float, float], turn: Floats | None = None) -> Strands:
        """Return these strands turned by a 3×3 rotation, then shifted."""
        matrix = np.eye(3) if turn is None else turn
        return Strands(
            self.points @ matrix.T + np.asarray(translation), self.widths, self.normals @ matrix.T, self.material
        )


def roots(base: Mesh, count: int, rng: Generator) -> tuple[Floats, Floats]:
    """Draw points (N, 3) on a mesh, as dense everywhere, with its normals there (N, 3)."""
    corner = base.vertices[base.faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    face = rng.choice(len(area), count, p=area / area.sum())
    share = rng.dirichlet([1, 1, 1], count)[..., None]
    normal = (base.normals[base.faces[face]] * share).sum(axis=1)
    return (corner[face] * share).sum(axis=1), normal / np.linalg.norm(normal, axis=1, keepdims=True)


def grow(
    root: Floats,
    normal: Floats,
    length: float,
    width: float,
    material: Material,
    rng: Generator,
    *,
    lean: tuple[float, float, float] = (0.0, 0.0, 0.0),
    stray: float = 0.35,
    curl: float = 0.1,
    droop: float = 0.0,
    taper: float = 0.85,
) -> Strands:
    """Grow one hair from each root (N, 3) along its normal (N, 3).

    ``lean`` is added to every direction, ``stray`` is the deviation of it at random, ``curl`` is how far a hair winds
    about its way in shares of its length, ``droop`` how far its tip sinks; ``taper`` is the share of width lost.
    """
    count = len(root)
    t = np.linspace(-0.1, 1, _POINTS)
    way = normal + np.asarray(lean) + rng.normal(0, stray, (count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    reach = length * rng.lognormal(-0.08, 0.22, (count, 1, 1))
    across = np.cross(way, rng.standard_normal((count, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(way, across)
    phase, turns = rng.uniform(0, 2 * np.pi, (count, 1)), rng.uniform(0.3, 1.1, (count, 1))
    angle = phase + 2 * np.pi * turns * t
    swing = curl * rng.uniform(0.3, 1.3, (count, 1)) * np.clip(t, 0, 1)
    offset = (np.cos(angle) * swing)[..., None] * across[:, None] + (np.sin(angle) * swing)[..., None] * other[:, None]
    points = root[:, None] + reach * (way[:, None] * t[None, :, None] + offset)
    points[..., 2] -= droop * (reach[..., 0] * np.clip(t, 0, 1) ** 2)
    widths = width * rng.uniform(0.75, 1.25, (count, 1)) * (1 - taper * np.clip(t, 0, 1) ** 1.5)
    return Strands(points, widths, normal, material)


def ribbons(strands: Strands, view: View) -> Mesh:
    """Return the strands as one mesh of ribbons facing the camera."""
    points, widths = strands.points, strands.widths
    # A uniform cubic B-spline at its knots.
    line = (points[:, :-2] + 4 * points[:, 1:-1] + points[:, 2:]) / 6
    width = (widths[:, :-2] + 4 * widths[:, 1:-1] + widths[:, 2:]) / 6
    tangent = np.gradient(line, axis=1)
    toward = view.position - line
    toward /= np.linalg.norm(toward, axis=2, keepdims=True)
    side = np.cross(tangent, toward)
    side /= np.maximum(np.linalg.norm(side, axis=2, keepdims=True), 1e-9)
    vertices = np.stack([line - side * width[..., None] / 2, line + side * width[..., None] / 2], axis=2)
    count, knots = line.shape[:2]
    normals = 0.55 * toward + strands.normals[:, None]
    facing = (normals * toward).sum(axis=2, keepdims=True)
    normals = normals + np.maximum(0.25 - facing, 0) * toward
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    first = (np.arange(count)[:, None] * knots + np.arange(knots - 1)).reshape(-1, 1) * 2
    faces = np.concatenate([first + (0, 1, 2), first + (1, 3, 2)]).astype(np.int32)
    return Mesh(
        vertices.reshape(-1, 3),
        np.repeat(normals.reshape(-1, 3), 2, axis=0),
        np.full((2 * count * knots, 2), 0.5),
        faces,
    )
