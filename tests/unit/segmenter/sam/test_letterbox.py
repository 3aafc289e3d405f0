"""Where an image lies in SAM's square, and that mattes find the way there and back."""

import numpy as np
import pytest

from services.segmenter.sam.letterbox import Letterbox
from tests.helpers.composites import disc, draw_matte, solid


@pytest.mark.parametrize(
    ("size", "filled"),
    [((600, 800), (768, 1024)), ((3000, 1001), (1024, 342)), ((1, 5000), (1, 1024)), ((7, 7), (1024, 1024))],
)
def test_the_longest_side_fills_the_square(size: tuple[int, int], filled: tuple[int, int]) -> None:
    letterbox = Letterbox.of(*size, 1024)
    assert (letterbox.height, letterbox.width) == filled


def test_pixels_are_normalised_and_padding_is_zero() -> None:
    image = solid(50, 100, (255, 0, 104))
    square = Letterbox.of(50, 100, 256).to_input(image)
    assert square.shape == (1, 3, 256, 256)
    assert square.dtype == np.float32
    expected = [(255 - 123.675) / 58.395, (0 - 116.28) / 57.12, (104 - 103.53) / 57.375]
    assert square[0, :, 127, 255] == pytest.approx(expected, abs=1e-5)
    assert not square[0, :, 128:].any()


@pytest.mark.parametrize("size", [(480, 640), (641, 397)])
def test_a_matte_survives_the_grid_and_back(size: tuple[int, int]) -> None:
    matte = draw_matte(*size, disc(120, (size[0] / 2 + 13, size[1] / 2 - 9)))
    letterbox = Letterbox.of(*size, 1024)
    back = letterbox.from_grid(letterbox.to_grid(matte), *size)
    assert back.shape == size
    assert np.abs(back - matte).mean() < 0.003  # one grid pixel is 2.5 of the matte's
    rows, cols = np.nonzero(matte >= 0.5)
    rows_back, cols_back = np.nonzero(back >= 0.5)
    assert (rows_back.mean(), cols_back.mean()) == pytest.approx((rows.mean(), cols.mean()), abs=0.1)


def test_the_grid_is_empty_beyond_the_image() -> None:
    letterbox = Letterbox.of(100, 398, 1024)
    grid = letterbox.to_grid(np.ones((100, 398), np.float32))
    assert letterbox.grid_size == (65, 256)
    assert grid[64].max() < 1  # the last row shows padding too
    assert not grid[65:].any()
