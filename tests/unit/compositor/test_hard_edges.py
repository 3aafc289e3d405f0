"""Hard edges drawn too thin are drawn as the lens drew them."""

import numpy as np
import pytest

from services.compositor.hard_edges import unmix_edges
from tests.helpers.composites import Image, compose, disc, draw_matte, solid, texture

SIDE = 200
TRUTH = draw_matte(SIDE, SIDE, disc(70, (100.3, 99.8)), blur_px=0.7)
SOFT = (TRUTH > 0.02) & (TRUTH < 0.98)


@pytest.mark.parametrize(
    ("product", "background"),
    [
        (solid(SIDE, SIDE, (150, 40, 30)), solid(SIDE, SIDE, (220, 222, 226))),
        (texture(SIDE, SIDE, (50, 50, 60), 8, 4, 1), solid(SIDE, SIDE, (200, 190, 170))),
    ],
    ids=["red-on-grey", "dark-on-beige"],
)
def test_an_alpha_read_off_srgb_values_is_put_right(product: Image, background: Image) -> None:
    photo = compose(TRUTH, product, background, noise=1.5, seed=2).photo
    thin = np.where(SOFT, TRUTH**1.35, TRUTH).astype(np.float32)
    found = unmix_edges(photo, thin)
    assert np.abs(found - TRUTH)[SOFT].mean() < 0.6 * np.abs(thin - TRUTH)[SOFT].mean()


def test_where_both_sides_have_one_colour_alpha_stays() -> None:
    photo = solid(SIDE, SIDE, (128, 128, 128))
    assert np.abs(unmix_edges(photo, TRUTH) - TRUTH).max() < 0.05


def test_far_from_either_side_alpha_stays() -> None:
    glass = TRUTH * np.float32(0.5)
    photo = compose(glass, solid(SIDE, SIDE, (150, 40, 30)), solid(SIDE, SIDE, (220, 222, 226))).photo
    np.testing.assert_array_equal(unmix_edges(photo, glass), glass)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40)])
def test_one_side_only_is_left_alone(level: float, shape: tuple[int, int]) -> None:
    given = np.full(shape, level, np.float32)
    np.testing.assert_array_equal(unmix_edges(solid(*shape, (9, 9, 9)), given), given)
