import numpy as np
import pytest

from services.validator.measurements.fill import bbox_area_share, bounding_box, fill_ratio, matte_area_share


def test_fill_is_taken_along_the_side_the_product_fills_more() -> None:
    product = np.zeros((100, 200), np.uint8)
    product[10:90, 20:80] = 255
    box = bounding_box(product)
    assert (box.top, box.left, box.bottom, box.right) == (10, 20, 90, 80)
    assert fill_ratio(box, 100, 200) == pytest.approx(0.8)
    assert bbox_area_share(box, 100, 200) == pytest.approx(80 * 60 / 20000)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3)])
def test_a_full_canvas_fills_one(shape: tuple[int, int]) -> None:
    box = bounding_box(np.full(shape, 255, np.uint8))
    assert fill_ratio(box, *shape) == 1
    assert bbox_area_share(box, *shape) == 1


def test_an_empty_canvas_fills_nothing() -> None:
    box = bounding_box(np.zeros((5, 5), np.uint8))
    assert fill_ratio(box, 5, 5) == 0
    assert bbox_area_share(box, 5, 5) == 0


def test_half_covered_pixels_count_half() -> None:
    matte = np.zeros((4, 4), np.float32)
    matte[0] = 0.5
    assert matte_area_share(matte) == pytest.approx(0.125)


def test_a_crop_with_margin_stays_inside_the_array() -> None:
    product = np.zeros((10, 10), np.uint8)
    product[0:3, 4:6] = 255
    assert product[bounding_box(product).crop(product, margin_px=2)].shape == (5, 6)
