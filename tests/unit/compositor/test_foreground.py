"""Foreground colours against scenes whose true foreground is known."""

import numpy as np
import pytest

from services.common.color import ciede2000, srgb_to_lab
from services.compositor.foreground import estimate_foreground
from tests.helpers.composites import (
    Composite,
    compose,
    disc,
    draw_matte,
    gradient,
    hairs,
    solid,
    texture,
)

SIDE = 240
CENTRE = (120.3, 119.8)
PRODUCT = texture(SIDE, SIDE, (150, 60, 50), 8, 8, 1)
DISC = draw_matte(SIDE, SIDE, disc(80, CENTRE), blur_px=0.7)
SOFT_DISC = draw_matte(SIDE, SIDE, disc(80, CENTRE), blur_px=4)
HAIRS = draw_matte(SIDE, SIDE, hairs(60, 45, 50, 1.6, CENTRE), blur_px=0.5)
GREEN = texture(SIDE, SIDE, (60, 150, 70), 10, 6, 2)
GREY = gradient(SIDE, SIDE, (235, 235, 236), (200, 200, 205))


def colour_error(estimate: np.ndarray, scene: Composite) -> float:
    """CIEDE2000 to the true foreground, each pixel of the band weighed by how much of it shows."""
    band = (scene.matte > 0) & (scene.matte < 1)
    difference = ciede2000(srgb_to_lab(estimate[band]), srgb_to_lab(scene.foreground[band]))
    return float(np.average(difference, weights=scene.matte[band]))


@pytest.mark.parametrize(
    ("matte", "bound"), [(DISC, 2.0), (SOFT_DISC, 3.0), (HAIRS, 5.0)], ids=["disc", "soft", "hairs"]
)
@pytest.mark.parametrize("background", [GREEN, GREY], ids=["green", "grey"])
def test_no_old_background_is_left_in_the_edge(matte: np.ndarray, background: np.ndarray, bound: float) -> None:
    scene = compose(matte, PRODUCT, background, noise=1.5, seed=3)
    estimate = estimate_foreground(scene.photo, scene.matte)
    assert colour_error(estimate, scene) < bound
    assert colour_error(estimate, scene) < 0.35 * colour_error(scene.photo, scene)


def test_colours_are_the_photos_own_where_alpha_is_0_or_1() -> None:
    scene = compose(DISC, PRODUCT, GREEN, noise=1.5)
    estimate = estimate_foreground(scene.photo, DISC)
    assert estimate.dtype == np.uint8
    known = (DISC == 0) | (DISC == 1)
    np.testing.assert_array_equal(estimate[known], scene.photo[known])


def test_the_photo_is_not_written_to() -> None:
    scene = compose(DISC, PRODUCT, GREEN)
    before = scene.photo.copy()
    estimate_foreground(scene.photo, DISC)
    np.testing.assert_array_equal(scene.photo, before)


@pytest.mark.parametrize("level", [0.0, 0.03, 0.5, 0.97, 1.0])
def test_a_plain_photo_under_an_even_matte_keeps_its_colour(level: float) -> None:
    photo = solid(30, 40, (120, 90, 60))
    estimate = estimate_foreground(photo, np.full((30, 40), level, np.float32))
    np.testing.assert_allclose(estimate, photo.astype(int), atol=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_tiny_photos(shape: tuple[int, int]) -> None:
    matte = np.linspace(0, 1, shape[0] * shape[1], dtype=np.float32).reshape(shape)
    assert estimate_foreground(solid(*shape, (120, 90, 60)), matte).shape == (*shape, 3)
