"""The review queue: results that wait for a person, and what persons decided."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.state.jobs import ItemView
from services.gateway.state.tables import Review, ReviewState


@dataclass(frozen=True, slots=True)
class ReviewView:
    """A review with its item, and every decided review of the item, oldest first."""

    review: Review
    view: ItemView
    audit_trail: Sequence[Review]


async def list_reviews(
    session: AsyncSession,
    tenant: str,
    *,
    states: Collection[ReviewState] = (ReviewState.WAITING,),
    job_id: str = "",
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> list[ReviewView]:
    """The tenant's reviews, oldest first; `after` is (created_at, id) of the last one of the page before.

    Raises:
        NotFoundError: The tenant has no such job.
    """
    raise NotImplementedError


async def get_review(session: AsyncSession, tenant: str, review_id: str) -> ReviewView:
    """One review.

    Raises:
        NotFoundError: The tenant has no such review.
    """
    raise NotImplementedError


async def decide(
    session: AsyncSession,
    tenant: str,
    review_id: str,
    decision: ReviewState,
    *,
    note: str,
    hints: bytes,
    decided_by: str,
    now: datetime,
) -> ReviewView:
    """Decides a review that waits: APPROVED charges, REJECTED does not, REDONE queues the item again with `hints`.

    Deciding the same again changes nothing.

    Args:
        hints: A serialised RedoHints; empty unless REDONE.
        decided_by: Id of the API key.

    Raises:
        NotFoundError: The tenant has no such review.
        ConflictError: REVIEW_DECIDED: it was decided otherwise.
    """
    raise NotImplementedError
