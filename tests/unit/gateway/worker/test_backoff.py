"""Waits grow, are spread, and end somewhere."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.worker.backoff import delay_s


def test_waits_double() -> None:
    chance = random.Random(5)
    means = [sum(delay_s(n, 2.0, chance) for _ in range(2000)) / 2000 for n in (1, 2, 3, 4)]
    for mean, expected in zip(means, (2, 4, 8, 16), strict=True):
        assert abs(mean / expected - 1) < 0.05


@given(st.integers(1, 10_000), st.floats(0.001, 60), st.integers())
def test_every_wait_is_spread_by_a_third_and_bounded(failures: int, first_s: float, seed: int) -> None:
    wait_s = delay_s(failures, first_s, random.Random(seed))
    assert first_s * 2 / 3 <= wait_s <= 800
