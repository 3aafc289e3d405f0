"""Faint patches beside the product."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.compositor.ghosts import without_ghosts


def disc(size: tuple[int, int] = (203, 301), opacity: float = 1.0) -> NDArray[np.float32]:
    """A disc with a soft edge, left of the middle."""
    canvas = np.zeros(size, np.float32)
    cv2.circle(canvas, (80, size[0] // 2), 50, opacity, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.5) * (canvas.max() > 0), np.float32)


@pytest.mark.parametrize("size", [(203, 301), (200, 300), (161, 402)])
def test_a_faint_patch_that_hangs_in_the_air_goes_and_nothing_else(size: tuple[int, int]) -> None:
    product = disc(size)
    product[product < 1 / 255] = 0
    alpha = product.copy()
    alpha[60:66, 200:230] = 0.3
    np.testing.assert_array_equal(without_ghosts(alpha), product)


def test_a_loose_piece_stays_however_thin_its_edge() -> None:
    alpha = disc()
    alpha[alpha < 1 / 255] = 0
    alpha[60:66, 200:230] = 0.3
    alpha[62:64, 210:214] = 0.9
    np.testing.assert_array_equal(without_ghosts(alpha), alpha)


def test_mist_that_hangs_together_with_the_product_stays() -> None:
    alpha = disc()
    alpha[alpha < 1 / 255] = 0
    alpha[100:103, 120:260] = np.maximum(alpha[100:103, 120:260], 0.2)
    np.testing.assert_array_equal(without_ghosts(alpha), alpha)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_pixel_and_an_even_frame_stay_as_they_are(value: float) -> None:
    for shape in ((1, 1), (3, 5), (64, 64)):
        alpha = np.full(shape, value, np.float32)
        np.testing.assert_array_equal(without_ghosts(alpha), alpha)


def test_mist_alone_is_nothing() -> None:
    assert not without_ghosts(disc(opacity=0.3)).any()
