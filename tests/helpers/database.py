"""Real databases with the newest tables: a SQLite file for each test, and an emptied PostgreSQL."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from services.gateway.state import migrate
from services.gateway.state.database import Database
from services.gateway.state.tables import Base
from tests.helpers.postgres import Postgres

_DATABASE = "packshot"


def _migrate(url: str) -> None:
    assert migrate.main(["--database-url", url]) == 0


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite+aiosqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database with tables and nothing in them."""
    file = tmp_path / "packshot.db"
    shutil.copy(sqlite_template, file)
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture(scope="session")
def migrated_postgresql_url(postgres: Postgres) -> str:
    url = postgres.create_database(_DATABASE)
    _migrate(url)
    return url


@pytest.fixture
def postgresql_url(postgres: Postgres, migrated_postgresql_url: str) -> Iterator[str]:
    """A PostgreSQL database with tables and nothing in them; the tables must stay as they are."""
    yield migrated_postgresql_url
    # Emptying it is much quicker than a new database.
    postgres.disconnect_all(_DATABASE)
    postgres.run("".join(f"{delete(table)};" for table in reversed(Base.metadata.sorted_tables)), _DATABASE)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both, one after the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Both, one after the other, opened."""
    opened = Database(database_url)
    yield opened
    await opened.close()
