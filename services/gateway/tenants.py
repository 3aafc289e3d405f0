"""Tenants and their limits, shared by all replicas. A tenant is made with its first API key.

python -m services.gateway.tenants set acme --database-url URL --photos-per-minute 600 --bytes-per-minute none
python -m services.gateway.tenants list --database-url URL
python -m services.gateway.tenants webhook-secret acme --database-url URL
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway import commands
from services.gateway.commands import Answer, CommandError, table
from services.gateway.state import tenants
from services.gateway.state.tables import Tenant
from services.gateway.state.tenants import Limits

_AS_IT_WAS: Final = -1


def _limit(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal() or not 1 <= int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 to {2**31 - 1}, or none")
    return int(text)


async def _set(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    tenant = await _find(session, arguments.name)
    names = Limits.__dataclass_fields__
    asked = {name: getattr(arguments, name) for name in names}
    kept = {name: getattr(tenant, name) if limit == _AS_IT_WAS else limit for name, limit in asked.items()}
    await tenants.set_limits(session, tenant, Limits(**kept), datetime.now(UTC))
    return Answer("")


async def _list(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    rows = [("TENANT", "PHOTOS/MIN", "BYTES/MIN", "PHOTOS AT A TIME", "CREATED")]
    for tenant in await tenants.all_tenants(session):
        set_limits = (tenant.photos_per_minute, tenant.bytes_per_minute, tenant.max_concurrent_photos)
        words = ["-" if limit is None else str(limit) for limit in set_limits]
        rows.append((tenant.name, words[0], words[1], words[2], f"{tenant.created_at:%Y-%m-%d %H:%M:%S}"))
    return Answer(table(rows))


async def _webhook_secret(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    return Answer((await _find(session, arguments.name)).webhook_secret)


async def _find(session: AsyncSession, name: str) -> Tenant:
    tenant = await tenants.find(session, name)
    if tenant is None:
        raise CommandError(f"there is no tenant {name}; `python -m services.gateway.keys add --tenant` makes one")
    return tenant


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 2 when the database or tenant is not usable."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway.tenants", description="Manage tenants.")
    actions = parser.add_subparsers(required=True)
    setting = commands.add_action(actions, "set", _set, "set limits; those not named stay as they are")
    setting.add_argument("name", metavar="NAME")
    for limit, what in (
        ("--photos-per-minute", "photos, in calls, streams and jobs together"),
        ("--bytes-per-minute", "bytes of photos that come in"),
        ("--max-concurrent-photos", "photos in work at the same time"),
    ):
        setting.add_argument(limit, metavar="N", type=_limit, default=_AS_IT_WAS, help=f"{what}; none: no limit")
    commands.add_action(actions, "list", _list, "show all tenants and their limits")
    telling = commands.add_action(actions, "webhook-secret", _webhook_secret, "show what its webhooks are signed with")
    telling.add_argument("name", metavar="NAME")
    return commands.run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
