"""Scores whose value follows from the geometry."""

import numpy as np
import pytest

from bench.edges.scores import (
    beyond_touched_blocks,
    colour_difference,
    connectivity_error,
    edge_errors,
    gradient_error,
    on_white_in_linear_light,
    on_white_in_srgb,
)

SIDE = 40
EVERYWHERE = np.ones((SIDE, SIDE), np.bool_)
NOTHING = np.zeros((SIDE, SIDE), np.float32)


def left(share: float = 1.0, cols: int = SIDE // 2) -> np.ndarray:
    matte = NOTHING.copy()
    matte[:, :cols] = share
    return matte


def test_the_true_matte_has_no_errors() -> None:
    errors = edge_errors(left(), left(), EVERYWHERE)
    assert (errors.sad, errors.mse, errors.gradient, errors.connectivity) == (0, 0, 0, 0)


def test_only_the_band_counts() -> None:
    """One column of 40 px is 0.5 too high, and another outside of the band by 1."""
    matte = left()
    matte[:, 20] = 0.5
    matte[:, 39] = 1
    band = np.zeros((SIDE, SIDE), np.bool_)
    band[:, 18:22] = True
    errors = edge_errors(matte, left(), band)
    assert errors.sad == pytest.approx(40 * 0.5 / 1e3)
    assert errors.mse == pytest.approx(0.25 / 4 * 1e3)
    assert errors.connectivity == pytest.approx(40 * 0.5 / 1e3)


def test_no_band_no_errors() -> None:
    errors = edge_errors(left(), NOTHING, np.zeros((SIDE, SIDE), np.bool_))
    assert (errors.sad, errors.mse, errors.gradient, errors.connectivity) == (0, 0, 0, 0)


def test_different_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match="one shape"):
        edge_errors(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), np.zeros((3, 2), np.bool_))


def test_a_level_has_no_gradient() -> None:
    assert gradient_error(NOTHING + np.float32(0.7), NOTHING, EVERYWHERE) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("height", [1.0, 0.5])
@pytest.mark.parametrize("upright", [True, False])
def test_the_gradient_of_a_step(height: float, upright: bool) -> None:
    """Against none, from the 2-D kernel of the published code taken literally: x·g(x)·g(y), of unit energy, 9 × 9."""
    y, x = np.mgrid[-4:5, -4:5]
    kernel = x * np.exp(-(x**2 + y**2) / (2 * 1.4**2))
    kernel /= np.sqrt((kernel**2).sum())
    by_col = kernel.sum(axis=0)
    responses = [height * by_col[4 + offset :].sum() for offset in range(-4, 5)]
    step = left(height) if upright else left(height).T
    expected = SIDE * sum(response**2 for response in responses)
    assert gradient_error(step, NOTHING, EVERYWHERE) == pytest.approx(expected, rel=1e-6)


def test_an_island_that_is_not_there_is_one_error_a_pixel() -> None:
    matte = left()
    matte[10:12, 30:33] = 1
    assert connectivity_error(matte, left(), EVERYWHERE) == pytest.approx(6)


def test_a_step_below_theta_is_no_break() -> None:
    """0.3 is connected up to 0.3, 0.4 goes on by 0.1 only: less than theta; 0.5 goes on by 0.2."""
    base = left()
    base[:, 20:] = 0.3
    little, much = base.copy(), base.copy()
    little[:, 20:] = 0.4
    much[:, 20:] = 0.5
    assert connectivity_error(little, base, EVERYWHERE) == 0
    assert connectivity_error(much, base, EVERYWHERE) == pytest.approx(800 * 0.2, rel=1e-5)


def test_two_pieces_are_one_part_and_the_rest() -> None:
    """What both have beside the largest part is connected to it in neither: no error, as published."""
    both = left()
    both[5:10, 30:35] = 1
    assert connectivity_error(both, both, EVERYWHERE) == 0


def test_colours_differ_where_they_are_looked_at() -> None:
    """CIEDE2000 of black and white is 100."""
    white, black = np.full((4, 4, 3), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    band = np.zeros((4, 4), np.bool_)
    band[0] = True
    difference = colour_difference(white, black, band)
    assert difference[0] == pytest.approx([100] * 4, abs=0.01)
    assert not difference[1:].any()


def test_half_of_black_on_white() -> None:
    """Half of the light is sRGB 188, half of the value 127."""
    cutout = np.array([[[0, 0, 0, 128], [9, 9, 9, 0], [9, 8, 7, 255]]], np.uint8)
    assert on_white_in_linear_light(cutout)[0, 0, 0] == 187
    assert on_white_in_srgb(cutout)[0, 0, 0] == 127
    for on_white in (on_white_in_linear_light, on_white_in_srgb):
        assert on_white(cutout)[0, 1].tolist() == [255, 255, 255]
        assert on_white(cutout)[0, 2].tolist() == [9, 8, 7]


def test_blocks_that_touch_the_product_may_be_off_white() -> None:
    product = np.zeros((20, 20), np.bool_)
    product[7, 8] = True
    beyond = beyond_touched_blocks(product)
    assert beyond.sum() == 20 * 20 - 8 * 8
    assert not beyond[:8, 8:16].any()
    assert beyond_touched_blocks(np.zeros((3, 5), np.bool_)).all()
    assert not beyond_touched_blocks(np.ones((3, 5), np.bool_)).any()
