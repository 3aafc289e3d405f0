import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmenter.masks import (
    clear_outside,
    enclosed,
    grow,
    resize,
    scale_roi,
    shrink,
    soft_iou,
    to_lab,
    without_fragments,
    working_size,
)
from tests.helpers.composites import Matte


def square(
    top: int, left: int, side: int, shape: tuple[int, int] = (40, 60)
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros(shape, np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


def matte(value: float) -> Matte:
    return np.full((3, 3), value, np.float32)


def test_soft_iou_of_two_levels_is_their_ratio() -> None:
    assert soft_iou(matte(0.25), matte(0.75)) == pytest.approx(1 / 3)
    assert soft_iou(matte(0), matte(1)) == 0
    assert soft_iou(matte(0), matte(0)) == 1


@given(st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8))
def test_soft_iou_is_symmetric_and_bounded(values: list[float]) -> None:
    one, other = np.array(values, np.float32).reshape(2, 4)
    assert soft_iou(one, other) == soft_iou(other, one)
    assert 0 <= soft_iou(one, other) <= 1
    assert soft_iou(one, one) == 1


def test_grow_and_shrink_move_the_outline_by_their_radius() -> None:
    mask = square(10, 10, 20)
    assert grow(mask, 3)[20, 7:33].all()
    assert grow(mask, 3)[20].sum() == 26
    assert np.array_equal(shrink(mask, 3), square(13, 13, 14))


def test_shrink_keeps_what_reaches_the_frame() -> None:
    assert shrink(np.ones((9, 9), np.bool_), 3).all()


def test_enclosed_are_components_away_from_the_frame() -> None:
    hole, bay, speck = square(10, 10, 8), square(0, 30, 8), square(30, 30, 1)
    assert np.array_equal(enclosed(hole | bay | speck, 0.002), hole)


def test_fragments_are_small_beside_the_largest_component() -> None:
    large, medium, small = square(2, 2, 20), square(2, 40, 10), square(30, 40, 5)
    assert np.array_equal(without_fragments(large | medium | small, 0.2), large | medium)
    assert not without_fragments(square(0, 0, 0), 0.2).any()


def test_a_region_is_scaled_outwards() -> None:
    assert scale_roi((3, 5, 11, 21), (100, 200), (50, 60)) == (1, 1, 6, 7)
    assert scale_roi(None, (100, 200), (50, 60)) is None


def test_outside_the_region_the_matte_is_cleared_in_a_copy() -> None:
    full = np.ones((40, 60), np.float32)
    assert np.array_equal(clear_outside(full, (10, 12, 18, 20)), square(10, 12, 8))
    assert full.all()


def test_resize_keeps_the_mean() -> None:
    image = square(10, 10, 20).astype(np.float32)
    for size in ((20, 30), (80, 120), (40, 60)):
        assert resize(image, *size).shape == size
        assert resize(image, *size).mean() == pytest.approx(image.mean(), abs=1e-3)


@pytest.mark.parametrize(
    ("size", "worked_on"),
    [((2000, 1000), (192, 96)), ((100, 50), (100, 50)), ((5000, 10), (192, 24)), ((1, 1), (24, 24))],
)
def test_photos_are_worked_on_at_a_bounded_size(size: tuple[int, int], worked_on: tuple[int, int]) -> None:
    assert working_size(*size, 192) == worked_on


def test_lab_of_white_black_and_red() -> None:
    lab = to_lab(np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0]]], np.uint8))
    assert lab[0] == pytest.approx(np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]]), abs=0.3)
