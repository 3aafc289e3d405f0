import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.photo import decode_photo, encode_jpeg
from services.validator.measurements.purity import clear_background, white_share
from services.validator.measurements.shade import soft_shade

SIDE = 600
PRODUCT = slice(150, 400), slice(150, 450)


def scene(*, darkness: float = 110, blur_px: float = 14, tint: int = 0) -> NDArray[np.uint8]:
    """A dark box with a blurred dark bar beneath it; `tint` levels less in blue."""
    shade = np.zeros((SIDE, SIDE), np.float32)
    shade[390:405, 160:440] = 1
    shade = darkness * cv2.GaussianBlur(shade, (0, 0), blur_px) / cv2.GaussianBlur(shade, (0, 0), blur_px).max()
    shade[shade < 0.5] = 0
    image = np.repeat((255 - shade)[..., None], 3, axis=2)
    image[..., 2] -= tint * (shade > 0)
    image[PRODUCT] = (40, 60, 90)
    drawn: NDArray[np.uint8] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return drawn


def unshaded_purity(image: NDArray[np.uint8], file_format: str = "JPEG") -> float:
    background = np.full((SIDE, SIDE), 255, np.uint8)
    background[PRODUCT] = 0
    clear = clear_background(background, file_format)
    return white_share(image, cv2.bitwise_and(clear, cv2.bitwise_not(soft_shade(image, clear))))


def test_a_soft_shadow_beneath_the_product_is_no_dirt() -> None:
    assert unshaded_purity(scene()) == 1
    assert unshaded_purity(scene(), "PNG") > 0.999


@pytest.mark.parametrize("quality", [75, 95])
def test_nor_is_it_after_jpeg(quality: int) -> None:
    assert unshaded_purity(decode_photo(encode_jpeg(scene(), quality)).image) > 0.995


def test_without_a_shadow_there_is_none() -> None:
    image = scene(darkness=0)
    assert unshaded_purity(image) == 1
    assert not soft_shade(image, np.full((SIDE, SIDE), 255, np.uint8)).any()


def test_a_grey_backdrop_is_no_shadow() -> None:
    image = np.full((SIDE, SIDE, 3), 235, np.uint8)
    image[PRODUCT] = (40, 60, 90)
    assert unshaded_purity(image) == 0


def test_grey_that_runs_off_the_canvas_is_no_shadow() -> None:
    assert unshaded_purity(np.roll(scene(blur_px=40), 150, axis=0)) < 0.99


def test_residue_that_ends_in_a_step_is_no_shadow() -> None:
    image = scene(darkness=0)
    image[380:470, 200:400] = 200
    image[PRODUCT] = (40, 60, 90)
    assert unshaded_purity(image) < 0.99


def test_a_coloured_cast_is_no_shadow() -> None:
    assert unshaded_purity(scene(tint=40)) < 0.97


def test_a_smudge_away_from_the_product_is_no_shadow() -> None:
    image = scene(darkness=0)
    smudge = np.zeros((SIDE, SIDE), np.float32)
    smudge[520, 300] = 1
    smudge = cv2.GaussianBlur(smudge, (0, 0), 12)
    image -= np.rint(60 * smudge / smudge.max()).astype(np.uint8)[..., None]
    image[PRODUCT] = (40, 60, 90)
    assert unshaded_purity(image) < 0.99
