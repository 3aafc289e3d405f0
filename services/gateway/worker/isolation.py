"""Photos whose stage broke are tried again alone, so that the one that breaks it takes no others with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Isolation:
    """Many together, or one alone: who wants to be alone waits for those inside, and new ones wait for it."""

    def __init__(self) -> None:
        self._inside = 0
        self._want_to_be_alone = 0
        """Those that are, too."""
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Beside others."""
        await self._until(lambda: self._want_to_be_alone == 0)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._tell()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Beside nobody."""
        self._want_to_be_alone += 1
        try:
            await self._until(lambda: self._inside == 0)
            self._inside += 1
            try:
                yield
            finally:
                self._inside -= 1
        finally:
            self._want_to_be_alone -= 1
            self._tell()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
