"""Backdrops and the shadow on them."""

import numpy as np
import pytest

from bench.scenes import backdrops
from bench.scenes.backdrops import BACKDROPS, Sprite, Stage, paint, stage
from bench.scenes.lighting import surroundings
from bench.scenes.shapes import ball, box
from bench.scenes.silhouette import View, framed


@pytest.fixture(scope="module")
def ground() -> Stage:
    thing = box((4, 4, 6), 0.2).moved((0, 0, 3))
    crop = framed([thing], 10, 15, 0, 8, 100)
    view = View(crop.position, crop.axes, crop.focal_px, crop.left_px - 60, crop.top_px - 50, 240, 220)
    return stage(view, [thing], [], surroundings(np.random.default_rng(0), view.axes[2]), 2.0)


def sprite() -> Sprite:
    return Sprite(np.full((30, 20, 3), 0.4, np.float32), np.ones((30, 20), np.float32))


def test_the_floor_lies_below_the_wall(ground: Stage) -> None:
    assert ground.floor[-1].all()
    assert not ground.floor[0].any()
    assert (np.diff(ground.floor, axis=0) >= -1e-6).mean() > 0.999
    assert (np.diff(ground.along[:, 120]) < 0).all()  # away from the camera, then up the wall


def test_the_shadow_falls_on_the_floor_beside_the_product(ground: Stage) -> None:
    assert ground.lit.min() < 0.4
    assert ground.lit[:30].min() > 0.7
    assert ((ground.lit >= 0) & (ground.lit <= 1)).all()


def test_glass_throws_less_of_a_shadow() -> None:
    thing = ball((3, 3, 3)).moved((0, 0, 3))
    view = framed([thing], 0, 20, 0, 8, 120)
    sky = surroundings(np.random.default_rng(1), view.axes[2])
    dense, clear = stage(view, [thing], [], sky, 2.0), stage(view, [], [thing], sky, 2.0)
    assert (1 - clear.lit).sum() == pytest.approx(0.3 * (1 - dense.lit).sum(), rel=1e-3)


@pytest.mark.parametrize("name", BACKDROPS)
def test_every_backdrop_is_light_and_depends_on_its_seed(name: str, ground: Stage) -> None:
    first, again, other = (paint(name, np.random.default_rng(seed), ground, [sprite()]) for seed in (4, 4, 5))
    assert first.shape == (*ground.shape, 3)
    assert first.dtype == np.float32
    assert ((first >= 0) & (first <= 1)).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_srgb_is_decoded() -> None:
    assert backdrops.decode([0, 188, 255]) == pytest.approx([0.0, 0.503, 1.0], abs=1e-3)
