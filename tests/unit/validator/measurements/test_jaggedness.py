import cv2
import numpy as np
import pytest

from services.common.photo import decode_photo, encode_jpeg
from services.validator.measurements.jaggedness import jaggedness
from services.validator.measurements.outline import outline_of
from tests.helpers import composites

SIDE = 600
CENTRE = (SIDE / 2, SIDE / 2)
WHITE = composites.solid(SIDE, SIDE, (255, 255, 255))
OVAL = composites.draw_matte(SIDE, SIDE, composites.disc(230, CENTRE), blur_px=0.6)


def measured(matte: composites.Matte) -> float | None:
    """Jaggedness of a dark product cut with a matte, from a JPEG of quality 90."""
    image = composites.mix(composites.texture(SIDE, SIDE, (90, 60, 50), 4, 4), WHITE, matte)
    image = decode_photo(encode_jpeg(image, 90)).image
    return jaggedness(outline_of(image, cv2.inRange(matte, 0.5, 2.0)))


def enlarged(matte: composites.Matte, times: int) -> composites.Matte:
    small = cv2.resize(matte, (SIDE // times,) * 2, interpolation=cv2.INTER_AREA)
    large: composites.Matte = cv2.resize(
        (small >= 0.5).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST
    )
    return large


def test_a_clean_outline_is_smooth() -> None:
    result = measured(OVAL)
    assert result is not None and result < 0.12


@pytest.mark.parametrize(("times", "least", "most"), [(1, 0.18, 0.33), (2, 0.35, 0.65), (4, 0.6, 1.3), (8, 0.7, 2.6)])
def test_steps_measure_their_size(times: int, least: float, most: float) -> None:
    """Evenly spread steps of a px stray by a / √12 from the line they stand for, on both of its sides at a slant."""
    result = measured(enlarged(OVAL, times))
    assert result is not None and least < result < most


def test_a_wobble_is_found_whatever_makes_it() -> None:
    small = cv2.resize(OVAL, (SIDE // 8,) * 2, interpolation=cv2.INTER_AREA)
    result = measured(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))
    assert result is not None and result > 0.13


@pytest.mark.parametrize(
    "draw",
    [
        composites.star(250, 150, 9, CENTRE),
        composites.star(260, 200, 5, CENTRE),
    ],
    ids=["nine points", "five points"],
)
def test_corners_are_no_steps(draw: composites.Draw) -> None:
    result = measured(composites.draw_matte(SIDE, SIDE, draw, blur_px=0.6))
    assert result is not None and result < 0.15


def test_along_the_pixel_grid_steps_cannot_be_told() -> None:
    assert measured(composites.draw_matte(SIDE, SIDE, composites.rectangle(100.3, 80.6, 500.2, 520.9))) is None


def test_fur_cannot_be_told() -> None:
    assert measured(composites.draw_matte(SIDE, SIDE, composites.hairs(120, 150, 1200, 1.5, CENTRE))) is None


def test_there_is_nothing_to_tell_without_an_outline() -> None:
    assert measured(np.zeros((SIDE, SIDE), np.float32)) is None
    assert measured(np.ones((SIDE, SIDE), np.float32)) is None
