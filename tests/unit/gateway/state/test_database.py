import asyncio

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.server import StartError
from services.gateway.state import leases, tenants
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from services.gateway.state.tables import Tenant
from tests.helpers.postgres import Postgres
from tests.helpers.state import NOW


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite://", "sqlite:///packshot.db", "postgresql://localhost/packshot", "no url"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StartError):
        Database(url)


def test_the_password_is_not_shown() -> None:
    with pytest.raises(StartError) as refused:
        Database("postgresql+psycopg://packshot:secret@db/packshot")
    assert "secret" not in str(refused.value)


async def test_a_transaction_that_breaks_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError, match="broke"):
        async with database.begin() as session:
            await tenants.ensure(session, "acme", NOW)
            raise RuntimeError("it broke")
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Tenant)) == 0


async def test_mistakes_are_not_tried_again(database: Database) -> None:
    tries = 0

    async def mistake(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        await session.execute(text("INSERT INTO task_leases (task) VALUES ('dispatch')"))

    with pytest.raises(IntegrityError):
        await database.write(mistake)
    assert tries == 1


async def test_rows_must_belong_to_something_that_is_there(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.begin() as session:
            await session.execute(
                text("INSERT INTO call_leases (id, tenant, expires_at) VALUES ('1', 'nobody', '2026-01-01')")
            )


async def test_writers_that_collide_are_tried_again(postgresql_url: str) -> None:
    """Two transactions lock two rows the other way round: PostgreSQL ends one, and it is done all the same."""
    databases = [Database(postgresql_url) for _ in range(2)]
    for task in ("a", "b"):
        await databases[0].write(lambda s, t=task: leases.hold(s, t, "nobody", NOW, 0))  # type: ignore[misc]
    both_hold_one = asyncio.Barrier(2)
    tries = 0

    async def take(database: Database, tasks: tuple[str, str], owner: str) -> None:
        async def work(session: AsyncSession) -> None:
            nonlocal tries
            tries += 1
            await leases.hold(session, tasks[0], owner, NOW, 0)
            if tries <= 2:
                await both_hold_one.wait()
            await leases.hold(session, tasks[1], owner, NOW, 0)

        await database.write(work)

    await asyncio.gather(take(databases[0], ("a", "b"), "one"), take(databases[1], ("b", "a"), "two"))
    assert tries == 3
    await asyncio.gather(*(database.close() for database in databases))


async def test_a_database_that_restarts_is_waited_for(postgres: Postgres, postgresql_url: str) -> None:
    database = Database(postgresql_url)
    await database.write(lambda session: tenants.ensure(session, "before", NOW))
    postgres.stop()
    with pytest.raises(UnavailableError):
        async with database.read() as session:
            await session.scalar(select(func.count()).select_from(Tenant))
    writing = asyncio.create_task(database.write(lambda session: tenants.ensure(session, "after", NOW)))
    await asyncio.sleep(0.1)
    assert not writing.done()
    await asyncio.to_thread(postgres.start)
    await writing
    async with database.read() as session:
        assert set(await session.scalars(select(Tenant.name))) == {"before", "after"}
    await database.close()


async def test_readers_do_not_wait_for_a_writer(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    async with database.begin() as writer:
        await tenants.ensure(writer, "acme", NOW)
        await writer.flush()
        async with asyncio.timeout(5), database.read() as reader:
            assert await reader.scalar(select(func.count()).select_from(Tenant)) == 0
    await database.close()
