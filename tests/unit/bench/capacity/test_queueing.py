import heapq
import math
import random

import pytest

from bench.capacity.queueing import mean_wait_s, waiting_share, workers_for


@pytest.mark.parametrize(
    ("workers", "load", "share"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (5, 4.0, 0.5541), (10, 8.0, 0.4092)],
)
def test_erlang_c_is_that_of_the_tables(workers: int, load: float, share: float) -> None:
    assert waiting_share(workers, load) == pytest.approx(share, abs=1e-4)


def test_one_worker_is_pollaczek_and_khinchine() -> None:
    constant = mean_wait_s(rate=0.8, work_s=1.0, workers=1, work_cv2=0.0)
    assert constant == pytest.approx(0.8 / (2 * 0.2))
    assert mean_wait_s(rate=0.8, work_s=1.0, workers=1, work_cv2=1.0) == pytest.approx(2 * constant)


def test_who_cannot_keep_up_keeps_everybody_waiting() -> None:
    assert mean_wait_s(rate=2.0, work_s=1.0, workers=2) == math.inf


@pytest.mark.parametrize(("workers", "busy"), [(2, 0.6), (4, 0.8)])
def test_it_is_near_a_simulated_queue(workers: int, busy: float) -> None:
    """Photos' work is spread evenly over 0.5 to 1.5 s, whose squared coefficient of variation is 1/12."""
    chance = random.Random(6)
    rate = busy * workers
    free_at = [0.0] * workers
    now, waits = 0.0, []
    for _ in range(20_000):
        now += chance.expovariate(rate)
        begins = max(now, heapq.heappop(free_at))
        heapq.heappush(free_at, begins + chance.uniform(0.5, 1.5))
        waits.append(begins - now)
    assert mean_wait_s(rate, 1.0, workers, 1 / 12) == pytest.approx(sum(waits) / len(waits), rel=0.25)


def test_the_fewest_workers_that_do() -> None:
    workers = workers_for(10.0, 1.0, 1.0, longest_wait_s=0.2, busiest=0.9)
    assert mean_wait_s(10.0, 1.0, workers) <= 0.2 < mean_wait_s(10.0, 1.0, workers - 1)
    assert workers_for(10.0, 1.0, 1.0, longest_wait_s=10.0, busiest=0.5) == 20
    assert workers_for(0.001, 1.0, 1.0, longest_wait_s=10.0, busiest=0.5) == 1
