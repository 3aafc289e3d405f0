"""What tenants have been charged, and what is given to them or back. The ledger only grows.

python -m services.gateway.credits balance acme --database-url URL
python -m services.gateway.credits grant acme 500 --note "invoice 17" --database-url URL
python -m services.gateway.credits refund acme JOB_ID ITEM_KEY --note "wrong shoe" --database-url URL
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway import commands
from services.gateway.commands import Answer, CommandError
from services.gateway.state import jobs, ledger, tenants
from services.gateway.state.errors import NotFoundError

_MOST_CREDITS = 10**9


def _credits(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_CREDITS:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 to {_MOST_CREDITS}")
    return int(text)


async def _balance(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    return Answer(str(await ledger.balance(session, await _tenant(session, arguments))))


async def _grant(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    tenant = await _tenant(session, arguments)
    await ledger.grant(session, tenant, arguments.credits, arguments.note, datetime.now(UTC))
    await session.flush()
    return Answer(str(await ledger.balance(session, tenant)))


async def _refund(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    tenant = await _tenant(session, arguments)
    try:
        item = (await jobs.get_item(session, tenant, arguments.job_id, arguments.item_key)).item
    except NotFoundError as error:
        raise CommandError(str(error)) from error
    if not item.credits or item.result_id is None:
        raise CommandError(f"item {item.key} of {item.job_id} is not charged; there is nothing to give back")
    await ledger.refund(session, tenant, item.result_id, arguments.note, datetime.now(UTC))
    return Answer(str(await ledger.balance(session, tenant)))


async def _tenant(session: AsyncSession, arguments: argparse.Namespace) -> str:
    name: str = arguments.name
    if await tenants.find(session, name) is None:
        raise CommandError(f"there is no tenant {name}; `python -m services.gateway.tenants list` shows all")
    return name


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, with the balance on stdout; 2 when the database, tenant or item is not usable."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway.credits", description="See and give credits.")
    actions = parser.add_subparsers(required=True)
    telling = commands.add_action(actions, "balance", _balance, "grants and refunds less charges")
    giving = commands.add_action(actions, "grant", _grant, "give credits")
    refunding = commands.add_action(actions, "refund", _refund, "give back what an item was charged")
    for action in (telling, giving, refunding):
        action.add_argument("name", metavar="TENANT")
    giving.add_argument("credits", metavar="CREDITS", type=_credits)
    refunding.add_argument("job_id", metavar="JOB_ID")
    refunding.add_argument("item_key", metavar="ITEM_KEY")
    for action in (giving, refunding):
        action.add_argument("--note", default="", help="why, for the books")
    return commands.run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
