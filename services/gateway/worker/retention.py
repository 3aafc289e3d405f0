"""Removes photos and results that are older than they are kept, and what failed attempts left in the store; and what
the database knows of webhook calls that ended long ago.

First the database forgets what is old; then the store is gone through, and what is old there and nothing refers to is
deleted. So a crash in between leaves nothing behind for good, and nothing that is referred to is ever missing: what is
put again is new in the store, and stays.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from services.gateway.objects import Objects
from services.gateway.state import leases, retention, tenants, webhooks
from services.gateway.state.database import Database

log = structlog.get_logger()

TASK: Final = "retention"

_EVERY_S: Final = 3600.0
_LEASE_S: Final = 2 * _EVERY_S
_RESULTS_AT_ONCE: Final = 200
_CALLS_AT_ONCE: Final = 1000
_CALLS_KEPT: Final = timedelta(days=7)
"""Webhook calls that have ended, for who looks into one that did not arrive."""
_UNFINISHED_KEPT: Final = timedelta(days=1)
"""Much longer than any write takes."""
_OBJECTS_AT_ONCE: Final = 500


class Retention:
    """Sweeps once an hour, one replica at a time.

    Args:
        database: Says what is needed.
        objects: What is swept.
        owner: This process, unlike any other.
        days: How long photos and results are kept.
    """

    def __init__(self, database: Database, objects: Objects, owner: str, days: int) -> None:
        self._database = database
        self._objects = objects
        self._owner = owner
        self._days = days

    async def run(self) -> None:
        """Sweeps for ever."""
        while True:
            now = datetime.now(UTC)
            if await self._database.write(
                lambda session: leases.hold(session, TASK, self._owner, now, _LEASE_S)  # noqa: B023
            ):
                await self.sweep(now)
            await asyncio.sleep(_EVERY_S)

    async def sweep(self, now: datetime) -> int:
        """Removes what is too old at `now`; how many objects.

        Raises:
            ObjectStoreError, UnavailableError: The rest is for the next time.
        """
        before = now - timedelta(days=self._days)
        while await self._database.write(lambda session: retention.forget_results(session, before, _RESULTS_AT_ONCE)):
            pass
        ended_before = now - _CALLS_KEPT
        while await self._database.write(lambda session: webhooks.forget_ended(session, ended_before, _CALLS_AT_ONCE)):
            pass
        await self._objects.remove_unfinished(now - _UNFINISHED_KEPT)
        async with self._database.read() as session:
            names = [tenant.name for tenant in await tenants.all_tenants(session)]
        removed = 0
        for tenant in names:
            async for keys in self._old(f"{tenant}/results", before):
                async with self._database.read() as session:
                    kept = await retention.results_kept(session, tenant, {_result(key) for key in keys})
                removed += await self._delete([key for key in keys if _result(key) not in kept])
            async for keys in self._old(f"{tenant}/photos", before):
                async with self._database.read() as session:
                    kept = await retention.photos_kept(session, tenant, keys, before)
                removed += await self._delete([key for key in keys if key not in kept])
        if removed:
            log.info("old objects removed", objects=removed, older_than_days=self._days)
        return removed

    async def _old(self, prefix: str, before: datetime) -> AsyncIterator[list[str]]:
        """The keys of objects from before then, a number at a time."""
        keys: list[str] = []
        async for found in self._objects.list(prefix):
            if found.modified_at < before:
                keys.append(found.key)
            if len(keys) == _OBJECTS_AT_ONCE:
                yield keys
                keys = []
        if keys:
            yield keys

    async def _delete(self, keys: Sequence[str]) -> int:
        for key in keys:
            await self._objects.delete(key)
        return len(keys)


def _result(key: str) -> str:
    """The result's key in that of its file: <tenant>/results/<key>/…"""
    return key.split("/")[2]
