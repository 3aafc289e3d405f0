"""Enlarging a small matte, on scenes whose matte is exact."""

import cv2
import numpy as np
import pytest

from services.segmenter.edges import sharpen_to
from services.segmenter.masks import grow, resize
from tests.helpers import scenes
from tests.helpers.composites import Draw, Image, Matte, coarse


@pytest.mark.parametrize("shape", [scenes.DISC, scenes.RING, scenes.BOX], ids=["disc", "ring", "box"])
@pytest.mark.parametrize("backdrop", [scenes.GREY, scenes.SWEEP, scenes.room()], ids=["grey", "sweep", "room"])
def test_the_edge_comes_from_the_image(shape: Draw, backdrop: Image) -> None:
    scene = scenes.photograph(shape, backdrop)
    small = coarse(scene.matte, 80)
    band = grow(scene.matte > 0, 8) & grow(scene.matte < 1, 8)

    def error(matte: Matte) -> float:
        return float(np.abs(matte - scene.matte)[band].mean())

    sharpened = sharpen_to(scene.photo, resize(small, 70, 80))
    assert error(sharpened) < 0.5 * error(small)
    assert error(sharpened) < 0.06


def test_away_from_the_outline_there_is_nothing_in_between() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.GREY)
    undecided = np.float32(0.42) + np.float32(0.16) * coarse(scene.matte)
    sharpened = sharpen_to(scene.photo, undecided)
    far = ~(grow(scene.matte >= 0.5, 24) & grow(scene.matte < 0.5, 24))
    assert np.array_equal(sharpened[far], scene.matte[far])


def test_nothing_stays_nothing() -> None:
    image = scenes.photograph(scenes.DISC, scenes.GREY).photo
    assert not sharpen_to(image, np.full((32, 32), 0.45, np.float32)).any()


def test_everything_stays_everything() -> None:
    image = scenes.photograph(scenes.DISC, scenes.GREY).photo
    assert (sharpen_to(image, np.ones((32, 32), np.float32)) == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 700), (1200, 900)])
def test_the_matte_has_the_image_s_size_and_range(size: tuple[int, int]) -> None:
    image = cv2.resize(scenes.photograph(scenes.DISC, scenes.GREY).photo, size[::-1])
    matte = sharpen_to(image.reshape(*size, 3), np.eye(24, dtype=np.float32))
    assert matte.shape == size
    assert matte.dtype == np.float32
    assert 0 <= matte.min() <= matte.max() <= 1
