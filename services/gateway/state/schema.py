"""Which revision of the tables a database has, and how it gets the newest; see migrations/."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text


def revision(connection: Connection) -> str | None:
    """The revision of the connection's database; None when it has no tables."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision this version of the code needs."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise RuntimeError("services/gateway/state/migrations has no revision: the installation is not complete")
    return newest


def upgrade(connection: Connection) -> None:
    """Brings the tables to the newest revision, in the connection's transaction."""
    if connection.dialect.name == "postgresql":
        # Several replicas may try at once. SQLite's transaction for writing excludes others by itself.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('packshot.migrate'))"))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
