"""What runs beside the calls for as long as the gateway does: started again when it dies, and seen in its health."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog

log = structlog.get_logger()

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0
_STEADY_S: Final = 60.0
"""Who has run for this long has not died again, but anew."""
_DEATHS_TILL_ILL: Final = 4


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[None]
    deaths: int = 0
    """In a row."""


class Background:
    """Tasks that run until the stop.

    A task that ends with an exception is logged and started again, after a pause that grows. What it needs and finds
    away (`away` says so of an exception) is waited for in the same way, and does not make the gateway ill.
    """

    def __init__(self, away: Callable[[BaseException], bool]) -> None:
        self._away = away
        self._running: dict[str, _Running] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work`; `name` is for the log. One that returns by itself is done."""
        running = _Running(asyncio.create_task(self._keep_running(name, work), name=name))
        self._running[name] = running

    def healthy(self) -> bool:
        """No task dies again and again."""
        return all(running.deaths < _DEATHS_TILL_ILL for running in self._running.values())

    async def stop(self) -> None:
        """Cancels all and waits for them."""
        for running in self._running.values():
            running.task.cancel()
        await asyncio.gather(*(running.task for running in self._running.values()), return_exceptions=True)
        self._running.clear()

    async def _keep_running(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            started = monotonic()
            try:
                await work()
            except Exception as error:  # whatever it died of, it must run
                steady = monotonic() - started > _STEADY_S
                pause_s = _FIRST_PAUSE_S if steady else min(pause_s * 2, _LONGEST_PAUSE_S)
                self._note(name, error, steady, pause_s)
            else:
                return
            await asyncio.sleep(pause_s)

    def _note(self, name: str, error: Exception, steady: bool, pause_s: float) -> None:
        if self._away(error):
            log.warning("waiting for what is away", task=name, error=repr(error), pause_s=pause_s)
            return
        running = self._running[name]
        running.deaths = 1 if steady else running.deaths + 1
        log.error("a background task died", task=name, deaths=running.deaths, pause_s=pause_s, exc_info=error)
