"""The twelve committed edge scenes: the right files, and truths that agree with each other and with the photo."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.scenes.backdrops import decode
from bench.scenes.edge_groups import GROUPS, SCENES, SUBSET
from bench.scenes.triangulation import over
from tests.helpers.edge_scenes import FOLDER, load, names

SOLID_GROUPS = ("opaque", "hairy", "chrome", "pieces")
SOLIDS = [name for group in SOLID_GROUPS for name in names(group)]
CLEAR = [name for group in ("glass", "tinted") for name in names(group)]


def srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(
        255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clip(1e-8) ** (1 / 2.4) - 0.055), np.float32
    )


def beside(light: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Continue light (H, W, 3) from where it is known to a few pixels beyond."""
    share = cv2.GaussianBlur(known.astype(np.float32), (0, 0), 2.0)
    spread = cv2.GaussianBlur(light * known[..., None], (0, 0), 2.0)
    return np.asarray(spread / np.maximum(share, 1e-4)[..., None], np.float32)


def test_they_are_the_subset_and_small() -> None:
    assert tuple(names()) == SUBSET
    assert [len(names(group)) for group in GROUPS] == [2] * len(GROUPS)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 2_500_000


@pytest.mark.parametrize("name", SUBSET)
def test_files_fit_each_other(name: str) -> None:
    scene = load(name)
    height, width = scene.matte.shape
    assert max(height, width) == 384
    for picture in (scene.photo, scene.foreground, scene.white):
        assert picture.shape == (height, width, 3)
    assert (scene.group, scene.backdrop) == (SCENES[name].group, SCENES[name].backdrop)
    assert scene.matte.min() == 0
    assert scene.matte.max() > (0.95 if name in SOLIDS else 0.5)
    assert (scene.white[scene.matte == 0] >= 254).all()


@pytest.mark.parametrize("name", SOLIDS)
def test_colour_over_white_by_the_matte_is_the_white_picture(name: str) -> None:
    scene = load(name)
    error = np.abs(srgb(over(decode(scene.foreground), scene.matte, 1.0)) - scene.white)
    mixed = (scene.matte > 0.02) & (scene.matte < 1)
    assert error[mixed].mean() < 0.6  # of 255: rounding of matte and colour
    assert np.percentile(error[mixed], 99) < 4


@pytest.mark.parametrize("name", CLEAR)
def test_glass_over_white_is_close_though_one_alpha_stands_for_three_channels(name: str) -> None:
    scene = load(name)
    error = np.abs(srgb(over(decode(scene.foreground), scene.matte, 1.0)) - scene.white)
    assert error[scene.matte > 0].mean() < (8 if scene.group == "glass" else 25)
    assert ((scene.matte > 0.05) & (scene.matte < 0.95)).mean() > 0.02


@pytest.mark.parametrize("name", SOLIDS)
def test_the_photo_obeys_the_matting_equation(name: str) -> None:
    scene = load(name)
    photo, color = decode(scene.photo), decode(scene.foreground)
    inside = scene.matte >= 0.99
    assert np.abs(srgb(photo)[inside] - scene.foreground[inside]).mean() < 3  # noise and JPEG
    # Beside the outline the backdrop is known; under it, it goes on.
    around = scene.matte == 0
    known = cv2.GaussianBlur(around.astype(np.float32), (0, 0), 2.0) > 0.15
    mixed = (scene.matte > 0.05) & (scene.matte < 0.95) & known
    model = over(color, scene.matte, beside(photo, around))
    assert mixed.sum() > 200
    assert np.abs(photo - model)[mixed].mean() < 0.03
    # And no other way about: the matte turned upside down does far worse.
    other = over(color, 1 - scene.matte, beside(photo, around))
    assert np.abs(photo - model)[mixed].mean() < 0.75 * np.abs(photo - other)[mixed].mean()
