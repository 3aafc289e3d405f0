import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.validator.measurements.sharpness import sharpness


def squares(side: int, blur_at_1000_px: float = 0.0) -> NDArray[np.uint8]:
    """Dark squares on grey whose edges are blurred as stated in a view of 1000 px."""
    image = np.full((side, side, 3), 160, np.uint8)
    step = side // 5
    for row in range(step // 2, side, step):
        for col in range(step // 2, side, step):
            image[row : row + step // 2, col : col + step // 2] = 60
    if blur_at_1000_px:
        image = cv2.GaussianBlur(image, (0, 0), blur_at_1000_px * side / 1000)
    return image


def full(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.full(image.shape[:2], 255, np.uint8)


@pytest.mark.parametrize("blur_px", [2.0, 3.0, 5.0])
def test_the_score_follows_the_stated_scale(blur_px: float) -> None:
    image = squares(1000, blur_px)
    assert sharpness(image, full(image)) == pytest.approx(4 / (4 + blur_px**2), abs=0.06)


@pytest.mark.parametrize("side", [1000, 1500, 2000])
def test_the_score_does_not_depend_on_the_resolution(side: int) -> None:
    image = squares(side, 3.0)
    assert sharpness(image, full(image)) == pytest.approx(4 / 13, abs=0.06)


def test_a_sharp_photo_scores_high() -> None:
    image = squares(2000)
    score = sharpness(image, full(image))
    assert score is not None and score > 0.8


def test_an_enlarged_photo_scores_low() -> None:
    small = squares(200)
    image = cv2.resize(small, (2000, 2000), interpolation=cv2.INTER_CUBIC)
    score = sharpness(image, full(image))
    assert score is not None and score < 0.55


def test_grain_does_not_make_a_blurred_photo_sharp() -> None:
    image = squares(1000, 4.0)
    grain = np.random.default_rng(0).normal(0, 3, image.shape)
    noisy = np.clip(np.rint(image + grain), 0, 255).astype(np.uint8)
    score = sharpness(noisy, full(noisy))
    assert score is not None and score < 0.55


def test_the_outline_does_not_count() -> None:
    image = np.full((500, 500, 3), 255, np.uint8)
    image[100:400, 100:400] = 60
    surface = np.zeros((500, 500), np.uint8)
    surface[100:400, 100:400] = 255
    assert sharpness(image, surface) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 200)])
def test_tiny_images_have_no_score(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    assert sharpness(image, full(image)) is None
