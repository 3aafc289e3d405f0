"""The exact silhouette, against areas that are known."""

import numpy as np
import pytest

from bench.scenes import shapes
from bench.scenes.silhouette import View, coverage, framed

FRONT = np.array([(1.0, 0, 0), (0, 0, 1.0), (0, 1.0, 0)])  # right, up, forward
FAR = np.array([0.0, -1e4, 0.0])  # as good as no perspective


def test_a_square_covers_what_it_measures() -> None:
    view = View(FAR, FRONT, 1e5, -20, -20, 40, 40)  # 10 px per cm
    matte = coverage([shapes.box((2.13, 1, 2.13), 0.01)], view)
    assert float(matte.sum()) == pytest.approx(21.3**2, rel=0.01)  # 1/16 px at each side
    assert matte[20, 20] == 1
    assert matte[20, 9] == pytest.approx(0.65, abs=0.07)  # the side at 9.35
    assert not matte[:9].any()
    assert np.abs(matte - matte[::-1]).max() < 0.07  # centred
    assert np.abs(matte - matte[:, ::-1]).max() < 0.07


def test_a_ball_is_round_and_a_ring_has_a_hole() -> None:
    view = View(FAR, FRONT, 1e5, -60, -60, 120, 120)
    disc = coverage([shapes.ball((5, 5, 5), rings=80)], view)
    assert float(disc.sum()) == pytest.approx(np.pi * 50**2, rel=0.005)
    standing = shapes.ring(4, 1, 1).moved((0, 0, 0), np.array([(1.0, 0, 0), (0, 0, -1.0), (0, 1.0, 0)]))
    hoop = coverage([standing], view)
    assert hoop[60, 60] == 0
    assert float(hoop.sum()) == pytest.approx(np.pi * (45**2 - 35**2), rel=0.01)


@pytest.mark.parametrize(("azimuth_deg", "elevation_deg", "roll_deg"), [(0, 5, 0), (40, 60, 10), (200, 30, -120)])
def test_the_frame_fits_the_product(azimuth_deg: float, elevation_deg: float, roll_deg: float) -> None:
    mesh = shapes.box((3, 4, 9), 0.1)
    view = framed([mesh], azimuth_deg, elevation_deg, roll_deg, 5.0, 64)
    matte = coverage([mesh], view)
    assert matte.shape == (view.height_px, view.width_px)
    assert 72 <= max(matte.shape) <= 74
    assert not np.concatenate(
        [matte[:3].ravel(), matte[-3:].ravel(), matte[:, :3].ravel(), matte[:, -3:].ravel()]
    ).any()
    assert np.flatnonzero(matte.any(axis=1))[0] in (3, 4, 5)
    assert np.allclose(view.axes @ view.axes.T, np.eye(3))


def test_the_camera_looks_down_on_what_stands_before_it() -> None:
    view = framed([shapes.ball((1, 1, 1))], 0.0, 30.0, 0.0, 6.0, 40)
    assert view.position[1] < 0 < view.position[2]
    above, below = view.project(np.array([(0.0, 0, 1), (0.0, 0, -1)]))
    assert above[1] < below[1]
    left, right = view.project(np.array([(-1.0, 0, 0), (1.0, 0, 0)]))
    assert left[0] < right[0]
