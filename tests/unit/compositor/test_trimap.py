import cv2
import numpy as np
import pytest

from services.compositor.trimap import BACKGROUND, PRODUCT, UNKNOWN, make_trimap, with_doubt
from tests.helpers.composites import Matte, coarse, disc, draw_matte

HARD = draw_matte(200, 200, disc(60, (100, 100)), blur_px=0.6)


def test_every_pixel_that_is_neither_is_unknown() -> None:
    trimap = make_trimap(HARD)
    assert trimap.dtype == np.uint8
    assert set(np.unique(trimap)) == {BACKGROUND, UNKNOWN, PRODUCT}
    assert np.all(trimap[(HARD > 0.02) & (HARD < 0.98)] == UNKNOWN)
    assert np.all(HARD[trimap == PRODUCT] >= 0.98)
    assert np.all(HARD[trimap == BACKGROUND] <= 0.02)


def test_the_band_is_narrow_on_a_hard_edge_and_widens_with_softness() -> None:
    perimeter = 2 * np.pi * 60
    thickness = [
        np.count_nonzero(make_trimap(m) == UNKNOWN) / perimeter for m in (HARD, coarse(HARD, 64), coarse(HARD, 24))
    ]
    assert thickness[0] < 8
    assert thickness[0] < thickness[1] < thickness[2]


def test_the_true_edge_of_an_enlarged_matte_lies_in_the_band() -> None:
    wrong = make_trimap(coarse(HARD, 48))
    assert HARD[wrong == PRODUCT].min() > 0.98
    assert HARD[wrong == BACKGROUND].max() < 0.02


def test_a_binary_matte_gets_a_band_along_its_edge() -> None:
    binary = (HARD >= 0.5).astype(np.float32)
    trimap = make_trimap(binary)
    edge = (HARD > 0.02) & (HARD < 0.98)
    assert np.mean(trimap[edge] == UNKNOWN) > 0.99


@pytest.mark.parametrize(("level", "side"), [(0.0, BACKGROUND), (1.0, PRODUCT)])
def test_a_uniform_matte_has_nothing_unknown(level: float, side: int) -> None:
    matte: Matte = np.full((20, 30), level, np.float32)
    assert np.all(make_trimap(matte) == side)


def test_doubt_near_the_band_opens_it_and_doubt_elsewhere_does_not() -> None:
    trimap = make_trimap(HARD)
    uncertainty = np.zeros((100, 100), np.float32)
    uncertainty[[18, 50, 3], 50] = 0.9  # 2 px beyond the edge, in the middle, in a corner of the backdrop
    widened = with_doubt(trimap, uncertainty)
    assert widened[36, 100] == UNKNOWN != trimap[36, 100]
    np.testing.assert_array_equal(widened[44:], trimap[44:])
    np.testing.assert_array_equal(widened[:30], trimap[:30])


def test_doubt_everywhere_leaves_something_of_each_side() -> None:
    thin = draw_matte(60, 60, disc(4, (30, 30)), blur_px=0.6)
    widened = with_doubt(make_trimap(thin), np.ones((60, 60), np.float32))
    assert {BACKGROUND, PRODUCT} <= set(np.unique(widened))


def bottle() -> Matte:
    """A cap a little wider than its neck, on sloping shoulders."""
    matte = np.zeros((512, 384), np.float32)
    cv2.rectangle(matte, (120, 30), (264, 140), 1, -1)
    cv2.rectangle(matte, (128, 140), (256, 144), 1, -1)
    cv2.fillPoly(matte, [np.array([(128, 144), (256, 144), (322, 184), (322, 480), (62, 480), (62, 184)])], 1)
    return matte


def furry_ball() -> Matte:
    matte = np.zeros((512, 512), np.float32)
    cv2.circle(matte, (256, 256), 150, 1, -1)
    for angle in np.linspace(0, 2 * np.pi, 120, endpoint=False):
        tip = (round(256 + 175 * np.cos(angle)), round(256 + 175 * np.sin(angle)))
        cv2.line(matte, (256, 256), tip, 1, 2)
    return matte


def farthest_unknown_px(matte: Matte) -> float:
    """How far from the outline the band reaches."""
    product = (matte >= 0.5).astype(np.uint8)
    inside, outside = (cv2.distanceTransform(side, cv2.DIST_L2, 5) for side in (product, 1 - product))
    return float(np.maximum(inside, outside)[make_trimap(matte) == UNKNOWN].max())


def test_corners_of_a_product_without_hair_get_no_wide_band() -> None:
    assert farthest_unknown_px(bottle()) < 5


def test_an_outline_that_is_ragged_all_along_gets_a_wide_band() -> None:
    assert farthest_unknown_px(furry_ball()) > 7
