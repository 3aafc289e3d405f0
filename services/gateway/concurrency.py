"""How many photos may be in work at the same time: as many as the stages take on without long queues.

Additive increase, multiplicative decrease: D.-M. Chiu and R. Jain, "Analysis of the increase and decrease algorithms
for congestion avoidance in computer networks", Computer Networks and ISDN Systems 17(1), 1989. What tells of congestion
is how long photos waited in the stages' queues, as the stages say themselves: the size of photos and the number of
replicas do not matter to it, and several gateways before the same stages come to share them evenly.
"""

from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Final

FIRST: Final = 8
"""The limit before anything is known of the stages."""
LEAST: Final = 2
"""With fewer in work the stages would take turns."""
_DECREASE: Final = 0.8
_SHARE_OF_WORK: Final = 0.5
"""A photo that is worked on for long may wait for long."""


@dataclass(slots=True)
class Visit:
    """A photo's time in the house.

    Attributes:
        entered_at: On the monotonic clock, in seconds.
        waited_s: In the stages' queues so far; inf when it was let in in vain.
    """

    entered_at: float = field(default_factory=monotonic)
    waited_s: float = 0.0

    def in_vain(self) -> None:
        """A stage would not even let it wait, or its deadline has passed."""
        self.waited_s = inf


class ConcurrencyLimit:
    """Follows what the stages can take.

    Args:
        most: The limit's limit.
        target_wait_s: Photos may wait this long in the stages' queues, all stages together, or half as long as they
            are worked on if that is longer.
    """

    def __init__(self, most: int, target_wait_s: float) -> None:
        self._most = most
        self._target_wait_s = target_wait_s
        self._value = float(min(FIRST, most))
        self._decreased_at: float | None = None

    @property
    def value(self) -> int:
        """Photos that may be in work."""
        return int(self._value)

    def learn(self, visit: Visit, inside: int) -> None:
        """Takes in what became of a photo that leaves; `inside` are in work still, with it."""
        if inside <= self._value / 2:
            # Whatever it waited for, it was not for too many of ours: a few with hopeless deadlines keep nobody out.
            return
        now = monotonic()
        worked_s = now - visit.entered_at - visit.waited_s
        if visit.waited_s > max(self._target_wait_s, _SHARE_OF_WORK * worked_s):
            # Those that came in before the last decrease say nothing about what it has done.
            if self._decreased_at is None or visit.entered_at > self._decreased_at:
                self._value = max(self._value * _DECREASE, min(LEAST, self._most))
                self._decreased_at = now
        elif self._decreased_at is None:
            # Twice as many from houseful to houseful: nothing is known of the stages yet ("slow start").
            self._value = min(self._value + 1.0, self._most)
        elif inside >= self.value:
            self._value = min(self._value + 1.0 / self._value, self._most)
