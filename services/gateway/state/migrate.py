"""Brings a database's tables to this version: `python -m services.gateway.state.migrate --database-url URL`.

Run it before the gateway of a new version starts; in a cluster as a Job. Running it again changes nothing.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from services.common.server import StartError
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from services.gateway.state.settings import known_database_url


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway.state.migrate", description=__doc__)
    parser.add_argument(
        "--database-url",
        default=known_database_url(),
        help="sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME; GATEWAY_DATABASE_URL unless told, as"
        " passwords are",
    )
    url = parser.parse_args(argv).database_url
    if not url:
        parser.error("--database-url or GATEWAY_DATABASE_URL is needed")
    try:
        asyncio.run(_migrate(url))
    except (StartError, UnavailableError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        await database.migrate()
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
