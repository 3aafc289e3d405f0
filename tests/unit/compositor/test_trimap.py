import numpy as np
import pytest

from services.compositor.trimap import BACKGROUND, PRODUCT, UNKNOWN, make_trimap
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
