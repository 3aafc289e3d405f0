"""A tint, a veil and a backdrop that are known, mixed; what is found is held against them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.compositor.tint import glare, usual_tint

Float = NDArray[np.float32]

SIDE = 120
CLEAR = np.zeros((SIDE, SIDE), bool)
CLEAR[10:110, 20:100] = True
GREY = np.full((SIDE, SIDE, 3), 0.4, np.float32)
CRIMSON = np.full((SIDE, SIDE, 3), (0.45, 0.02, 0.1), np.float32)


def seen(backdrop: Float, tint: tuple[float, float, float], veil: float) -> Float:
    light = np.where(CLEAR[..., None], np.array(tint, np.float32) * backdrop + np.float32(veil), backdrop)
    return np.asarray(light, np.float32)


@pytest.mark.parametrize("tint", [(0.75, 0.2, 0.7), (0.6, 0.3, 0.1)])
def test_a_tint_is_found_below_its_veil(tint: tuple[float, float, float]) -> None:
    found = usual_tint(seen(GREY, tint, 0.03), GREY, CLEAR)
    np.testing.assert_allclose(found.through[CLEAR], np.full((int(CLEAR.sum()), 3), tint, np.float32), atol=0.06)


def test_a_tint_is_found_where_the_backdrop_has_little_light() -> None:
    found = usual_tint(seen(CRIMSON, (0.05, 0.8, 0.25), 0.01), CRIMSON, CLEAR).through[CLEAR].mean(axis=0)
    np.testing.assert_allclose(found, (0.05, 0.8, 0.25), atol=0.25)


def test_clear_glass_is_grey_before_a_coloured_backdrop() -> None:
    rose = np.full((SIDE, SIDE, 3), (0.5, 0.3, 0.4), np.float32)
    found = usual_tint(seen(rose, (0.85, 0.85, 0.85), 0.04), rose, CLEAR).through[CLEAR]
    assert np.ptp(found, axis=1).max() < 0.02
    assert found.mean() == pytest.approx(0.85, abs=0.1)


def test_a_highlight_does_not_colour_what_is_around_it() -> None:
    light = seen(GREY, (0.6, 0.3, 0.1), 0.02)
    without = usual_tint(light, GREY, CLEAR).through
    light[50:65, 50:65] += 0.6
    np.testing.assert_allclose(usual_tint(light, GREY, CLEAR).through, without, atol=0.03)


def test_a_highlight_wider_than_the_window_does_not_clear_what_is_below() -> None:
    light = seen(GREY, (0.6, 0.1, 0.05), 0.02)
    light[30:50, 40:60] += 0.35  # still no brighter than the backdrop in one channel
    found = usual_tint(light, GREY, CLEAR).through[30:50, 40:60].mean(axis=(0, 1))
    np.testing.assert_allclose(found, (0.6, 0.1, 0.05), atol=0.06)


def test_glare_is_what_washes_a_colour_out() -> None:
    washed = np.float32(0.8) * CRIMSON + np.float32(0.05)
    np.testing.assert_allclose(glare(washed, CRIMSON), 0.05, atol=0.015)
