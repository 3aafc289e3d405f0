import numpy as np
import pytest

from services.validator.measurements.purity import TOLERANT_WHITE, clear_background, white_share


def test_only_exact_white_counts() -> None:
    image = np.full((10, 10, 3), 255, np.uint8)
    image[0, :, 1] = 254
    everywhere = np.full((10, 10), 255, np.uint8)
    assert white_share(image, everywhere) == pytest.approx(0.9)
    assert white_share(image, everywhere, TOLERANT_WHITE) == 1


def test_pixels_outside_the_background_do_not_count() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:5] = 255
    background = np.zeros((10, 10), np.uint8)
    background[:5] = 255
    assert white_share(image, background) == 1


def test_the_level_itself_is_inside_the_tolerance() -> None:
    background = np.full((2, 1), 255, np.uint8)
    image = np.array([[[250, 250, 250]], [[249, 255, 255]]], np.uint8)
    assert white_share(image, background, TOLERANT_WHITE) == 0.5


def test_without_background_there_is_no_share() -> None:
    with pytest.raises(ValueError, match="no background"):
        white_share(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8))


def test_the_clear_background_keeps_its_distance_to_the_product_but_not_to_the_frame() -> None:
    background = np.full((50, 50), 255, np.uint8)
    background[25, 25] = 0
    for file_format, reach_px in (("JPEG", 18), ("PNG", 2)):
        clear = clear_background(background, file_format)
        assert np.count_nonzero(clear == 0) == (2 * reach_px + 1) ** 2
        assert clear[0, 0] and clear[25, 25 - reach_px - 1] and not clear[25, 25 - reach_px]
