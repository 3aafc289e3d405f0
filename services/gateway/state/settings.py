"""Where the database is."""

import sys

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.settings import SecretsInFiles


class DatabaseSettings(SecretsInFiles):
    """The database of the gateway and of the commands that look after it."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME: API keys, limits, jobs, reviews;"
        " with ?ssl=verify-full PostgreSQL must encrypt, and PGSSLROOTCERT names the file with who signed for it",
    )


def known_database_url() -> str:
    """What settings say, for a command; ends it with words when they cannot be read."""
    try:
        return DatabaseSettings().database_url.get_secret_value()
    except ValueError as error:
        sys.exit(str(error))
