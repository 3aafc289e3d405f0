import cv2
import numpy as np
import pytest

from services.common.photo import decode_photo, encode_jpeg
from services.validator.measurements.leftover_translucency import leftover_translucency
from services.validator.measurements.regions import regions_of_matte
from tests.helpers import composites

SIDE = 640
CENTRE = (SIDE / 2, SIDE / 2)
WHITE = composites.solid(SIDE, SIDE, (255, 255, 255))
BROWN = composites.solid(SIDE, SIDE, (120, 80, 60))
DISC = composites.draw_matte(SIDE, SIDE, composites.disc(150, CENTRE), blur_px=0.6)


def measured(matte: composites.Matte, *, with_matte: bool = True) -> float | None:
    """From a JPEG of a brown product cut with the matte; without it, the product is where the disc is."""
    image = decode_photo(encode_jpeg(composites.mix(BROWN, WHITE, matte), 85)).image
    product = regions_of_matte(matte if with_matte else DISC).product
    return leftover_translucency(image, product, matte if with_matte else None)


def patch(row: float, col: float, radius: float) -> composites.Matte:
    return composites.draw_matte(SIDE, SIDE, composites.disc(radius, (row, col)), blur_px=4)


@pytest.mark.parametrize("with_matte", [True, False])
def test_a_clean_cut_has_none(with_matte: bool) -> None:
    assert measured(DISC, with_matte=with_matte) == 0


@pytest.mark.parametrize("alpha", [0.03, 0.05, 0.15])
@pytest.mark.parametrize("with_matte", [True, False])
def test_haze_measures_its_area(alpha: float, with_matte: bool) -> None:
    matte = np.maximum(DISC, alpha * patch(90, 90, 60))
    result = measured(matte, with_matte=with_matte)
    assert result == pytest.approx((60 / 150) ** 2, abs=0.05)


def test_holes_washed_into_a_solid_measure_their_area() -> None:
    matte = (DISC * (1 - 0.15 * patch(300, 320, 60))).astype(np.float32)
    result = measured(matte)
    assert result == pytest.approx((60 / 150) ** 2, abs=0.05)
    assert measured(matte, with_matte=False) == 0


def test_real_holes_hair_and_soft_edges_are_none() -> None:
    for draw in (composites.ring(200, 90, CENTRE), composites.hairs(120, 160, 400, 1.5, CENTRE)):
        assert measured(composites.draw_matte(SIDE, SIDE, draw, blur_px=0.6)) == pytest.approx(0, abs=0.002)
    assert measured(cv2.GaussianBlur(DISC, (0, 0), 3)) == 0


@pytest.mark.parametrize("clear", [0.06, 0.2, 0.45])
def test_glass_cannot_be_told(clear: float) -> None:
    """Dark walls around a clear inside, an opaque label on it."""
    outer = composites.draw_matte(SIDE, SIDE, composites.disc(200, CENTRE), blur_px=0.6)
    inner = composites.draw_matte(SIDE, SIDE, composites.disc(190, CENTRE), blur_px=3)
    glass = np.where(inner > 0, outer * (1 - inner * (1 - clear)), outer)
    glass[280:360, 280:360] = 1
    assert measured(glass.astype(np.float32)) is None


def test_a_tinted_bottle_cannot_be_told() -> None:
    assert measured((0.8 * DISC).astype(np.float32)) is None


@pytest.mark.parametrize("side", [1, 3, 40])
def test_without_a_product_there_is_none(side: int) -> None:
    image, empty = composites.solid(side, side, (255, 255, 255)), np.zeros((side, side), np.float32)
    assert leftover_translucency(image, regions_of_matte(empty).product, empty) is None
    assert leftover_translucency(image, regions_of_matte(empty).product) is None


def test_a_product_that_fills_or_touches_the_frame_is_measured() -> None:
    for matte in (np.ones((SIDE, SIDE), np.float32), np.roll(DISC, 200, axis=1)):
        assert measured(matte) == 0
