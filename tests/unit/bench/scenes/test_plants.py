"""Leaves, and that plants are mostly outline."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

from bench.scenes.plants import flowers, fringe, leaf, plant
from bench.scenes.scenes import Part
from bench.scenes.silhouette import coverage, framed


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_a_leaf_reaches_as_far_and_is_as_wide_as_asked(width: float) -> None:
    flat = leaf(np.zeros(3), np.array([1.0, 0.0, 0.0]), length=6.0, width=width, droop=0.0, fold=0.0, tip=0.5)
    assert np.ptp(flat.vertices, axis=0) == pytest.approx([6.0, width, 0.0], abs=0.05)


def test_a_leaf_is_widest_where_its_tip_says() -> None:
    blade = leaf(np.zeros(3), np.array([1.0, 0.0, 0.0]), length=6.0, width=2.0, droop=0.0, fold=0.0, tip=0.25)
    widest = blade.vertices[np.argmax(abs(blade.vertices[:, 1]))]
    assert widest[0] == pytest.approx(1.5, abs=0.4)


def test_a_leaf_sinks_and_folds() -> None:
    blade = leaf(np.zeros(3), np.array([1.0, 0.0, 0.0]), length=6.0, width=2.0, droop=0.5, fold=0.3, tip=0.5)
    rib = blade.vertices.reshape(9, 5, 3)[:, 2]
    assert rib[-1] == pytest.approx([6.0, 0.0, -3.0])
    assert (blade.vertices.reshape(9, 5, 3)[4, 0] - rib[4])[2] > 0.2


@pytest.mark.parametrize("kind", [plant, flowers, fringe])
def test_there_is_much_outline(kind: Callable[[Generator], list[Part]]) -> None:
    meshes = [part.mesh for part in kind(np.random.default_rng(1))]
    matte = coverage(meshes, framed(meshes, 20.0, 20.0, 0.0, 8.0, 200))
    mixed = ((matte > 0.02) & (matte < 0.98)).sum()
    assert mixed**2 > 16 * np.count_nonzero(matte > 0.5)  # a square has this many pixels on its outline
