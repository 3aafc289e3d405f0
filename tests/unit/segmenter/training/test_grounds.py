"""What is behind the product, without the product."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmenter.training.grounds import (
    Image,
    behind_a_photo,
    cloth,
    clutter,
    colour,
    paste,
    smooth_noise,
    sweep,
    texture,
)
from tests.helpers.training_pack import CYAN, GREY, ORANGE, cutout, disc, even, grounds, photo

SEEDS = st.integers(0, 2**32)
SIDES = st.sampled_from([32, 33, 64])


@given(seed=SEEDS, side=SIDES)
def test_every_ground_is_a_square_picture(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    made = [
        sweep(rng, side),
        cloth(rng, side),
        texture(rng, side, grounds()),
        behind_a_photo(rng, side, photo("any")),
        clutter(rng, side, even(side, side, GREY), [cutout("any", CYAN)]),
    ]
    assert all(ground.shape == (side, side, 3) for ground in made)
    assert all(ground.dtype == np.uint8 for ground in made)


@given(seed=SEEDS)
def test_a_surface_may_be_a_single_pixel(seed: int) -> None:
    assert texture(np.random.default_rng(seed), 32, [even(1, 1, GREY)]).shape == (32, 32, 3)


@given(seed=SEEDS, side=SIDES, cells=st.integers(1, 40))
def test_noise_is_centred_and_bounded(seed: int, side: int, cells: int) -> None:
    noise = smooth_noise(np.random.default_rng(seed), side, cells)
    assert noise.shape == (side, side)
    assert noise.dtype == np.float32
    assert np.abs(noise).max() < 2  # the cubic overshoots a little


def test_colours_are_mostly_greyish() -> None:
    rng = np.random.default_rng(0)
    colours = np.array([colour(rng) for _ in range(500)])
    assert colours.min() >= 0
    assert colours.max() <= 255
    saturation = 1 - colours.min(axis=1) / colours.max(axis=1)
    assert np.median(saturation) < 0.3
    assert saturation.max() > 0.5


def test_a_sweep_is_often_white_and_always_soft() -> None:
    sweeps = [sweep(np.random.default_rng(seed), 64) for seed in range(200)]
    assert 0.3 < np.mean([np.median(one) > 170 for one in sweeps]) < 0.9
    # From one column to the next; rows may bend from table to wall.
    assert max(np.abs(np.diff(one.astype(int), axis=1)).max() for one in sweeps) < 25


def test_distractors_leave_the_ground_they_are_laid_on_alone_and_the_middle_free() -> None:
    ground = even(64, 64, GREY)
    changed = np.zeros((64, 64))
    for seed in range(200):
        scene = clutter(np.random.default_rng(seed), 64, ground, [cutout("any", CYAN)])
        changed += (np.abs(scene.astype(int) - ground) > 40).any(axis=2)
    assert (ground == GREY).all()
    assert changed[28:36, 28:36].mean() < 0.3 * changed[:8].mean()


def test_a_photo_behind_the_product_is_out_of_focus() -> None:
    picture = photo("any")
    for seed in range(20):
        scene = behind_a_photo(np.random.default_rng(seed), 64, picture)
        assert np.abs(np.diff(scene[..., 0].astype(int), axis=1)).max() < 160  # from grey to orange at once: 165


class TestPaste:
    THING = even(40, 40, ORANGE)

    def scene(self) -> Image:
        return even(64, 64, GREY)

    @pytest.mark.parametrize("alpha", [0, 51, 255])
    def test_mixes_by_the_matte(self, alpha: int) -> None:
        scene = self.scene()
        paste(scene, self.THING, np.full((40, 40), alpha, np.uint8), 10, 20)
        wanted = (alpha * np.array(ORANGE) + (255 - alpha) * np.array(GREY)) / 255
        assert np.abs(scene[10:50, 20:60] - wanted).max() <= 1
        scene[10:50, 20:60] = GREY
        assert (scene == GREY).all()

    @pytest.mark.parametrize("place", [(-30, 5), (50, 5), (5, -30), (5, 50)])
    def test_what_lies_beyond_the_frame_is_lost(self, place: tuple[int, int]) -> None:
        scene, whole = self.scene(), even(192, 192, GREY)
        paste(scene, self.THING, disc(40, 19), *place)
        paste(whole, self.THING, disc(40, 19), place[0] + 64, place[1] + 64)
        assert np.array_equal(scene, whole[64:128, 64:128])
        assert (scene != GREY).any()

    @pytest.mark.parametrize("place", [(-40, 0), (64, 0), (0, -41), (0, 100)])
    def test_a_thing_wholly_beyond_the_frame_is_not_seen(self, place: tuple[int, int]) -> None:
        scene = self.scene()
        paste(scene, self.THING, disc(40, 19), *place)
        assert (scene == GREY).all()
