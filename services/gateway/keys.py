"""API keys: who may call and what, stored in the database only as hashes.

    python -m services.gateway.keys add --database-url URL --tenant acme --scopes photos,jobs
    python -m services.gateway.keys list --database-url URL
    python -m services.gateway.keys revoke --database-url URL k-3f2a0c4d5e6f7a8b

A key is 256 random bits, so a plain SHA-256 of it cannot be reversed or guessed.
"""

import argparse
import asyncio
import hashlib
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import grpc
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.errors import ServiceError
from services.gateway import commands
from services.gateway.caller import SCOPES, TENANT_SCOPES
from services.gateway.commands import Answer, CommandError, table
from services.gateway.state import tenants
from services.gateway.state.database import Database
from services.gateway.state.tenants import ActiveKey

_FRESH_S: Final = 1.5
"""Keys read longer ago are read again before they are used."""
_USABLE_S: Final = 4.0
"""Keys read longer ago open nothing, should the database be away: a revoked key must fail everywhere within 5 s."""
_PATIENCE_S: Final = 2.0
"""For the database's answer."""
_PAUSE_S: Final = 0.25
"""Between two readings, whatever strangers send."""

log = structlog.get_logger()


class ApiKeys:
    """The keys that open something, as the database had them at most 4 s ago.

    All of them are read at once: so a call with an unknown key costs the database no more than one with a known
    key, and nobody can hammer it with guesses.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_hash: Mapping[str, ActiveKey] = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def find(self, key: str) -> ActiveKey | None:
        """Whose a key is; None for one that is unknown or revoked.

        Looks up the hash, so its time says nothing about keys.

        Raises:
            ServiceError: UNAVAILABLE, when the database has not answered for too long to know.
        """
        asked_at = monotonic()
        digest = _hash(key)
        await self._refresh(asked_at - _FRESH_S)
        if digest not in self._by_hash:
            await self._refresh(asked_at)  # it may be new
        return self._by_hash.get(digest)

    async def close(self) -> None:
        """Lets a reading end; the database is closed after it."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    async def _refresh(self, since: float) -> None:
        """Waits until the keys have been read after `since`."""
        deadline = monotonic() + _PATIENCE_S
        while self._read_at < since and (left_s := deadline - monotonic()) > 0:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            # Not cancelled with the call that waits: others wait for it, too.
            await asyncio.wait({self._reading}, timeout=left_s)
        if monotonic() - self._read_at > _USABLE_S:
            raise ServiceError(
                grpc.StatusCode.UNAVAILABLE,
                "API_KEYS_UNAVAILABLE",
                "API keys cannot be checked now; try again later",
                retry_after_s=1.0,
            )

    async def _read(self) -> None:
        await asyncio.sleep(self._tried_at + _PAUSE_S - monotonic())
        self._tried_at = started_at = monotonic()
        try:
            async with self._database.read() as session:
                keys = await tenants.active_keys(session)
        except Exception as error:
            # Whatever it is: keys that cannot be read open nothing, as soon as the last ones are too old.
            log.warning("API keys cannot be read", error=str(error))
            return
        self._by_hash = {key.sha256: key for key in keys}
        self._read_at = started_at


async def add(session: AsyncSession, tenant: str, scopes: tuple[str, ...], now: datetime) -> tuple[str, str]:
    """Adds a key, and the tenant if it is new.

    Returns:
        The key's id, and the key itself, which is stored nowhere.

    Raises:
        TenantNameError: The tenant's name is not usable.
    """
    key_id, key = f"k-{secrets.token_hex(8)}", f"pk_{secrets.token_urlsafe(32)}"
    await tenants.ensure(session, tenant, now)
    await tenants.add_key(session, key_id=key_id, tenant=tenant, sha256=_hash(key), scopes=scopes, now=now)
    return key_id, key


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _scopes(text: str) -> tuple[str, ...]:
    asked = {scope.strip() for scope in text.split(",")}
    if not asked <= set(SCOPES):
        raise argparse.ArgumentTypeError(f"{text!r}: some of {','.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in asked)


async def _add(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    key_id, key = await add(session, arguments.tenant, arguments.scopes, datetime.now(UTC))
    return Answer(key, f"{key_id}, for {arguments.tenant}: {', '.join(arguments.scopes)}")


async def _list(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    rows = [("ID", "TENANT", "SCOPES", "CREATED", "REVOKED")]
    for key in await tenants.all_keys(session):
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M:%S}" if key.revoked_at is not None else "-"
        rows.append((key.id, key.tenant, key.scopes, f"{key.created_at:%Y-%m-%d %H:%M:%S}", revoked))
    return Answer(table(rows))


async def _revoke(session: AsyncSession, arguments: argparse.Namespace) -> Answer:
    if not await tenants.revoke_key(session, arguments.key_id, datetime.now(UTC)):
        raise CommandError(f"there is no key {arguments.key_id}; `list` shows all")
    return Answer("")


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 2 when the database, tenant or key is not usable."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway.keys", description="Manage API keys.")
    actions = parser.add_subparsers(required=True)
    adding = commands.add_action(actions, "add", _add, "add a key and print it, once")
    adding.add_argument("--tenant", required=True, help="who the key belongs to; made when new")
    adding.add_argument(
        "--scopes",
        type=_scopes,
        default=TENANT_SCOPES,
        help=f"some of {','.join(SCOPES)}; {','.join(TENANT_SCOPES)} unless told",
    )
    commands.add_action(actions, "list", _list, "show all keys, never the keys themselves")
    revoking = commands.add_action(actions, "revoke", _revoke, "end a key: within 5 s on every gateway")
    revoking.add_argument("key_id", metavar="KEY_ID")
    return commands.run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
