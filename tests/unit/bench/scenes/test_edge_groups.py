"""The sixty scenes: what the benchmark promises, and sound products whatever happens to the seed."""

import numpy as np
import pytest

from bench.scenes.backdrops import BACKDROPS
from bench.scenes.edge_groups import GROUPS, SCENES, SUBSET
from bench.scenes.scenes import Part


def test_six_groups_of_ten_on_all_backdrops() -> None:
    for group in GROUPS:
        scenes = [scene for scene in SCENES.values() if scene.group == group]
        assert len(scenes) == 10
        assert {scene.backdrop for scene in scenes} == set(BACKDROPS)
    assert len({scene.seed for scene in SCENES.values()}) == 60


def test_the_subset_has_two_of_each_group_on_all_backdrops() -> None:
    chosen = [SCENES[name] for name in SUBSET]
    assert sorted(scene.group for scene in chosen) == sorted(2 * GROUPS)
    assert {scene.backdrop for scene in chosen} == set(BACKDROPS)


@pytest.mark.parametrize("name", SCENES)
def test_every_product_is_sound(name: str) -> None:
    scene = SCENES[name]
    for thing in scene.draw(np.random.default_rng(scene.seed)):
        if isinstance(thing, Part):
            assert np.isfinite(thing.mesh.vertices).all()
            assert np.linalg.norm(thing.mesh.normals, axis=1) == pytest.approx(1, abs=1e-6)
            assert 0 <= thing.mesh.faces.min() <= thing.mesh.faces.max() < len(thing.mesh.vertices)
        else:
            assert np.isfinite(thing.points).all()
            assert (thing.widths > 0).all()
            assert thing.points.shape == (*thing.widths.shape, 3)
            assert len(thing.normals) == len(thing.points)
