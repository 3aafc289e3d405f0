import numpy as np
import pytest

from services.validator.measurements.frame_contact import touches_frame


@pytest.mark.parametrize("at", [(0, 3), (9, 3), (3, 0), (3, 9), (0, 0)])
def test_one_pixel_on_the_edge_touches(at: tuple[int, int]) -> None:
    product = np.zeros((10, 10), np.uint8)
    product[at] = 255
    assert touches_frame(product)


def test_one_pixel_away_does_not_touch() -> None:
    product = np.zeros((10, 10), np.uint8)
    product[1:9, 1:9] = 255
    assert not touches_frame(product)
