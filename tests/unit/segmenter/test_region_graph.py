"""Values settling on a small graph, against solutions known by hand."""

import numpy as np
import pytest

from services.segmenter.region_graph import settle

CHAIN = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)


def test_a_free_region_takes_the_mean_of_its_neighbours() -> None:
    values = settle(CHAIN, pull=np.array([1e4, 1e-6, 1e4]), target=np.array([0.0, 0.0, 1.0]))
    assert values == pytest.approx([0.0, 0.5, 1.0], abs=1e-3)


def test_without_links_every_region_keeps_its_target() -> None:
    target = np.array([0.2, 0.7, 1.0])
    assert settle(np.zeros((3, 3)), pull=np.ones(3), target=target) == pytest.approx(target, abs=1e-6)


def test_a_strong_link_makes_values_equal() -> None:
    values = settle(1e4 * CHAIN, pull=np.array([1.0, 1.0, 2.0]), target=np.array([0.0, 0.0, 1.0]))
    assert values == pytest.approx([0.5, 0.5, 0.5], abs=1e-2)


def test_a_region_that_nothing_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="pull"):
        settle(np.zeros((2, 2)), pull=np.array([1.0, 0.0]), target=np.zeros(2))
