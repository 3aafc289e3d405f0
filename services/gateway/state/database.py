"""The connection to the database: transactions on SQLite and PostgreSQL alike, tried again when they collide."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")


class Database:
    """One database, shared by everything in this process.

    Args:
        url: sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME.
    """

    def __init__(self, url: str) -> None:
        raise NotImplementedError

    async def check(self) -> None:
        """Raises StartError, which names the command that helps, when the tables are missing or not of this version."""
        raise NotImplementedError

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """A transaction that writes; committed at the end, rolled back on an error.

        Prefer `write`, which tries again. Objects stay readable after the end.

        Raises:
            UnavailableError: The database does not answer, or two transactions collided.
        """
        raise NotImplementedError
        yield

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that only reads. Objects stay readable after the end.

        Raises:
            UnavailableError: The database does not answer.
        """
        raise NotImplementedError
        yield

    async def write(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Runs `work(session)` in a transaction, again (for some seconds) when it collided or lost the connection.

        `work` may therefore run several times, and its commit may have been done although it is run again; the
        functions of services/gateway/state allow that.

        Raises:
            UnavailableError: It did not help.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Closes all connections."""
        raise NotImplementedError
