"""How long a broken connection is taken up again before it counts as lost."""

import time
from typing import Final

from packshot.client._streams import next_try_s
from packshot.errors import PackshotError, ResourceExhaustedError, UnavailableError

PATIENCE_S: Final = 300.0
"""As long as a gateway takes to be replaced, several times over."""


class Reconnects:
    """Waits that grow while a call fails, until patience ends.

    A gateway that never answered at all is not waited for: its address is more likely wrong. One that asks to be called
    later, and says when, is.

    Args:
        patience_s: How long a gateway may be away in one go.
        answered: It did answer, a moment ago.
    """

    def __init__(self, patience_s: float = PATIENCE_S, *, answered: bool = False) -> None:
        self._patience_s = patience_s
        self._answered = answered
        self._breaks = 0
        self._give_up_at = 0.0

    def worked(self) -> None:
        """Something came through: patience begins anew with the next break."""
        self._answered, self._breaks = True, 0

    def wait(self, error: PackshotError) -> None:
        """Waits before the next try; raises the error when there shall be none."""
        time.sleep(self.wait_s(error))

    def wait_s(self, error: PackshotError) -> float:
        """How long to wait before the next try; raises the error when there shall be none."""
        later = error.retry_after_s if isinstance(error, ResourceExhaustedError) else None
        nobody_there = error.reason == "SERVER_UNREACHABLE" and not self._answered
        if nobody_there or not (isinstance(error, UnavailableError) or later is not None):
            raise error
        if self._breaks == 0:
            self._give_up_at = time.monotonic() + self._patience_s
        self._breaks += 1
        wait_s = max(next_try_s(self._breaks), later or 0.0)
        if time.monotonic() + wait_s > self._give_up_at:
            raise error
        return wait_s
