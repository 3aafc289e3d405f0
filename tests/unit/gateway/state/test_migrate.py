"""What the migrations make is exactly what tables.py says, on both databases."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.common.server import StartError
from services.gateway.state import migrate, schema
from services.gateway.state.database import Database
from services.gateway.state.tables import Base
from tests.helpers.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
async def own_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """One whose tables the test may change."""
    if request.param == "sqlite":
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'own.db'}")
    else:
        database = Database(request.getfixturevalue("postgres").create_database(f"own_{uuid.uuid4().hex}"))
    await database.migrate()
    yield database
    await database.close()


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


async def test_the_newest_revision_has_exactly_the_tables(database: Database) -> None:
    async with database.read() as session:
        assert await (await session.connection()).run_sync(differences) == []


async def test_a_missing_column_would_be_seen(own_database: Database) -> None:
    async with own_database.begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN label")
        assert await connection.run_sync(differences) != []


async def test_migrating_again_changes_nothing(database: Database) -> None:
    await database.check()
    await database.migrate()
    await database.check()


async def test_several_that_migrate_at_once_wait_for_each_other(postgres: Postgres, tmp_path: Path) -> None:
    for url in (postgres.create_database("migrated_at_once"), f"sqlite+aiosqlite:///{tmp_path / 'at-once.db'}"):
        replicas = [Database(url) for _ in range(3)]
        await asyncio.gather(*(replica.migrate() for replica in replicas))
        await replicas[0].check()
        await asyncio.gather(*(replica.close() for replica in replicas))


async def test_a_database_without_tables_is_refused_with_the_command_that_helps(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(StartError, match=r"no tables.*python -m services\.gateway\.state\.migrate --database-url URL"):
        await database.check()
    await database.close()


async def test_a_database_of_another_version_is_refused(own_database: Database) -> None:
    async with own_database.begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StartError, match=rf"revision 0000, this version needs {schema.newest_revision()}"):
        await own_database.check()


def test_the_command_needs_a_url(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GATEWAY_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit):
        migrate.main([])
    assert "--database-url or GATEWAY_DATABASE_URL is needed" in capsys.readouterr().err


def test_the_command_says_what_is_wrong_with_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    assert migrate.main(["--database-url", "mysql://root@localhost/packshot"]) == 1
    assert "use sqlite+aiosqlite:///FILE or postgresql+asyncpg://" in capsys.readouterr().err
