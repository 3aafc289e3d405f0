"""Photos sent as callers do, and what became of each."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np

from packshot.errors import PackshotError, ResourceExhaustedError

Send = Callable[[], Awaitable[object]]
"""Sends one photo. Raises PackshotError."""

_AGAIN_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Sent:
    """One photo, with times in seconds on one clock.

    Attributes:
        error: None when it was answered.
    """

    sent_s: float
    ended_s: float
    error: PackshotError | None

    @property
    def took_s(self) -> float:
        return self.ended_s - self.sent_s

    @property
    def is_refused(self) -> bool:
        """Turned away with a word on when to come again."""
        return isinstance(self.error, ResourceExhaustedError) and self.error.retry_after_s is not None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was sent in one go, and for how long."""

    sent: Sequence[Sent]
    duration_s: float

    @property
    def answered(self) -> list[Sent]:
        return [one for one in self.sent if one.error is None]

    @property
    def refused(self) -> list[Sent]:
        return [one for one in self.sent if one.is_refused]

    @property
    def failures(self) -> Counter[str]:
        """Errors that were no refusals, by reason."""
        return Counter(one.error.reason for one in self.sent if one.error is not None and not one.is_refused)

    def goodput(self) -> float:
        """Photos answered per second, of those whose answer came while it went on."""
        end_s = min((one.sent_s for one in self.sent), default=0.0) + self.duration_s
        return sum(one.ended_s <= end_s for one in self.answered) / self.duration_s

    def percentile_s(self, percent: float) -> float:
        """Of the time that answers took; nan without answers."""
        return percentile_s(self.answered, percent)


def percentile_s(sent: Sequence[Sent], percent: float) -> float:
    """Of the time they took; nan for none."""
    return float(np.percentile([one.took_s for one in sent], percent)) if sent else float("nan")


async def one(send: Send) -> Sent:
    """Sends one photo."""
    sent_s = perf_counter()
    error = None
    try:
        await send()
    except PackshotError as failure:
        error = failure
    return Sent(sent_s, perf_counter(), error)


async def closed_loop(send: Send, callers: int, duration_s: float) -> Traffic:
    """Callers who each send the next photo when the last is answered; who is refused tries again a moment later."""
    sent: list[Sent] = []
    started_s = perf_counter()

    async def caller() -> None:
        while perf_counter() - started_s < duration_s:
            outcome = await one(send)
            sent.append(outcome)
            if outcome.error is not None:
                await asyncio.sleep(_AGAIN_S)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return Traffic(sent, duration_s)


def random_moments(rate: float, duration_s: float, chance: random.Random) -> list[float]:
    """When callers who know nothing of each other send `rate` photos per second (Poisson): seconds from the start."""
    moments, at_s = [], chance.expovariate(rate)
    while at_s < duration_s:
        moments.append(at_s)
        at_s += chance.expovariate(rate)
    return moments


class OpenLoop:
    """Photos sent at their moments, answered or not.

    Args:
        moments: In seconds from now, in order.
        duration_s: How long it goes on, at least to the last moment.
    """

    def __init__(self, send: Send, moments: Sequence[float], duration_s: float) -> None:
        self._send = send
        self._moments = moments
        self._duration_s = duration_s
        self._running: list[asyncio.Task[Sent]] = []

    async def run(self) -> None:
        """To the end of its time; some photos may be in work then."""
        started_s = perf_counter()
        for moment in self._moments:
            await asyncio.sleep(max(started_s + moment - perf_counter(), 0.0))
            self._running.append(asyncio.create_task(one(self._send)))
        await asyncio.sleep(max(started_s + self._duration_s - perf_counter(), 0.0))

    async def outcome(self) -> Traffic:
        """When all are answered or refused."""
        return Traffic(await asyncio.gather(*self._running), self._duration_s)
