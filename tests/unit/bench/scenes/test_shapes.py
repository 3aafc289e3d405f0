"""Shapes are closed, face outwards and have the size that was asked."""

import numpy as np
import pytest

from bench.scenes import meshes, shapes
from bench.scenes.meshes import Mesh


def open_edges(mesh: Mesh) -> int:
    """Count the edges that do not have a triangle on each side, once points at the same place are one."""
    places = np.rint(mesh.vertices / 2e-3).astype(np.int64)
    _, welded = np.unique(places, axis=0, return_inverse=True)
    corner = welded.reshape(-1)[mesh.faces]
    whole = (corner != np.roll(corner, 1, axis=1)).all(axis=1)
    edges = np.concatenate([corner[whole][:, [0, 1]], corner[whole][:, [1, 2]], corner[whole][:, [2, 0]]])
    _, uses = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    return int((uses % 2).sum())


def volume(mesh: Mesh) -> float:
    """Return the enclosed volume: positive where the triangles face outwards."""
    corner = mesh.vertices[mesh.faces]
    return float(np.einsum("ij,ij->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6)


@pytest.mark.parametrize(
    "mesh",
    [
        shapes.hollow(meshes.fillet([(0, 0), (3, 0), (4, 6)], [0, 1, 0]), 0.3),
        shapes.ball((1, 2, 3)),
        shapes.tube([(0, 0, 0), (2, 0, 1), (4, 0, 0)], 1.0, 0.6, (0, 1, 0)),
        shapes.ring(3, 0.5, 0.8),
        shapes.box((2, 3, 4), 0.2),
        shapes.loft([meshes.superellipse(2, 3), meshes.superellipse(3, 1)], np.array([0.0, 2.0])),
    ],
    ids=["hollow", "ball", "tube", "ring", "box", "loft"],
)
def test_shapes_are_closed_and_face_outwards(mesh: Mesh) -> None:
    assert open_edges(mesh) == 0
    assert volume(mesh) > 0
    corner = mesh.vertices[mesh.faces]
    facing = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    agreeing = np.einsum("ij,ij->i", facing, mesh.normals[mesh.faces].sum(axis=1)) >= 0
    assert agreeing.mean() > 0.99


def test_the_walls_of_a_vessel_are_as_thick_as_asked() -> None:
    vessel = shapes.hollow(meshes.fillet([(0, 0), (3, 0), (3, 5)], [0, 0.4, 0]), 0.25)
    radius = np.hypot(vessel.vertices[:, 0], vessel.vertices[:, 1])
    assert volume(vessel) == pytest.approx(np.pi * (9 * 5 - 2.75**2 * 4.75), rel=0.05)
    assert radius.max() == pytest.approx(3.0)


def test_an_ellipsoid_encloses_what_the_formula_says() -> None:
    assert volume(shapes.ball((1, 2, 3), rings=60)) == pytest.approx(4 / 3 * np.pi * 6, rel=0.02)


def test_hairs_stand_on_the_skin() -> None:
    hairs = shapes.fur(shapes.ball((5, 5, 5)), 200, 1.0, 0.1, np.random.default_rng(0))
    reach = np.linalg.norm(hairs.vertices.reshape(-1, 3, 3), axis=2)
    assert (reach[:, :2] < 5).all()
    assert (reach[:, 2] > 5).mean() > 0.95  # a few lie down
    assert reach[:, 2].max() < 6.25
