"""Each trait on a scene made to have it, and none on an ordinary product."""

import cv2
import numpy as np
import pytest

from services.segmenter.background import describe_background, rim
from services.segmenter.masks import resize, to_lab, working_size
from services.segmenter.pieces import find_pieces
from services.segmenter.traits import Trait, find_traits
from tests.helpers import scenes
from tests.helpers.composites import Draw, Image, Matte, compose, disc, draw_matte, gradient, hairs, solid


def traits(image: Image, matte: Matte) -> frozenset[Trait]:
    height, width = image.shape[:2]
    size = working_size(height, width, 192)
    background = describe_background(to_lab(resize(image, *size)), rim(*size))
    return find_traits(image, matte, background, find_pieces(matte))


@pytest.mark.parametrize("shape", [scenes.DISC, scenes.RING, scenes.BOX], ids=["disc", "ring", "box"])
@pytest.mark.parametrize("backdrop", [scenes.WHITE, scenes.SWEEP, scenes.room()], ids=["white", "sweep", "room"])
def test_an_ordinary_product_has_none(shape: Draw, backdrop: Image) -> None:
    scene = scenes.photograph(shape, backdrop)
    assert traits(scene.photo, scene.matte) == frozenset()


def test_white_on_white() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.WHITE, color=(238, 238, 236))
    assert traits(scene.photo, scene.matte) == {Trait.WHITE_ON_WHITE}


def test_a_white_product_on_grey_is_not() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.GREY, color=(245, 245, 245))
    assert Trait.WHITE_ON_WHITE not in traits(scene.photo, scene.matte)


def test_glass_shows_the_backdrop_and_has_dark_walls() -> None:
    walls = scenes.photograph(scenes.RING, scenes.GREY, color=(90, 95, 100))
    assert traits(walls.photo, draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(115, scenes.CENTRE))) == set()
    thin = scenes.photograph(_walls, scenes.GREY, color=(90, 95, 100))
    glass = draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(115, scenes.CENTRE))
    assert traits(thin.photo, glass) == {Trait.TRANSPARENT}


def test_a_black_product_on_black_is_not_glass() -> None:
    black = solid(scenes.HEIGHT, scenes.WIDTH, (48, 44, 50))
    suitcase = scenes.photograph(_walls, black, color=(120, 120, 125))  # its bright edges; its sides are black
    assert traits(suitcase.photo, draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(115, scenes.CENTRE))) == frozenset()


COLOURFUL = gradient(scenes.HEIGHT, scenes.WIDTH, (70, 160, 80), (190, 90, 180))


@pytest.mark.parametrize("tint", [(0.85, 0.9, 0.85), (0.5, 0.3, 0.2)], ids=["clear", "tinted"])
def test_glass_before_a_scene_changes_colour_as_the_scene_does(tint: tuple[float, float, float]) -> None:
    through = np.clip(COLOURFUL * np.array(tint) + 14, 0, 255).astype(np.uint8)
    matte = draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(115, scenes.CENTRE))
    assert Trait.TRANSPARENT in traits(compose(matte, through, COLOURFUL, noise=1.5).photo, matte)


@pytest.mark.parametrize("shape", [scenes.DISC, scenes.RING, scenes.BOX], ids=["disc", "ring", "box"])
def test_a_product_of_its_own_colour_before_such_a_scene_is_not_glass(shape: Draw) -> None:
    scene = scenes.photograph(shape, COLOURFUL)
    assert Trait.TRANSPARENT not in traits(scene.photo, scene.matte)
    grey = scenes.photograph(shape, COLOURFUL, color=(130, 125, 130))
    assert Trait.TRANSPARENT not in traits(grey.photo, grey.matte)


def test_hair_is_busy_outside_the_outline() -> None:
    scene = scenes.photograph(hairs(80, 14, 260, 2.0, scenes.CENTRE), scenes.GREY)
    body = draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(80, scenes.CENTRE))
    assert traits(scene.photo, body) == {Trait.HAIRY}


def test_small_highlights_are_reflections() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.GREY, color=(40, 40, 44))
    photo = scene.photo.copy()
    for row, col in ((160, 200), (200, 290), (250, 240), (190, 235)):
        cv2.circle(photo, (col, row), 5, (255, 255, 255), -1)
    assert traits(photo, scene.matte) == {Trait.REFLECTIVE}


def test_two_pieces_are_multi_piece_and_a_crumb_is_not() -> None:
    matte = draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(70, (200, 120)))
    second = draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(50, (200, 350)))
    crumb = draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(9, (200, 350)))
    image = solid(scenes.HEIGHT, scenes.WIDTH, (180, 40, 40))
    assert Trait.MULTI_PIECE in traits(image, matte + second)
    assert Trait.MULTI_PIECE not in traits(image, matte + crumb)


def test_no_product_has_no_traits() -> None:
    assert traits(scenes.room(), np.zeros((scenes.HEIGHT, scenes.WIDTH), np.float32)) == frozenset()


def _walls(layer: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], scale: float) -> None:
    """Concentric walls of a glass seen from above."""
    for outer, inner in ((115, 100), (60, 52)):
        wall = np.zeros_like(layer)
        disc(outer, scenes.CENTRE)(wall, scale)
        hole = np.zeros_like(layer)
        disc(inner, scenes.CENTRE)(hole, scale)
        layer[(wall > 0) & (hole == 0)] = 255
