import cv2
import numpy as np
import pytest

from services.validator.measurements.fringe_width import fringe_width
from services.validator.measurements.outline import outline_of
from tests.helpers import composites

SIDE = 600
WHITE = composites.solid(SIDE, SIDE, (255, 255, 255))
DARK = composites.solid(SIDE, SIDE, (90, 60, 50))


def measured(blur_px: float, inner_blur_px: float | None = None, longest_side_px: int = 2000) -> float:
    """Fringe of a disc whose edge is blurred as bytes, so that the Gaussian's width is known."""
    hard = composites.draw_matte(SIDE, SIDE, composites.disc(220, (SIDE / 2, SIDE / 2)))[..., None]
    image = cv2.GaussianBlur(hard * DARK + (1 - hard) * WHITE, (0, 0), blur_px)
    product = cv2.inRange(hard[..., 0], 0.5, 2.0)
    outline = outline_of(np.rint(image).astype(np.uint8), product)
    result = fringe_width(outline, inner_blur_px, longest_side_px)
    assert result is not None
    return result


@pytest.mark.parametrize("blur_px", [1.0, 1.5, 2.5])
def test_the_width_is_that_of_the_blur(blur_px: float) -> None:
    """Pixels and the interpolation between them blur as well, by about half a pixel."""
    assert measured(blur_px, inner_blur_px=0.0) == pytest.approx(2.563 * np.hypot(blur_px, 0.5), rel=0.1)


def test_the_products_own_blur_is_no_fringe() -> None:
    assert measured(1.5, inner_blur_px=1.6) == pytest.approx(0, abs=0.3)
    assert measured(1.5, inner_blur_px=0.6) == pytest.approx(measured(1.5, inner_blur_px=0.0) - 2.563 * 0.6)


def test_a_plain_product_is_taken_to_be_sharp() -> None:
    assert measured(0.6) < 0.6
    assert measured(2.0) > 2.5


def test_the_width_is_stated_on_a_canvas_of_2000_px() -> None:
    assert measured(1.5, longest_side_px=1000) == pytest.approx(2 * measured(1.5), rel=1e-5)


def test_a_fringe_of_a_third_colour_between_widens_the_way() -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.disc(220, (SIDE / 2, SIDE / 2)), blur_px=0.6)
    inner = composites.draw_matte(SIDE, SIDE, composites.disc(216, (SIDE / 2, SIDE / 2)), blur_px=0.6)
    pale = composites.mix(DARK, composites.solid(SIDE, SIDE, (190, 186, 182)), inner)
    product = cv2.inRange(matte, 0.5, 2.0)
    clean, fringed = (
        fringe_width(outline_of(composites.mix(color, WHITE, matte), product), None, 2000) for color in (DARK, pale)
    )
    assert clean is not None and fringed is not None
    assert fringed > clean + 2


def test_there_is_nothing_to_tell_without_an_outline() -> None:
    empty = outline_of(WHITE, np.zeros((SIDE, SIDE), np.uint8))
    assert fringe_width(empty, 1.0, 2000) is None
