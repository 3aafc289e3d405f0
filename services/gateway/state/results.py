"""What was made of photos, found again by its key."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.tables import Result, ResultFile


async def find(session: AsyncSession, tenant: str, key: str) -> Result | None:
    """The tenant's result of that key, whose files are in the store."""
    raise NotImplementedError


async def files(session: AsyncSession, result_id: str) -> Sequence[ResultFile]:
    """The files of a result, by marketplace and output."""
    raise NotImplementedError


async def older_than(session: AsyncSession, created_before: datetime, limit: int) -> list[Result]:
    """Results, of all tenants, from before then whose files are still in the store; oldest first."""
    raise NotImplementedError


async def forget_files(session: AsyncSession, result_ids: Collection[str]) -> None:
    """The results' files are about to be removed from the store: they are not found by key or listed any more."""
    raise NotImplementedError
