from tests.helpers.database import (
    database,
    database_url,
    migrated_postgresql_url,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)

__all__ = [
    "database",
    "database_url",
    "migrated_postgresql_url",
    "postgresql_url",
    "sqlite_template",
    "sqlite_url",
]
