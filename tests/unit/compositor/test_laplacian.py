"""Levin's Laplacian: alpha that is linear in colour costs nothing, so a few known pixels tell the rest."""

import numpy as np
import pytest

from services.compositor.laplacian import even_out
from tests.helpers.composites import coarse, compose, disc, draw_matte, solid

SIDE = 96
TRUTH = draw_matte(SIDE, SIDE, disc(30, (48, 48)), blur_px=2)
SCENE = compose(TRUTH, solid(SIDE, SIDE, (180, 60, 40)), solid(SIDE, SIDE, (60, 90, 160)))
UNKNOWN = (draw_matte(SIDE, SIDE, disc(40, (48, 48))) > 0) & (draw_matte(SIDE, SIDE, disc(20, (48, 48))) < 1)


def error(alpha: np.ndarray) -> float:
    return float(np.abs(alpha - TRUTH)[UNKNOWN].mean())


def test_two_plain_colours_give_their_exact_mixture_without_any_wish() -> None:
    start = np.where(UNKNOWN, np.float32(0.5), TRUTH)
    found = even_out(SCENE.photo, start, UNKNOWN, trust=1e-6, rounds=200)
    # Mixed in linear light, read in sRGB: as linear as Levin's model can have it.
    assert error(found) < 0.05
    assert error(found) < 0.15 * error(start)


def test_known_pixels_stay_as_they_are() -> None:
    start = np.where(UNKNOWN, np.float32(0.5), TRUTH)
    found = even_out(SCENE.photo, start, UNKNOWN, trust=0.01, rounds=10)
    np.testing.assert_array_equal(found[~UNKNOWN], start[~UNKNOWN])
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1


def test_much_trust_keeps_what_was_believed() -> None:
    believed = coarse(TRUTH, 24)
    found = even_out(SCENE.photo, believed, UNKNOWN, trust=1e6, rounds=50)
    np.testing.assert_allclose(found, believed, atol=1e-3)


def test_where_all_is_one_colour_the_wish_decides() -> None:
    believed = coarse(TRUTH, 24)
    found = even_out(solid(SIDE, SIDE, (128, 128, 128)), believed, UNKNOWN, trust=0.01, rounds=50)
    assert np.abs(found - believed)[UNKNOWN].mean() < 0.15


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (9, 2), (3, 3)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    believed = np.full(shape, 0.5, np.float32)
    found = even_out(solid(*shape, (9, 9, 9)), believed, np.ones(shape, bool), trust=0.01, rounds=5)
    assert found.shape == shape
    assert np.isfinite(found).all()


def test_an_unknown_pixel_on_the_frame_is_solved_too() -> None:
    unknown = np.zeros((SIDE, SIDE), bool)
    unknown[:10, 40:56] = True
    start = np.where(unknown, np.float32(0.5), TRUTH)
    found = even_out(SCENE.photo, start, unknown, trust=1e-4, rounds=100)
    assert np.abs(found - TRUTH)[unknown].mean() < 0.05


def test_nothing_unknown_changes_nothing() -> None:
    np.testing.assert_array_equal(even_out(SCENE.photo, TRUTH, np.zeros_like(UNKNOWN), trust=0.01, rounds=5), TRUTH)
