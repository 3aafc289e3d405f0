"""Tasks that only one replica should do at a time, e.g. "dispatch"."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession


async def hold(session: AsyncSession, task: str, owner: str, now: datetime, seconds: float) -> bool:
    """Takes or keeps the task for so many seconds; False when another owner has it."""
    raise NotImplementedError


async def release(session: AsyncSession, task: str, owner: str) -> None:
    """Gives the task up, if this owner has it."""
    raise NotImplementedError
