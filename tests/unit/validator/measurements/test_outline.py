import cv2
import numpy as np
import pytest

from services.validator.measurements.outline import STRETCH, outline_of
from tests.helpers import composites

SIDE = 400
CENTRE = (SIDE / 2, SIDE / 2)
WHITE = composites.solid(SIDE, SIDE, (255, 255, 255))


def laid_out(
    draw: composites.Draw, color: tuple[int, int, int] = (90, 60, 50)
) -> tuple[composites.Image, composites.Image]:
    """A product on white and where it covers half."""
    matte = composites.draw_matte(SIDE, SIDE, draw, blur_px=0.6)
    product = cv2.inRange(matte, 0.5, 2.0)
    return composites.mix(composites.solid(SIDE, SIDE, color), WHITE, matte), product


@pytest.mark.parametrize("radius", [120, 120.4, 150])
def test_a_discs_outline_is_found_to_a_fraction_of_a_pixel(radius: float) -> None:
    outline = outline_of(*laid_out(composites.disc(radius, CENTRE)))
    assert len(outline.crossing) >= 8
    distance = np.linalg.norm(outline.crossing + 0.5 - CENTRE, axis=2)
    # Where light is mixed half and half is not where bytes are: sRGB moves the crossing outwards by a constant.
    assert distance.std() < 0.08
    assert abs(distance.mean() - radius) < 0.6
    inwards = (np.array(CENTRE) - outline.crossing - 0.5) / distance[..., None]
    assert (inwards * outline.normal).sum(axis=2).min() > 0.98


def test_the_transition_goes_from_white_to_the_inside() -> None:
    outline = outline_of(*laid_out(composites.disc(140, CENTRE)))
    assert outline.coverage.shape == (len(outline.crossing), outline.offsets_px.size)
    assert np.abs(outline.coverage[:, outline.offsets_px == 0] - 0.5).max() < 0.03
    assert np.abs(outline.coverage[:, 0]).max() < 0.02
    assert np.abs(outline.coverage[:, -1] - 1).max() < 0.02


def test_a_mask_that_reaches_too_far_finds_the_same_outline() -> None:
    image, product = laid_out(composites.disc(140, CENTRE))
    wide = cv2.dilate(product, np.ones((5, 5), np.uint8))
    near, far = (np.linalg.norm(outline_of(image, mask).crossing + 0.5 - CENTRE, axis=2) for mask in (product, wide))
    assert far.mean() == pytest.approx(near.mean(), abs=0.05)


@pytest.mark.parametrize(
    "draw",
    [
        composites.rectangle(100, 198, 300, 202),
        composites.hairs(60, 110, 900, 1.5, CENTRE),
        composites.disc(9, CENTRE),
        composites.rectangle(-5, -5, SIDE + 5, SIDE + 5),
    ],
    ids=["wire", "fur", "dot", "fills the frame"],
)
def test_what_has_no_plain_outline_has_none(draw: composites.Draw) -> None:
    outline = outline_of(*laid_out(draw))
    assert outline.crossing.shape == (0, STRETCH, 2)
    assert outline.coverage.shape == (0, outline.offsets_px.size)


def test_a_nearly_white_product_has_none() -> None:
    assert len(outline_of(*laid_out(composites.disc(140, CENTRE), (246, 246, 246))).crossing) == 0


def test_a_product_cut_by_the_frame_has_one_only_where_it_ends() -> None:
    outline = outline_of(*laid_out(composites.rectangle(-5, -5, SIDE + 5, 201.5)))
    assert len(outline.crossing) >= 4
    assert np.abs(outline.crossing[..., 1] + 0.5 - 201.5).max() < 0.6


@pytest.mark.parametrize("side", [1, 2, 30])
def test_tiny_and_empty_images_have_none(side: int) -> None:
    image = composites.solid(side, side, (255, 255, 255))
    for level in (0, 255):
        assert len(outline_of(image, np.full((side, side), level, np.uint8)).crossing) == 0
