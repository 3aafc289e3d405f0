import cv2
import numpy as np
import pytest

from services.validator.measurements.inner_blur import inner_blur
from tests.helpers import composites


def squares(side: int, blur_px: float = 0.0) -> composites.Image:
    """Dark squares on grey."""
    image = composites.solid(side, side, (170, 170, 170))
    step = side // 12
    for row in range(step // 2, side, step):
        for col in range(step // 2, side, step):
            image[row : row + step // 2, col : col + step // 2] = 40
    return cv2.GaussianBlur(image, (0, 0), blur_px) if blur_px else image


def full(image: composites.Image) -> composites.Image:
    return np.full(image.shape[:2], 255, np.uint8)


@pytest.mark.parametrize("blur_px", [1.0, 1.5, 2.5])
def test_the_blur_is_found(blur_px: float) -> None:
    image = squares(600, blur_px)
    assert inner_blur(image, full(image)) == pytest.approx(blur_px, abs=0.35)


def test_a_sharp_photo_is_hardly_blurred() -> None:
    image = squares(900)
    result = inner_blur(image, full(image))
    assert result is not None and result < 0.9


def test_the_outline_does_not_count() -> None:
    image = composites.solid(400, 400, (255, 255, 255))
    image[100:300, 100:300] = 60
    surface = np.where(image[..., 0] < 128, 255, 0).astype(np.uint8)
    assert inner_blur(image, surface) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (50, 50)])
def test_plain_and_tiny_surfaces_tell_nothing(shape: tuple[int, int]) -> None:
    image = composites.solid(*shape, (90, 90, 90))
    assert inner_blur(image, full(image)) is None
    assert inner_blur(image, np.zeros(shape, np.uint8)) is None
