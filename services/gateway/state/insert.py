"""INSERT ... ON CONFLICT, which SQLite and PostgreSQL spell alike and SQLAlchemy keeps in two places."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.tables import Base


def insert(session: AsyncSession, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return sqlite.insert(table) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(table)


async def insert_unless_there(session: AsyncSession, table: type[Base], **values: Any) -> bool:
    """Adds a row; False when it would break a unique constraint. Waits for who is adding the same row just now."""
    key = next(iter(table.__table__.primary_key))
    added = await session.execute(insert(session, table).values(**values).on_conflict_do_nothing().returning(key))
    return added.first() is not None
