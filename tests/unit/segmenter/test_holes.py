import numpy as np
import pytest

from services.segmenter.holes import open_holes
from tests.helpers.composites import Image, Matte, disc, draw_matte
from tests.helpers.scenes import BLUE, CENTRE, DISC, GREY, HEIGHT, PATTERN, RING, SWEEP, WHITE, WIDTH, photograph, room

FILLED = draw_matte(HEIGHT, WIDTH, DISC, blur_px=0.6)
IN_THE_HOLE = (int(CENTRE[0]), int(CENTRE[1]))


def filled(sure: float = 1.0) -> Matte:
    """What a model says of the ring that takes it for a disc: its hole is product, so surely."""
    outer = draw_matte(HEIGHT, WIDTH, disc(115, CENTRE), blur_px=0.6)
    hole = outer - draw_matte(HEIGHT, WIDTH, RING, blur_px=0.6)
    return np.asarray(outer - (1 - sure) * np.clip(hole, 0, 1), np.float32)


@pytest.mark.parametrize("backdrop", [GREY, BLUE, SWEEP, room()], ids=["grey", "blue", "sweep", "a room's wall"])
def test_a_hole_that_shows_the_backdrop_is_opened(backdrop: Image) -> None:
    scene = photograph(RING, backdrop)
    opened = open_holes(scene.photo, filled())
    assert opened[IN_THE_HOLE] == 0
    assert np.abs(opened - scene.matte).mean() < 0.01


def test_a_product_without_holes_stays_as_it_is() -> None:
    for backdrop in (GREY, SWEEP, room()):
        assert open_holes(photograph(DISC, backdrop).photo, FILLED) is FILLED


def test_before_what_cannot_be_continued_nothing_is_opened() -> None:
    matte = filled()
    assert open_holes(photograph(RING, PATTERN).photo, matte) is matte


def test_white_amid_the_product_before_white_is_print_unless_the_model_doubts_it() -> None:
    image = photograph(RING, WHITE, noise=0.5).photo
    sure, doubted = filled(), filled(sure=0.7)
    assert open_holes(image, sure) is sure
    assert open_holes(image, doubted)[IN_THE_HOLE] == 0


def test_a_product_of_the_backdrops_colour_is_not_full_of_holes() -> None:
    scene = photograph(DISC, GREY, color=(176, 178, 182))
    assert open_holes(scene.photo, FILLED) is FILLED


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_and_a_full_matte_stay_what_they_are(value: float) -> None:
    matte = np.full((30, 30), value, np.float32)
    assert open_holes(GREY, matte) is matte


def test_one_pixel() -> None:
    matte = np.ones((1, 1), np.float32)
    assert open_holes(np.zeros((1, 1, 3), np.uint8), matte) is matte
