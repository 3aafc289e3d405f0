from tests.helpers.database import (
    database,
    database_url,
    postgresql_template,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)
from tests.helpers.postgres import postgres

__all__ = [
    "database",
    "database_url",
    "postgres",
    "postgresql_template",
    "postgresql_url",
    "sqlite_template",
    "sqlite_url",
]
