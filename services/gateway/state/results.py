"""What was made of photos, found again by its key."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.tables import Result, ResultFile


async def find(session: AsyncSession, tenant: str, key: str) -> Result | None:
    """The tenant's result of that key, whose files are in the store."""
    return await session.scalar(select(Result).where(Result.tenant == tenant, Result.key == key))


async def files(session: AsyncSession, result_id: str) -> Sequence[ResultFile]:
    """The files of a result, by marketplace and output."""
    return (await files_of(session, [result_id])).get(result_id, [])


async def files_of(session: AsyncSession, result_ids: Collection[str]) -> dict[str, list[ResultFile]]:
    """The files of several results by result id, each by marketplace and output; none for one without files."""
    rows = await session.scalars(
        select(ResultFile)
        .where(ResultFile.result_id.in_(result_ids))
        .order_by(ResultFile.result_id, ResultFile.marketplace, ResultFile.output)
    )
    by_result: dict[str, list[ResultFile]] = {}
    for row in rows:
        by_result.setdefault(row.result_id, []).append(row)
    return by_result


async def forget_files(session: AsyncSession, result_ids: Collection[str]) -> None:
    """The results' files are about to be removed from the store: they are not found by key or listed any more."""
    await session.execute(update(Result).where(Result.id.in_(result_ids)).values(key=None))
    await session.execute(delete(ResultFile).where(ResultFile.result_id.in_(result_ids)))
