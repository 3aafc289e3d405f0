"""Alpha and colour from two backdrops, on pictures whose alpha is known."""

import numpy as np
import pytest

from bench.scenes.triangulation import over, triangulate


def picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((7, 5), np.float32), rng.random((7, 5, 3), np.float32)


def test_a_known_matte_comes_back() -> None:
    matte, color = picture(0)
    alpha, found = triangulate(over(color, matte, 0.0), over(color, matte, 1.0))
    assert alpha == pytest.approx(matte, abs=1e-6)
    assert found[matte > 0.01] == pytest.approx(color[matte > 0.01], abs=1e-4)


def test_nothing_there_is_clear_and_a_solid_is_opaque() -> None:
    black, white = np.zeros((1, 2, 3), np.float32), np.ones((1, 2, 3), np.float32)
    black[0, 1] = white[0, 1] = (0.2, 0.5, 0.1)
    alpha, color = triangulate(black, white)
    assert alpha.tolist() == [[0.0, 1.0]]
    assert color[0, 0].tolist() == [0, 0, 0]
    assert color[0, 1] == pytest.approx([0.2, 0.5, 0.1])


def test_coloured_glass_holds_back_its_mean() -> None:
    through = np.array([[[0.9, 0.6, 0.3]]], np.float32)  # amber, no light of its own
    alpha, color = triangulate(np.zeros_like(through), through)
    assert alpha[0, 0] == pytest.approx(0.4)
    assert color[0, 0].tolist() == [0, 0, 0]


def test_a_highlight_on_clear_glass_survives() -> None:
    """0.6 of light off a sheet that lets 0.95 through: alpha rises until white can carry it."""
    black = np.full((1, 1, 3), 0.6, np.float32)
    alpha, color = triangulate(black, black + np.float32(0.95))
    assert alpha[0, 0] == pytest.approx(0.6)
    assert over(color, alpha, 0.0)[0, 0] == pytest.approx([0.6] * 3)
    assert over(color, alpha, 1.0)[0, 0] == pytest.approx([1.0] * 3)
