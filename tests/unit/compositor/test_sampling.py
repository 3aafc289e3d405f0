import numpy as np
import pytest

from services.common.color import srgb_to_linear
from services.compositor.band import Band
from services.compositor.sampling import NearestPixels, sample_colours, unmix


def test_nearest_pixels_point_at_the_closest_known_pixel() -> None:
    side = np.zeros((5, 9), bool)
    side[2, 0] = side[2, 8] = True
    nearest = NearestPixels.of(side)
    row = 2 * 9
    np.testing.assert_array_equal(nearest.at(np.array([row, row + 1, row + 7])), [row, row, row + 8])
    assert nearest.distance[2, 3] == pytest.approx(3, abs=0.1)


def test_samples_come_from_the_side_asked_for() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, :8] = (250, 10, 10)
    image[:, 12:] = (10, 10, 250)
    left = np.zeros((20, 20), bool)
    left[:, :8] = True
    unknown = np.zeros((20, 20), bool)
    unknown[:, 8:12] = True
    samples = sample_colours(image, left, Band.where(unknown))
    assert samples.shape[1:] == (80, 3)
    red = srgb_to_linear(np.array([250, 10, 10], np.uint8))
    np.testing.assert_allclose(samples, np.tile(red, (*samples.shape[:2], 1)))


def test_unmix_finds_the_share_of_two_colours_and_is_sure_of_it() -> None:
    product, background = np.array([0.6, 0.1, 0.05], np.float32), np.array([0.1, 0.5, 0.4], np.float32)
    truth = np.linspace(0, 1, 21, dtype=np.float32)
    mixed = truth[:, None] * product + (1 - truth[:, None]) * background
    flat = np.full(21, 0.5, np.float32)
    alpha, variance = unmix(
        mixed, np.tile(product, (3, 21, 1)), np.tile(background, (3, 21, 1)), np.full(21, 0.01, np.float32), flat, flat
    )
    np.testing.assert_allclose(alpha, truth, atol=1e-3)
    assert variance.max() < 0.005


def test_unmix_admits_when_colours_say_nothing() -> None:
    same = np.full((2, 1, 3), 0.3, np.float32)
    one = np.full(1, 0.5, np.float32)
    _, variance = unmix(same[0], same, same, np.full(1, 0.02, np.float32), one, one)
    assert variance[0] > 1
