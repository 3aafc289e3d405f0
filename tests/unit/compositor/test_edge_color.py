import numpy as np
import pytest

from services.compositor.edge_color import halo_map, rim_of
from tests.helpers import composites

SIDE = 400
CENTRE = (SIDE / 2, SIDE / 2)
WHITE = composites.solid(SIDE, SIDE, (255, 255, 255))
PRODUCT = composites.solid(SIDE, SIDE, (150, 60, 50))


def product_of(matte: composites.Matte) -> composites.Image:
    mask: composites.Image = np.where(matte >= 0.05, 255, 0).astype(np.uint8)
    return mask


def test_the_map_is_nought_on_a_clean_edge() -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.disc(150, CENTRE))
    heat = halo_map(composites.mix(PRODUCT, WHITE, matte), product_of(matte), matte)
    assert heat.shape == (SIDE, SIDE)
    assert heat.dtype == np.float32
    assert heat.max() < 1


@pytest.mark.parametrize("with_matte", [True, False])
def test_the_map_is_hot_where_the_old_background_is_left_and_nowhere_else(with_matte: bool) -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.disc(150, CENTRE))
    inner = composites.draw_matte(SIDE, SIDE, composites.disc(148, CENTRE))
    fringed = composites.mix(PRODUCT, composites.solid(SIDE, SIDE, (20, 120, 40)), inner)
    fringed[:, : SIDE // 2] = PRODUCT[:, : SIDE // 2]
    heat = halo_map(composites.mix(fringed, WHITE, matte), product_of(matte), matte if with_matte else None)
    rows, cols = np.nonzero(heat > 20)
    radius = np.hypot(rows + 0.5 - CENTRE[0], cols + 0.5 - CENTRE[1])
    assert rows.size > 300
    assert cols.min() >= SIDE // 2
    assert radius.min() > 146.5
    assert radius.max() < 151


def test_there_is_no_heat_without_a_product_or_on_one_that_fills_the_canvas() -> None:
    empty, full = np.zeros((30, 30), np.float32), np.ones((30, 30), np.float32)
    image = composites.solid(30, 30, (9, 9, 9))
    for matte in (empty, full):
        assert not halo_map(image, product_of(matte), matte).any()
    one = np.ones((1, 1), np.float32)
    assert halo_map(image[:1, :1], product_of(one), one).shape == (1, 1)


def test_a_product_whose_inside_is_one_pixel_has_a_rim() -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.rectangle(195, 195, 200, 200))
    rim = rim_of(composites.mix(PRODUCT, WHITE, matte), product_of(matte), matte)
    assert rim is not None
    assert rim.rows.size > 0


def test_a_wire_has_no_inside_to_continue() -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.rectangle(100, 199, 300, 201))
    assert rim_of(composites.mix(PRODUCT, WHITE, matte), product_of(matte), matte) is None
