"""Hair as ribbons of triangles."""

import numpy as np
import pytest

from bench.scenes.materials import paint, srgb
from bench.scenes.shapes import ball
from bench.scenes.silhouette import coverage, framed
from bench.scenes.strands import Strands, grow, ribbons, roots

COAT = paint(srgb(200, 150, 100))


def straight(width: float) -> Strands:
    """One hair straight up, 10 cm of it between its B-spline's first and last knot."""
    z = np.linspace(-2.0, 12.0, 8)
    points = np.stack([0 * z, 0 * z, z], axis=1)[None]
    return Strands(points, np.full((1, 8), width), np.array([[0.0, -1.0, 0.0]]), COAT)


def test_a_straight_hair_covers_its_length_times_its_width() -> None:
    block = ball((0.5, 0.5, 6)).moved((0, 0, 5))
    view = framed([block], 0, 0, 0, 50.0, 240)
    hair = ribbons(straight(0.2), view)
    scale = view.focal_px / float(np.linalg.norm(view.position - (0, 0, 5)))
    assert coverage([hair], view).sum() == pytest.approx(10 * 0.2 * scale**2, rel=0.05)


def test_ribbons_face_the_camera_wherever_it_stands() -> None:
    skin = ball((3, 3, 3))
    root, normal = roots(skin, 200, np.random.default_rng(0))
    strands = grow(root, normal, 1.0, 0.05, COAT, np.random.default_rng(1))
    for azimuth_deg in (0, 70, 200):
        view = framed([skin], azimuth_deg, 20, 0, 6, 200)
        mesh = ribbons(strands, view)
        toward = view.position - mesh.vertices
        toward /= np.linalg.norm(toward, axis=1, keepdims=True)
        assert ((mesh.normals * toward).sum(axis=1) > 0.1).all()
        assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1, abs=1e-6)


def test_hair_stands_off_the_skin() -> None:
    root, normal = roots(ball((3, 3, 3)), 500, np.random.default_rng(0))
    assert np.linalg.norm(root, axis=1) == pytest.approx(3, rel=0.02)
    strands = grow(root, normal, 1.0, 0.05, COAT, np.random.default_rng(1), stray=0.1)
    assert np.median(np.linalg.norm(strands.points[:, -1], axis=1)) == pytest.approx(3.93, abs=0.12)
