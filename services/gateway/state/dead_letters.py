"""Items that were given up after too many attempts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.tables import DeadLetter, Item


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A dead letter and its item."""

    dead_letter: DeadLetter
    item: Item


async def list_dead_letters(
    session: AsyncSession, tenant: str, *, job_id: str = "", after: tuple[datetime, str] | None = None, limit: int
) -> list[DeadLetterView]:
    """The tenant's dead letters that were not queued again, newest first.

    Args:
        after: (died_at, id) of the last one of the page before.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


async def requeue(session: AsyncSession, tenant: str, dead_letter_ids: Collection[str], now: datetime) -> int:
    """Queues their items again with all attempts before them; how many. Those queued again before are read over.

    Args:
        dead_letter_ids: Empty means all of the tenant's.

    Raises:
        NotFoundError: The tenant has no such dead letter.
    """
    raise NotImplementedError
