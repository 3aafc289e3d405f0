"""A database with its tables, and API keys and limits in it, as whoever runs a gateway makes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.gateway import keys
from services.gateway.caller import TENANT_SCOPES
from services.gateway.state import tenants
from services.gateway.state.database import Database
from services.gateway.state.tenants import Limits


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def new_database(folder: Path) -> str:
    """The URL of a new SQLite database with all tables."""
    url = f"sqlite+aiosqlite:///{folder}/gateway.db"
    async with opened(url) as database:
        await database.migrate()
    return url


async def new_key(url: str, tenant: str, *scopes: str) -> str:
    """A key with the scopes, a tenant's unless told; the tenant is made if it is new."""
    return (await new_key_with_id(url, tenant, *scopes))[1]


async def new_key_with_id(url: str, tenant: str, *scopes: str) -> tuple[str, str]:
    async with opened(url) as database:
        granted = scopes or TENANT_SCOPES
        return await database.write(lambda session: keys.add(session, tenant, granted, datetime.now(UTC)))


async def revoke(url: str, key_id: str) -> None:
    async with opened(url) as database:
        assert await database.write(lambda session: tenants.revoke_key(session, key_id, datetime.now(UTC)))


async def limit(database: Database, tenant: str, limits: Limits) -> None:
    """Makes the tenant, if it is new, and sets its limits."""
    now = datetime.now(UTC)

    async def work(session: Any) -> None:
        await tenants.ensure(session, tenant, now)
        found = await tenants.find(session, tenant)
        assert found is not None
        await tenants.set_limits(session, found, limits, now)

    await database.write(work)


def as_caller(key: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call with the key."""
    return (("x-api-key", key),)
