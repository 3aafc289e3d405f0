"""Generated surroundings."""

import numpy as np

from bench.scenes.lighting import directions, surroundings, toward

FORWARD = toward(0, -20)


def test_directions_follow_the_map() -> None:
    where = directions()
    assert np.allclose(np.linalg.norm(where, axis=2), 1)
    assert (where[0, :, 2] > 0.99).all()
    assert where[24, 0] @ (0, 1, 0) > 0.99  # the first column looks away from the camera
    assert where[24, 24] @ (1, 0, 0) > 0.99  # a quarter turn on: to the right


def test_light_is_finite_and_the_backdrop_plain() -> None:
    for seed in range(40):
        sky = surroundings(np.random.default_rng(seed), FORWARD)
        assert np.isfinite(sky).all()
        assert (sky >= 0).all()
        behind = sky[directions() @ FORWARD > np.cos(np.radians(24))]
        assert np.ptp(behind, axis=0).max() < 1e-5
        assert sky.max() < 400


def test_the_same_seed_lights_the_same_way() -> None:
    first, second, other = (surroundings(np.random.default_rng(seed), FORWARD) for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
