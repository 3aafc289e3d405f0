import numpy as np
import pytest

from services.compositor.mannequin import SUPPORT, find_support, open_holes
from tests.helpers.composites import Composite, Matte, compose, disc, draw_matte, gradient, rectangle, solid, texture

SIDE = 300
SWEEP = gradient(SIDE, SIDE, (214, 214, 216), (188, 188, 190))
GARMENT = draw_matte(SIDE, SIDE, rectangle(60, 70, 260, 230), blur_px=0.6)
NECK = draw_matte(SIDE, SIDE, disc(24, (92, 150)), blur_px=0.6)


def worn(*, color: tuple[int, int, int] = (60, 70, 130), matte: Matte = GARMENT, noise: float = 1.0) -> Composite:
    return compose(matte, texture(SIDE, SIDE, color, 8, 10), SWEEP, noise=noise)


class TestHoles:
    def test_a_neck_hole_that_shows_the_backdrop_is_opened(self) -> None:
        scene = worn(matte=np.minimum(GARMENT, 1 - NECK))
        opened = open_holes(scene.photo, GARMENT)
        assert opened[NECK == 1].mean() < 0.1
        assert opened[(GARMENT == 1) & (NECK == 0)].mean() > 0.98

    def test_a_garment_without_a_hole_stays(self) -> None:
        np.testing.assert_array_equal(open_holes(worn().photo, GARMENT), GARMENT)

    def test_a_garment_of_the_backdrops_colour_stays(self) -> None:
        scene = worn(color=(203, 203, 205), matte=np.minimum(GARMENT, 1 - NECK))
        np.testing.assert_array_equal(open_holes(scene.photo, GARMENT), GARMENT)

    def test_white_print_before_a_white_backdrop_stays(self) -> None:
        product = solid(SIDE, SIDE, (60, 70, 130))
        product[NECK > 0.5] = 255
        scene = compose(GARMENT, product, solid(SIDE, SIDE, (255, 255, 255)))
        np.testing.assert_array_equal(open_holes(scene.photo, GARMENT), GARMENT)

    def test_a_patterned_backdrop_proves_nothing(self) -> None:
        scene = compose(
            np.minimum(GARMENT, 1 - NECK), solid(SIDE, SIDE, (60, 70, 130)), texture(SIDE, SIDE, (150, 120, 90), 25, 6)
        )
        np.testing.assert_array_equal(open_holes(scene.photo, GARMENT), GARMENT)

    def test_a_product_that_is_the_whole_photo(self) -> None:
        matte = np.ones((20, 30), np.float32)
        np.testing.assert_array_equal(open_holes(solid(20, 30, (9, 9, 9)), matte), matte)


class TestSupport:
    def test_a_neck_in_the_cutout_is_said(self) -> None:
        scene = worn()
        scene.photo[62:90, 130:170] = (205, 160, 135)
        assert find_support(scene.photo, GARMENT) == (SUPPORT,)

    def test_a_pole_below_is_said(self) -> None:
        matte = np.maximum(
            draw_matte(SIDE, SIDE, rectangle(40, 70, 180, 230)), draw_matte(SIDE, SIDE, rectangle(170, 145, 280, 154))
        )
        assert find_support(worn(matte=matte).photo, matte) == (SUPPORT,)

    @pytest.mark.parametrize("color", [(60, 70, 130), (20, 20, 20), (235, 235, 235), (60, 120, 60), (205, 160, 135)])
    def test_a_garment_alone_is_not(self, color: tuple[int, int, int]) -> None:
        assert find_support(worn(color=color).photo, GARMENT) == ()

    def test_nothing_is_no_support(self) -> None:
        assert find_support(solid(20, 20, (9, 9, 9)), np.zeros((20, 20), np.float32)) == ()
