"""What may be removed from the object store: whatever nothing recent needs."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state import results
from services.gateway.state.tables import Item, Result


async def forget_results(session: AsyncSession, before: datetime, limit: int) -> int:
    """Forgets the files of the oldest `limit` results from before then that no item has used since; how many."""
    recent_use = select(Item.id).where(
        Item.result_id == Result.id, or_(Item.ended_at.is_(None), Item.ended_at >= before)
    )
    old = select(Result.id).where(Result.created_at < before, Result.key.is_not(None), ~recent_use.exists())
    result_ids = (await session.scalars(old.order_by(Result.created_at).limit(limit))).all()
    await results.forget_files(session, result_ids)
    return len(result_ids)


async def results_kept(session: AsyncSession, tenant: str, keys: Collection[str]) -> set[str]:
    """Of these keys, those of results whose files are kept."""
    kept = await session.scalars(select(Result.key).where(Result.tenant == tenant, Result.key.in_(keys)))
    return {key for key in kept if key is not None}


async def photos_kept(session: AsyncSession, tenant: str, photos: Collection[str], before: datetime) -> set[str]:
    """Of these photos' objects, those of a kept result, and of an item that has not ended before then."""
    of_results = await session.scalars(
        select(Result.photo_object).where(
            Result.tenant == tenant, Result.key.is_not(None), Result.photo_object.in_(photos)
        )
    )
    of_items = await session.scalars(
        select(Item.photo_object).where(
            Item.tenant == tenant, Item.photo_object.in_(photos), or_(Item.ended_at.is_(None), Item.ended_at >= before)
        )
    )
    return {*of_results, *of_items}
