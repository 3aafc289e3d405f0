"""A hand of any tone is skin in the matte and beside it; what only has the colour is not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.segmenter.background import describe_background, rim
from services.segmenter.masks import resize, to_lab, working_size
from services.segmenter.skin import shows_skin
from tests.helpers import scenes
from tests.helpers.composites import Draw, Image, disc, draw_matte, mix, solid, texture

TONES = {
    "pale": (236, 196, 176),
    "light": (222, 168, 138),
    "tan": (190, 130, 100),
    "brown": (140, 92, 70),
    "dark": (118, 78, 62),
}


def shows(photo: Image, product: NDArray[np.bool_]) -> bool:
    height, width = photo.shape[:2]
    size = working_size(height, width, 192)
    background = describe_background(to_lab(resize(photo, *size)), rim(*size))
    return shows_skin(to_lab(photo), product, background)


def hand(reach_col: int) -> Draw:
    """A palm around (205, reach_col), and a forearm from it to the right edge of the frame."""

    def draw(layer: NDArray[np.uint8], scale: float) -> None:
        palm = (round(reach_col * scale), round(205 * scale))
        cv2.circle(layer, palm, round(95 * scale), 255, -1)
        cv2.line(layer, palm, (round((scenes.WIDTH + 60) * scale), palm[1]), 255, round(80 * scale))

    return draw


def hold(
    tone: tuple[int, int, int], *, backdrop: Image = scenes.GREY, reach_col: int = 245, shading: float = 0.45
) -> tuple[Image, NDArray[np.bool_], NDArray[np.bool_]]:
    """A product in front of a palm that is darker above and below, and the masks of product and hand."""
    product = draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(75, (205, 245)), blur_px=0.6)
    skin = draw_matte(scenes.HEIGHT, scenes.WIDTH, hand(reach_col), blur_px=0.6)
    from_axis = np.clip(np.abs(np.arange(scenes.HEIGHT) - 205) / 95, 0, 1)
    light = (1 - shading * from_axis**2)[:, None, None]
    flesh = np.clip(texture(scenes.HEIGHT, scenes.WIDTH, tone, 1, 5, 1) * light, 0, 255).astype(np.uint8)
    thing = texture(scenes.HEIGHT, scenes.WIDTH, (40, 70, 130), 6, 5, 2)
    photo = mix(thing, mix(flesh, backdrop, skin), product)
    return photo, product >= 0.5, (skin >= 0.5) & (product < 0.5)


@pytest.mark.parametrize("tone", TONES.values(), ids=TONES.keys())
def test_a_hand_is_seen_in_the_matte_and_beside_it(tone: tuple[int, int, int]) -> None:
    photo, product, skin = hold(tone)
    assert shows(photo, product | skin)
    assert shows(photo, product)


def test_a_hand_that_does_not_reach_the_product_is_not_holding_it() -> None:
    photo, product, _ = hold(TONES["tan"], reach_col=420)
    assert not shows(photo, product)


def test_what_is_as_flat_as_paper_is_not_skin() -> None:
    photo, product, skin = hold(TONES["tan"], shading=0.0)
    assert not shows(photo, product | skin)


def test_cloth_of_another_colour_is_not_skin() -> None:
    photo, product, skin = hold((60, 120, 90))
    assert not shows(photo, product | skin)


@pytest.mark.parametrize("color", [(176, 88, 40), (190, 150, 90)], ids=["tanned leather", "oak"])
def test_leather_and_oak_are_too_saturated_or_too_yellow(color: tuple[int, int, int]) -> None:
    photo, product, skin = hold(color)
    assert not shows(photo, product | skin)


def test_a_product_of_skin_colour_is_only_a_product() -> None:
    photo, _, skin = hold(TONES["tan"])
    assert not shows(photo, skin)


def test_a_wall_of_skin_colour_hides_skin_and_is_none() -> None:
    wall = solid(scenes.HEIGHT, scenes.WIDTH, TONES["light"])
    photo, product, skin = hold(TONES["tan"], backdrop=wall)
    assert not shows(photo, product | skin)


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["no product", "all product"])
@pytest.mark.parametrize("side_px", [1, 40])
def test_no_product_and_nothing_but_product(share: float, side_px: int) -> None:
    photo = solid(side_px, side_px, TONES["tan"])
    assert not shows(photo, np.full((side_px, side_px), share >= 0.5))
