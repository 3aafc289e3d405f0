"""The connection to the database: transactions on SQLite and PostgreSQL alike, tried again when they collide."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from services.common.server import StartError
from services.gateway.state import schema
from services.gateway.state.errors import UnavailableError

T = TypeVar("T")

_SQLITE: Final = "sqlite+aiosqlite"
_POSTGRESQL: Final = "postgresql+asyncpg"
_BUSY_TIMEOUT_S: Final = 10.0
_GIVE_UP_AFTER_S: Final = 15.0
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0

# PostgreSQL's codes: serialization failure, deadlock, lock not available, too many connections, server stops or starts.
_PASSING_SQLSTATES: Final = frozenset({"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"})
_CONNECTION_SQLSTATES: Final = "08"
_SQLITE_BUSY, _SQLITE_LOCKED = 5, 6


class Database:
    """One database, shared by everything in this process.

    Args:
        url: sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME.

    Raises:
        StartError: The URL is neither.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StartError(f"the database URL cannot be read: {error}") from error
        self._shown_url = parsed.render_as_string(hide_password=True)
        if parsed.drivername == _SQLITE and parsed.database not in (None, "", ":memory:"):
            if not Path(parsed.database or "").parent.is_dir():
                raise StartError(f"database URL {self._shown_url}: there is no such folder")
            # SQLite has one writer at a time: waiting for it in this process is fair, waiting at the file is not.
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", connections=1)
            self._reader = _sqlite_engine(url, "BEGIN", connections=4)
        elif parsed.drivername == _POSTGRESQL:
            self._writer = self._reader = create_async_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True)
        else:
            raise StartError(
                f"database URL {self._shown_url}: use {_SQLITE}:///FILE or {_POSTGRESQL}://USER:PASSWORD@HOST/NAME"
            )

    async def check(self) -> None:
        """Raises StartError, which names the command that helps, when the tables are missing or not of this version."""
        try:
            async with self.read() as session:
                found = await (await session.connection()).run_sync(schema.revision)
        except UnavailableError as error:
            raise StartError(str(error)) from error
        except DBAPIError as error:
            raise StartError(f"database {self._shown_url} cannot be used: {error.orig}") from error
        needed = schema.newest_revision()
        if found != needed:
            state = f"has revision {found}" if found else "has no tables yet"
            raise StartError(
                f"database {self._shown_url} {state}, this version needs {needed}: run "
                f"`python -m services.gateway.state.migrate --database-url URL`"
            )

    async def migrate(self) -> None:
        """Brings the tables to this version; several at once wait for each other."""
        async with self.begin() as session:
            await (await session.connection()).run_sync(schema.upgrade)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """A transaction that writes; committed at the end, rolled back on an error.

        Prefer `write`, which tries again. Objects stay readable after the end.

        Raises:
            UnavailableError: The database does not answer, or two transactions collided.
        """
        async with self._transaction(self._writer) as session:
            yield session

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that only reads. Objects stay readable after the end.

        Raises:
            UnavailableError: The database does not answer.
        """
        async with self._transaction(self._reader) as session:
            yield session

    async def write(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Runs `work(session)` in a transaction, again (for some seconds) when it collided or lost the connection.

        `work` may therefore run several times, and its commit may have been done although it is run again; the
        functions of services/gateway/state allow that.

        Raises:
            UnavailableError: It did not help.
        """
        give_up_at = time.monotonic() + _GIVE_UP_AFTER_S
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with self.begin() as session:
                    return await work(session)
            except UnavailableError:
                if time.monotonic() + pause_s > give_up_at:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def close(self) -> None:
        """Closes all connections."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            if isinstance(error, DBAPIError) and not _passes(error):
                raise
            raise UnavailableError(f"database {self._shown_url} is busy or does not answer: {error}") from error


def _sqlite_engine(url: str, begin: str, *, connections: int) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=60.0, connect_args={"timeout": _BUSY_TIMEOUT_S}
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        # The driver would begin transactions by itself, and too late; `_begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _passes(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is tried again."""
    if error.connection_invalidated:
        return True
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    if sqlstate in _PASSING_SQLSTATES or sqlstate.startswith(_CONNECTION_SQLSTATES):
        return True
    return (getattr(error.orig, "sqlite_errorcode", 0) & 0xFF) in (_SQLITE_BUSY, _SQLITE_LOCKED)
