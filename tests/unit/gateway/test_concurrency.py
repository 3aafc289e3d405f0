"""The limit follows what stages can take, shown on simulated ones: no clock runs but the one given here."""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

import pytest

from services.gateway import concurrency
from services.gateway.concurrency import FIRST, LEAST, ConcurrencyLimit, Visit

TARGET_S = 1.0


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(concurrency, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def limit() -> ConcurrencyLimit:
    return ConcurrencyLimit(most=64, target_wait_s=TARGET_S)


class House:
    """A gateway before stages, each a queue for some workers; photos come at random moments, and go if it is full.

    Attributes:
        answered: When photos were, and how long each took.
    """

    def __init__(
        self,
        limit: ConcurrencyLimit,
        clock: Clock,
        stages: Sequence[tuple[int, float]],
        deadline_s: float = math.inf,
    ) -> None:
        """`stages` are (workers, seconds a photo takes on average)."""
        self._deadline_s = deadline_s
        self.answered: list[tuple[float, float]] = []
        self._limit = limit
        self._clock = clock
        self._works = [work_s for _, work_s in stages]
        self._free = [workers for workers, _ in stages]
        self._queues: list[deque[tuple[Visit, float]]] = [deque() for _ in stages]
        self._inside = 0
        self._chance = random.Random(6)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def run(self, rate: float, duration_s: float) -> None:
        end_s = self._clock.now + duration_s
        self._after(0.0, lambda: self._arrive(rate))
        while self._events[0][0] < end_s:
            self._clock.now, _, happens = heapq.heappop(self._events)
            happens()

    def answered_per_s(self, begin_s: float, end_s: float) -> float:
        return sum(begin_s <= moment < end_s for moment, _ in self.answered) / (end_s - begin_s)

    def _after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._clock.now + seconds, next(self._number), happens))

    def _arrive(self, rate: float) -> None:
        self._after(self._chance.expovariate(rate), lambda: self._arrive(rate))
        if self._inside < self._limit.value:
            self._inside += 1
            self._queue(0, Visit(self._clock.now))

    def _queue(self, stage: int, visit: Visit) -> None:
        if self._is_late(visit):
            visit.in_vain()
        if self._is_late(visit) or stage == len(self._queues):
            self._limit.learn(visit, self._inside)
            self._inside -= 1
            if not self._is_late(visit):
                self.answered.append((self._clock.now, self._clock.now - visit.entered_at))
            return
        self._queues[stage].append((visit, self._clock.now))
        self._work(stage)

    def _work(self, stage: int) -> None:
        if self._free[stage] and self._queues[stage]:
            visit, since = self._queues[stage].popleft()
            if self._is_late(visit):
                self._queue(len(self._queues), visit)
                self._work(stage)
                return
            visit.waited_s += self._clock.now - since
            self._free[stage] -= 1
            self._after(self._works[stage] * self._chance.uniform(0.6, 1.4), lambda: self._done(stage, visit))

    def _is_late(self, visit: Visit) -> bool:
        return self._clock.now - visit.entered_at > self._deadline_s

    def _done(self, stage: int, visit: Visit) -> None:
        self._free[stage] += 1
        self._queue(stage + 1, visit)
        self._work(stage)


@pytest.mark.parametrize(
    "stages",
    [
        [(1, 0.75), (1, 1.5), (1, 0.7)],
        [(2, 0.1), (2, 0.3), (2, 0.1)],
        [(8, 0.7), (16, 1.5), (8, 0.7)],
        [(1, 1.0), (4, 1.0), (1, 0.5)],
    ],
)
def test_at_five_times_their_capacity_stages_stay_busy_and_queues_short(
    limit: ConcurrencyLimit, clock: Clock, stages: list[tuple[int, float]]
) -> None:
    house = House(limit, clock, stages)
    capacity = min(workers / work_s for workers, work_s in stages)
    house.run(5 * capacity, 300.0)
    assert house.answered_per_s(60.0, 300.0) >= 0.95 * capacity
    assert house.answered_per_s(0.0, 60.0) >= 0.85 * capacity
    took_s = sorted(took_s for moment, took_s in house.answered if moment > 60.0)
    assert took_s[len(took_s) // 2] <= 2 * sum(work_s for _, work_s in stages) + 2 * TARGET_S


@pytest.mark.parametrize("deadline_s", [0.8, 1.2, 3.0])
def test_short_deadlines_are_met_by_letting_in_fewer(limit: ConcurrencyLimit, clock: Clock, deadline_s: float) -> None:
    house = House(limit, clock, [(2, 0.1), (2, 0.3), (2, 0.1)], deadline_s)
    capacity = 2 / 0.3
    house.run(5 * capacity, 300.0)
    assert house.answered_per_s(60.0, 300.0) >= 0.6 * capacity


def test_below_capacity_nobody_is_refused_for_long(limit: ConcurrencyLimit, clock: Clock) -> None:
    house = House(limit, clock, [(8, 1.0), (8, 1.0), (8, 1.0)])
    house.run(6.0, 300.0)
    assert house.answered_per_s(60.0, 300.0) >= 0.95 * 6.0


def test_photos_that_take_long_may_wait_long(limit: ConcurrencyLimit, clock: Clock) -> None:
    clock.now = 30.0
    limit.learn(Visit(0.0, waited_s=9.0), inside=FIRST)
    assert limit.value == FIRST + 1
    limit.learn(Visit(0.0, waited_s=15.0), inside=FIRST)
    assert limit.value < FIRST


def test_one_full_house_is_one_reason_to_let_in_fewer(limit: ConcurrencyLimit, clock: Clock) -> None:
    clock.now = 5.0
    for _ in range(FIRST):
        limit.learn(Visit(0.0, waited_s=4.0), inside=FIRST)
    assert limit.value == int(FIRST * 0.8)


def test_photos_let_in_in_vain_are_a_reason_too_but_never_to_close(limit: ConcurrencyLimit, clock: Clock) -> None:
    for second in range(100):
        clock.now = second
        visit = Visit(clock.now)
        visit.in_vain()
        clock.now += 0.5
        limit.learn(visit, inside=limit.value)
    assert limit.value == LEAST


def test_a_few_with_hopeless_deadlines_keep_nobody_out(limit: ConcurrencyLimit, clock: Clock) -> None:
    for second in range(100):
        clock.now = second
        visit = Visit(clock.now)
        visit.in_vain()
        clock.now += 0.05
        limit.learn(visit, inside=2)
    assert limit.value >= 4


def test_a_house_that_is_not_full_says_nothing_about_more(limit: ConcurrencyLimit, clock: Clock) -> None:
    for _ in range(100):
        limit.learn(Visit(0.0), inside=3)
    assert limit.value == FIRST


def test_the_setting_holds_below_the_least(clock: Clock) -> None:
    limit = ConcurrencyLimit(most=1, target_wait_s=TARGET_S)
    clock.now = 5.0
    limit.learn(Visit(0.0, waited_s=4.0), inside=1)
    assert limit.value == 1
