"""Drawn mattes: coverage, and the same for the same seed."""

import numpy as np
import pytest

from services.compositor.training import strands

SIDE = 96
KINDS = [strands._fur, strands._hair, strands._mesh, strands._feather, strands._shape]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_edges_to_learn_from(kind: object) -> None:
    soft = []
    for seed in range(4):
        canvas = np.zeros((SIDE * 4, SIDE * 4), np.uint8)
        kind(np.random.default_rng(seed), canvas)  # type: ignore[operator]
        assert set(np.unique(canvas)) <= {0, 255}
        soft.append(np.mean((canvas[::4, ::4] > 0) != (canvas[2::4, 2::4] > 0)))
    assert max(soft) > 0.005


def test_a_seed_means_one_matte() -> None:
    one, same, other = (strands.draw_matte(np.random.default_rng(seed), SIDE) for seed in (1, 1, 2))
    assert one.shape == (SIDE, SIDE)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_a_strand_a_quarter_of_a_pixel_wide_covers_a_quarter() -> None:
    canvas = np.zeros((SIDE * 4, SIDE * 4), np.uint8)
    strands._lines(canvas, [np.array([[10.0, 48.1], [80.0, 48.1]])], 0.25)
    assert canvas[:, 40 * 4 : 44 * 4].mean() / 255 * SIDE == pytest.approx(0.25, abs=0.01)
