"""Light and camera change colours, never where things are."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.segmenter.training import camera
from tests.helpers.training_pack import GREY, disc, even, product_on

Image = NDArray[np.uint8]
EFFECTS = [camera.relight, camera.expose]
SCENE = product_on(even(64, 64, (30, 30, 30)), (200, 190, 180), disc(64, 20))


@pytest.mark.parametrize("effect", EFFECTS)
@given(seed=st.integers(0, 2**32), height=st.integers(1, 40), width=st.integers(1, 40))
def test_any_picture_stays_a_picture_of_its_size(
    effect: Callable[..., Image], seed: int, height: int, width: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    before = image.copy()
    seen = effect(np.random.default_rng(seed), image)
    assert seen.shape == image.shape
    assert seen.dtype == np.uint8
    assert np.array_equal(image, before)


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_generator_s_state_decides(effect: Callable[..., Image]) -> None:
    one, same, other = (effect(np.random.default_rng(seed), SCENE) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_product_stays_where_it_is(effect: Callable[..., Image]) -> None:
    truth = disc(64, 20) > 127
    for seed in range(50):
        lightness = effect(np.random.default_rng(seed), SCENE).mean(axis=2)
        middle = (lightness[truth].mean() + lightness[~truth].mean()) / 2
        seen = lightness > middle
        assert (seen & truth).sum() / (seen | truth).sum() > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_light_of_no_strength_changes_nothing(seed: int) -> None:
    seen = camera.relight(np.random.default_rng(seed), SCENE, 0.0)
    assert np.abs(seen.astype(int) - SCENE).max() <= 1  # values are cut to bytes


@pytest.mark.parametrize("seed", range(20))
def test_light_makes_nothing_of_black(seed: int) -> None:
    assert not camera.relight(np.random.default_rng(seed), even(8, 8, (0, 0, 0))).any()


def test_light_comes_in_many_kinds() -> None:
    seen = np.array([camera.relight(np.random.default_rng(seed), even(8, 8, GREY))[4, 4] for seed in range(100)])
    assert (seen.std(axis=0) > 10).all()  # exposure
    assert np.ptp(seen.astype(int), axis=1).max() > 10  # colour casts
