"""Tasks that only one replica should do at a time, e.g. "dispatch"."""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.insert import insert
from services.gateway.state.tables import TaskLease


async def hold(session: AsyncSession, task: str, owner: str, now: datetime, seconds: float) -> bool:
    """Takes or keeps the task for so many seconds; False when another owner has it."""
    mine = {"owner": owner, "expires_at": now + timedelta(seconds=seconds)}
    held = await session.execute(
        insert(session, TaskLease)
        .values(task=task, **mine)
        .on_conflict_do_update(
            index_elements=["task"],
            set_=mine,
            where=or_(TaskLease.owner == owner, TaskLease.expires_at <= now),
        )
        .returning(TaskLease.task)
    )
    return held.first() is not None


async def owner(session: AsyncSession, task: str, now: datetime) -> str:
    """Who has the task; empty when nobody has."""
    return await session.scalar(select(TaskLease.owner).where(TaskLease.task == task, TaskLease.expires_at > now)) or ""


async def release(session: AsyncSession, task: str, owner: str) -> None:
    """Gives the task up, if this owner has it."""
    await session.execute(delete(TaskLease).where(TaskLease.task == task, TaskLease.owner == owner))
