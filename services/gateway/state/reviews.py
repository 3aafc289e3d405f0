"""The review queue: results that wait for a person, and what persons decided."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1 import jobs_pb2
from services.gateway.state import events, jobs, ledger
from services.gateway.state.errors import ConflictError, NotFoundError
from services.gateway.state.events import EventDraft
from services.gateway.state.jobs import ItemView
from services.gateway.state.tables import Item, ItemState, Review, ReviewState


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
    query = select(Review).where(Review.tenant == tenant)
    if states:
        query = query.where(Review.state.in_(states))
    if job_id:
        await jobs.get_job(session, tenant, job_id)
        query = query.where(Review.job_id == job_id)
    if after is not None:
        created_at, review_id = after
        query = query.where(
            or_(Review.created_at > created_at, and_(Review.created_at == created_at, Review.id > review_id))
        )
    rows = await session.scalars(query.order_by(Review.created_at, Review.id).limit(limit))
    return await _views(session, list(rows))


async def get_review(session: AsyncSession, tenant: str, review_id: str) -> ReviewView:
    """One review.

    Raises:
        NotFoundError: The tenant has no such review.
    """
    return (await _views(session, [await _review(session, tenant, review_id)]))[0]


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
    if decision is ReviewState.WAITING:
        raise ValueError("a review is decided as approved, rejected or redone")
    job = await jobs.lock(session, tenant, (await _review(session, tenant, review_id)).job_id)
    review = await _review(session, tenant, review_id, again=True)
    if review.state is not ReviewState.WAITING:
        if review.state is not decision:
            raise ConflictError("REVIEW_DECIDED", f"{review_id} was {review.state} already")
        return (await _views(session, [review]))[0]
    item = await session.get_one(Item, review.item_id, with_for_update={"key_share": True}, populate_existing=True)
    review.state = decision
    review.decided_at = now
    review.decided_by = decided_by
    review.note = jobs.without_nul(note)
    review.hints = hints
    job.review -= 1
    drafts = [EventDraft(jobs_pb2.JOB_EVENT_TYPE_REVIEW_DECIDED, item)]
    if decision is ReviewState.APPROVED:
        job.publish += 1
        item.verdict = "publish"
        await ledger.charge(session, job, item, review.result_id, f"{review_id} approved", now)
    elif decision is ReviewState.REJECTED:
        job.reject += 1
        item.verdict = "reject"
    else:
        job.succeeded -= 1
        _redo(item, hints, now)
        jobs.reopen(job)
        drafts.append(EventDraft(jobs_pb2.JOB_EVENT_TYPE_ITEM_REQUEUED, item))
    await events.append(session, job, drafts, now)
    return (await _views(session, [review]))[0]


def _redo(item: Item, hints: bytes, now: datetime) -> None:
    item.state = ItemState.QUEUED
    item.hints = hints
    item.available_at = now
    item.attempts = 0
    item.ended_at = None
    item.result_id = None
    item.repeated = False
    item.verdict = ""
    item.confidence = 0.0


async def _review(session: AsyncSession, tenant: str, review_id: str, *, again: bool = False) -> Review:
    query = select(Review).where(Review.id == review_id, Review.tenant == tenant)
    review = await session.scalar(query.execution_options(populate_existing=again))
    if review is None:
        raise NotFoundError("review", review_id)
    return review


async def _views(session: AsyncSession, reviews: list[Review]) -> list[ReviewView]:
    item_ids = {review.item_id for review in reviews}
    items = list(await session.scalars(select(Item).where(Item.id.in_(item_ids))))
    views = {view.item.id: view for view in await jobs.view(session, items)}
    decided = await session.scalars(
        select(Review)
        .where(Review.item_id.in_(item_ids), Review.state != ReviewState.WAITING)
        .order_by(Review.created_at, Review.id)
    )
    trails: dict[int, list[Review]] = {}
    for review in decided:
        trails.setdefault(review.item_id, []).append(review)
    return [ReviewView(review, views[review.item_id], trails.get(review.item_id, ())) for review in reviews]
