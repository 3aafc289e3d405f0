from collections.abc import AsyncIterator

import pytest

from tests.helpers.database import (
    database,
    database_url,
    migrated_postgresql_url,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)
from tests.helpers.gateway import Gateway, running_gateway
from tests.helpers.postgres import postgres
from tests.helpers.stages import Stages

__all__ = [
    "database",
    "database_url",
    "migrated_postgresql_url",
    "postgres",
    "postgresql_url",
    "sqlite_template",
    "sqlite_url",
]


@pytest.fixture
async def stages() -> AsyncIterator[Stages]:
    async with Stages.running() as running:
        yield running


@pytest.fixture
async def gateway(stages: Stages) -> AsyncIterator[Gateway]:
    async with running_gateway(stages) as running:
        yield running
