import asyncio
from datetime import timedelta

import pytest

from packshot.v1 import jobs_pb2
from packshot.v1.image_pb2 import PointHint
from packshot.v1.reviews_pb2 import RedoHints
from services.gateway.state import events, jobs, ledger, proto, reviews
from services.gateway.state.database import Database
from services.gateway.state.errors import ConflictError, NotFoundError
from services.gateway.state.reviews import ReviewView
from services.gateway.state.tables import ItemState, Job, JobState, ReviewState
from tests.helpers.state import NOW, TENANT, claim_next, finish_next, make_job, new_items, new_result

LATER = NOW + timedelta(hours=1)


async def to_review(database: Database, count: int = 1) -> tuple[Job, list[str]]:
    """A completed job whose items all wait for a person, and the ids of their reviews."""
    job = await make_job(database, items=new_items(count))
    for number in range(count):
        result = new_result(f"photo {number}", verdict="review")
        await finish_next(database, job, result, NOW + timedelta(seconds=number))
    async with database.read() as session:
        return job, [view.review.id for view in await reviews.list_reviews(session, TENANT, job_id=job.id, limit=100)]


async def decide(database: Database, review_id: str, decision: ReviewState, hints: bytes = b"") -> ReviewView:
    return await database.write(
        lambda s: reviews.decide(s, TENANT, review_id, decision, note="", hints=hints, decided_by="key1", now=LATER)
    )


async def balance(database: Database) -> int:
    async with database.read() as session:
        return await ledger.balance(session, TENANT)


async def test_they_come_oldest_first_in_pages(database: Database) -> None:
    _, ids = await to_review(database, 3)
    async with database.read() as session:
        first = await reviews.list_reviews(session, TENANT, limit=2)
        last = first[-1].review
        rest = await reviews.list_reviews(session, TENANT, after=(last.created_at, last.id), limit=2)
    assert [view.review.id for view in first + rest] == ids
    assert [view.view.item.key for view in first + rest] == ["item-00000", "item-00001", "item-00002"]


async def test_approved_it_is_charged_once(database: Database) -> None:
    job, (review_id,) = await to_review(database)
    for _ in range(2):
        decided = await decide(database, review_id, ReviewState.APPROVED)
        assert (decided.review.state, decided.review.decided_by) == (ReviewState.APPROVED, "key1")
        assert (decided.view.item.verdict, decided.view.item.credits) == ("publish", 1)
    assert await balance(database) == -1
    async with database.read() as session:
        counts = await jobs.counts(session, job.id)
        last = (await events.after(session, TENANT, job.id, 0, 100))[-1]
    assert (counts.publish, counts.review, counts.credits) == (1, 0, 1)
    assert (last.type, last.item.credits) == (jobs_pb2.JOB_EVENT_TYPE_REVIEW_DECIDED, 1)


async def test_rejected_it_is_not_charged(database: Database) -> None:
    job, (review_id,) = await to_review(database)
    await decide(database, review_id, ReviewState.REJECTED)
    assert await balance(database) == 0
    async with database.read() as session:
        assert (await jobs.counts(session, job.id)).reject == 1


async def test_a_decision_is_not_changed(database: Database) -> None:
    _, (review_id,) = await to_review(database)
    await decide(database, review_id, ReviewState.REJECTED)
    with pytest.raises(ConflictError, match="rejected already"):
        await decide(database, review_id, ReviewState.APPROVED)
    assert await balance(database) == 0


async def test_of_many_that_decide_at_once_one_wins(database_url: str) -> None:
    replicas = [Database(database_url) for _ in range(4)]
    _, (review_id,) = await to_review(replicas[0])
    decisions = [ReviewState.APPROVED, ReviewState.REJECTED] * 2
    outcomes = await asyncio.gather(
        *(decide(replica, review_id, decision) for replica, decision in zip(replicas, decisions, strict=True)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 2
    async with replicas[0].read() as session:
        state = (await reviews.get_review(session, TENANT, review_id)).review.state
    assert await balance(replicas[0]) == (-1 if state is ReviewState.APPROVED else 0)
    await asyncio.gather(*(replica.close() for replica in replicas))


async def test_redone_it_is_worked_on_with_the_hints_and_reviewed_again(database: Database) -> None:
    job, (review_id,) = await to_review(database)
    hints = RedoHints(points=[PointHint(x=3, y=4)])
    await decide(database, review_id, ReviewState.REDONE, hints.SerializeToString())
    async with database.read() as session:
        running = await jobs.get_job(session, TENANT, job.id)
    assert (running.state, running.ended_at, running.succeeded, running.review) == (JobState.RUNNING, None, 0, 0)
    claimed = await claim_next(database, job, LATER)
    assert (claimed.item.state, claimed.hints, list(claimed.options.points)) == (
        ItemState.RUNNING,
        hints,
        list(hints.points),
    )


async def test_the_trail_keeps_every_decision(database: Database) -> None:
    job, (first,) = await to_review(database)
    await decide(database, first, ReviewState.REDONE, RedoHints(marketplaces=["amazon-de"]).SerializeToString())
    # With the very same result as before.
    await finish_next(database, job, new_result("photo 0", verdict="review"), LATER)
    async with database.read() as session:
        (waiting,) = await reviews.list_reviews(session, TENANT, limit=10)
    decided = await decide(database, waiting.review.id, ReviewState.APPROVED)
    view = decided.view
    message = proto.review_message(decided.review, view.item, view.result, decided.audit_trail)
    assert [proto.review_state(decision.state) for decision in message.audit_trail] == [
        ReviewState.REDONE,
        ReviewState.APPROVED,
    ]
    assert list(message.audit_trail[0].hints.marketplaces) == ["amazon-de"]
    assert message.item.review_id == waiting.review.id
    assert [report.marketplace for report in message.item.reports] == ["amazon-us"]


async def test_another_tenants_review_is_not_there(database: Database) -> None:
    job, (review_id,) = await to_review(database)
    async with database.read() as session:
        assert await reviews.list_reviews(session, "other", limit=10) == []
        with pytest.raises(NotFoundError):
            await reviews.list_reviews(session, "other", job_id=job.id, limit=10)
        with pytest.raises(NotFoundError):
            await reviews.get_review(session, "other", review_id)
    with pytest.raises(NotFoundError):
        await database.write(
            lambda s: reviews.decide(
                s, "other", review_id, ReviewState.APPROVED, note="", hints=b"", decided_by="k", now=LATER
            )
        )
