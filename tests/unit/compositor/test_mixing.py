import numpy as np
import pytest

from services.common.color import linear_to_srgb, srgb_to_linear
from services.compositor.mixing import as_light_mixes
from tests.helpers.composites import solid

SIDE = 60
RAMP = np.tile(np.linspace(-1, 2, SIDE, dtype=np.float32).clip(0, 1), (SIDE, 1))
ANYWHERE = np.ones((SIDE, SIDE), bool)


@pytest.mark.parametrize(("hair", "wall"), [((40, 25, 15), (235, 235, 230)), ((240, 235, 225), (30, 60, 90))])
def test_what_looked_like_a_share_of_srgb_becomes_the_share_of_light(
    hair: tuple[int, int, int], wall: tuple[int, int, int]
) -> None:
    """The photo mixes in light; alpha as read off its sRGB values; the true one comes back."""
    product, background = solid(SIDE, SIDE, hair), solid(SIDE, SIDE, wall)
    light = srgb_to_linear(background) + RAMP[..., None] * (srgb_to_linear(product) - srgb_to_linear(background))
    photo = linear_to_srgb(light)
    seen = (photo.astype(np.float32) - background).sum(axis=2) / (product.astype(np.float32) - background).sum(axis=2)
    seen = np.clip(seen, 0, 1).astype(np.float32)
    assert np.abs(seen - RAMP).max() > 0.15
    np.testing.assert_allclose(as_light_mixes(photo, seen, ANYWHERE), RAMP, atol=0.06)


def test_colours_that_are_alike_leave_alpha_as_it_is() -> None:
    photo = solid(SIDE, SIDE, (128, 128, 128))
    np.testing.assert_allclose(as_light_mixes(photo, RAMP, ANYWHERE), RAMP, atol=0.01)


def test_what_is_sure_stays() -> None:
    photo = solid(SIDE, SIDE, (200, 30, 30))
    photo[:, :30] = (20, 40, 60)
    found = as_light_mixes(photo, RAMP, ANYWHERE)
    np.testing.assert_array_equal(found[(RAMP == 0) | (RAMP == 1)], RAMP[(RAMP == 0) | (RAMP == 1)])


def test_elsewhere_nothing_is_changed() -> None:
    photo = solid(SIDE, SIDE, (200, 30, 30))
    photo[:, :30] = (20, 40, 60)
    np.testing.assert_array_equal(as_light_mixes(photo, RAMP, ~ANYWHERE), RAMP)
