"""What the commands of whoever runs the gateway have in common: a database, and answers in plain words."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.common.server import StartError
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from services.gateway.state.settings import known_database_url
from services.gateway.state.tenants import TenantNameError


class Answer(NamedTuple):
    """What is printed once it is done: `text` on stdout, `note` on stderr."""

    text: str
    note: str = ""


Action = Callable[[AsyncSession, argparse.Namespace], Awaitable[Answer]]


class CommandError(Exception):
    """The command cannot do what it was asked for; the message says why."""


def add_action(actions: Any, name: str, action: Action, help_text: str) -> argparse.ArgumentParser:
    """A subcommand that does something in one transaction of the database that --database-url names."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=help_text)
    parser.set_defaults(action=action)
    known = known_database_url()
    parser.add_argument(
        "--database-url", default=known, required=not known, help="the gateway's; GATEWAY_DATABASE_URL unless told"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Does what the command line says: 0 when done, 2, and words on stderr, when that cannot be."""
    try:
        answer = asyncio.run(_run(arguments))
    except (CommandError, TenantNameError, StartError, UnavailableError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    if answer.note:
        print(answer.note, file=sys.stderr)  # noqa: T201
    if answer.text:
        print(answer.text)  # noqa: T201
    return 0


def table(rows: Sequence[Sequence[str]]) -> str:
    """In columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


async def _run(arguments: argparse.Namespace) -> Answer:
    database = Database(arguments.database_url)

    async def work(session: AsyncSession) -> Answer:
        answer: Answer = await arguments.action(session, arguments)
        return answer

    try:
        await database.check()
        return await database.write(work)
    finally:
        await database.close()
