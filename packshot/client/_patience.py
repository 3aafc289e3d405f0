"""How a single call is repeated within its timeout: when the gateway is full, or away for a moment."""

import random
import time
from typing import Final

from packshot.errors import PackshotError, ResourceExhaustedError

AWAY_S: Final = 10.0
"""As long as a gateway's restart takes."""
_AWAY_AGAIN_S: Final = 0.5
_SPREAD: Final = 0.5


class Patience:
    """One call's.

    Who is refused waits as long as the gateway asks, and up to half as long again: those who were refused together
    shall not come again together. A gateway that never answered is not waited for: its address is more likely wrong.

    Args:
        timeout_s: For all tries together.
        answered: The gateway has answered before.
    """

    def __init__(self, timeout_s: float, *, answered: bool) -> None:
        self._answered = answered
        self._began = time.monotonic()
        self._timeout_s = timeout_s

    def left_s(self) -> float:
        """What the next try may take."""
        return max(self._began + self._timeout_s - time.monotonic(), 0.0)

    def wait_s(self, error: PackshotError) -> float:
        """How long to wait before the next try; raises the error when there shall be none."""
        if isinstance(error, ResourceExhaustedError) and error.retry_after_s is not None:
            wait_s = error.retry_after_s * (1 + _SPREAD * random.random())  # noqa: S311 - only spreads waits  # nosec B311
        elif error.reason == "SERVER_UNREACHABLE" and self._answered and self._timeout_s - self.left_s() < AWAY_S:
            wait_s = _AWAY_AGAIN_S
        else:
            raise error
        if wait_s >= self.left_s():
            raise error
        return wait_s
