"""Real databases with the newest tables: a SQLite file and a PostgreSQL database of its own for each test."""

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.gateway.state import migrate
from services.gateway.state.database import Database
from tests.helpers.postgres import Postgres

_TEMPLATE = "packshot_template"


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
def postgresql_template(postgres: Postgres) -> str:
    _migrate(postgres.create_database(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def postgresql_url(postgres: Postgres, postgresql_template: str) -> Iterator[str]:
    """A PostgreSQL database with tables and nothing in them."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.create_database(name, postgresql_template)
    postgres.drop_database(name)


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
