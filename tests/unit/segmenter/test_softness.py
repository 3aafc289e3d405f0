import numpy as np
import pytest

from services.segmenter.softness import soft_share


def test_a_hard_square_has_no_soft_pixels() -> None:
    matte = np.zeros((20, 20), np.float32)
    matte[5:15, 5:15] = 1
    assert soft_share(matte) == 0


def test_soft_pixels_count_against_the_product() -> None:
    matte = np.zeros((20, 20), np.float32)
    matte[5:15, 5:15] = 1
    matte[5, 5:15] = 0.6
    assert soft_share(matte) == pytest.approx(0.1)


def test_an_empty_matte_is_not_undecided() -> None:
    assert soft_share(np.full((4, 4), 0.3, np.float32)) == 0
