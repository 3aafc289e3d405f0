import asyncio
from typing import Any

import grpc
import pytest

from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.jobs_pb2 import (
    JOB_EVENT_TYPE_REVIEW_DECIDED,
    JOB_ITEM_STATE_QUEUED,
    JOB_ITEM_STATE_SUCCEEDED,
    JOB_STATE_COMPLETED,
    JOB_STATE_RUNNING,
    GetJobRequest,
    Job,
    WatchJobRequest,
)
from packshot.v1.report_pb2 import VERDICT_PUBLISH, VERDICT_REJECT, VERDICT_REVIEW
from packshot.v1.reviews_pb2 import (
    REVIEW_STATE_APPROVED,
    REVIEW_STATE_REDONE,
    REVIEW_STATE_REJECTED,
    REVIEW_STATE_WAITING,
    DecideReviewRequest,
    GetReviewRequest,
    ListReviewsRequest,
    RedoHints,
    Review,
)
from services.gateway.state import ledger
from tests.helpers.gateway import failure
from tests.helpers.job_service import Jobs

HINTS = RedoHints(
    region_of_interest=BoundingBox(x=1, y=2, width=30, height=40), points=[PointHint(x=5, y=6, include=True)]
)


async def waiting(jobs: Jobs, *keys: str) -> tuple[Job, list[Review]]:
    """A job whose items all wait for a person."""
    job = await jobs.create(*(keys or ("a",)))
    for _ in keys or ("a",):
        await jobs.succeed(job.job_id, verdict="review")
    response = await jobs.reviews.ListReviews(ListReviewsRequest(job_id=job.job_id))
    return job, list(response.reviews)


async def decide(jobs: Jobs, review: Review, decision: Any, **fields: Any) -> Review:
    request = DecideReviewRequest(review_id=review.review_id, decision=decision, **fields)
    decided: Review = (await jobs.reviews.DecideReview(request)).review
    return decided


async def job_of(jobs: Jobs, review: Review) -> Job:
    job: Job = (await jobs.jobs.GetJob(GetJobRequest(job_id=review.job_id))).job
    return job


async def balance(jobs: Jobs) -> int:
    async with jobs.store.database.read() as session:
        return await ledger.balance(session, "acme")


async def test_what_waits_is_listed_oldest_first_page_by_page(jobs: Jobs) -> None:
    await waiting(jobs, "a", "b", "c")
    found, request = [], ListReviewsRequest(page_size=2)
    while True:
        page = await jobs.reviews.ListReviews(request)
        found += [review.item.item_key for review in page.reviews]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == ["a", "b", "c"]
    assert not (await jobs.reviews.ListReviews(ListReviewsRequest(states=[REVIEW_STATE_APPROVED]))).reviews


async def test_a_review_shows_photo_and_packshot(jobs: Jobs) -> None:
    job, (listed,) = await waiting(jobs)
    review = (await jobs.reviews.GetReview(GetReviewRequest(review_id=listed.review_id))).review
    assert (review.state, review.job_id, review.item.review_id) == (REVIEW_STATE_WAITING, job.job_id, review.review_id)
    assert review.item.verdict == VERDICT_REVIEW
    assert review.photo_url.startswith("file://")
    assert "/acme/photos/" in review.photo_url
    assert len(review.item.files) == len(review.item.reports) == 1
    assert not review.audit_trail


async def test_approving_publishes_and_charges_once(jobs: Jobs) -> None:
    _, (review,) = await waiting(jobs)
    assert await balance(jobs) == 0
    for _ in range(2):
        decided = await decide(jobs, review, REVIEW_STATE_APPROVED, note="fine")
        assert (decided.state, decided.item.verdict) == (REVIEW_STATE_APPROVED, VERDICT_PUBLISH)
        assert await balance(jobs) == -1
    (entry,) = decided.audit_trail
    assert (entry.state, entry.note) == (REVIEW_STATE_APPROVED, "fine")
    assert entry.decided_by.startswith("k-")
    job = await job_of(jobs, review)
    assert (job.counts.publish, job.counts.review, job.counts.credits) == (1, 0, 1)


async def test_rejecting_costs_nothing(jobs: Jobs) -> None:
    _, (review,) = await waiting(jobs)
    for _ in range(2):
        decided = await decide(jobs, review, REVIEW_STATE_REJECTED, note="blurred")
        assert (decided.state, decided.item.verdict) == (REVIEW_STATE_REJECTED, VERDICT_REJECT)
    assert await balance(jobs) == 0
    assert (await job_of(jobs, review)).counts.reject == 1


async def test_a_redo_queues_the_item_with_its_hints(jobs: Jobs) -> None:
    job, (review,) = await waiting(jobs)
    assert (await job_of(jobs, review)).state == JOB_STATE_COMPLETED
    for _ in range(2):
        decided = await decide(jobs, review, REVIEW_STATE_REDONE, hints=HINTS)
        assert (decided.state, decided.item.state) == (REVIEW_STATE_REDONE, JOB_ITEM_STATE_QUEUED)
    assert (await job_of(jobs, review)).state == JOB_STATE_RUNNING
    (claimed,) = await jobs.claim(job.job_id)
    assert claimed.hints == HINTS


async def test_the_audit_trail_tells_every_decision_about_the_item(jobs: Jobs) -> None:
    job, (first,) = await waiting(jobs)
    await decide(jobs, first, REVIEW_STATE_REDONE, hints=HINTS, note="only the mug")
    await jobs.succeed(job.job_id, verdict="review")
    (second,) = (await jobs.reviews.ListReviews(ListReviewsRequest())).reviews
    assert second.review_id != first.review_id
    assert [entry.note for entry in second.audit_trail] == ["only the mug"]
    decided = await decide(jobs, second, REVIEW_STATE_APPROVED)
    assert [entry.state for entry in decided.audit_trail] == [REVIEW_STATE_REDONE, REVIEW_STATE_APPROVED]
    assert decided.audit_trail[0].hints == HINTS
    assert decided.item.state == JOB_ITEM_STATE_SUCCEEDED
    assert await balance(jobs) == -1


@pytest.mark.parametrize("first", [REVIEW_STATE_APPROVED, REVIEW_STATE_REJECTED, REVIEW_STATE_REDONE])
async def test_deciding_otherwise_afterwards_is_refused(jobs: Jobs, first: Any) -> None:
    _, (review,) = await waiting(jobs)
    await decide(jobs, review, first, **({"hints": HINTS} if first == REVIEW_STATE_REDONE else {}))
    other = REVIEW_STATE_REJECTED if first != REVIEW_STATE_REJECTED else REVIEW_STATE_APPROVED
    error = await failure(decide(jobs, review, other))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "REVIEW_DECIDED")


async def test_two_who_decide_at_once(jobs: Jobs) -> None:
    _, (review,) = await waiting(jobs)
    outcomes = await asyncio.gather(
        decide(jobs, review, REVIEW_STATE_APPROVED),
        decide(jobs, review, REVIEW_STATE_REJECTED),
        return_exceptions=True,
    )
    assert sorted(isinstance(outcome, Review) for outcome in outcomes) == [False, True]


@pytest.mark.parametrize(
    ("decision", "hints", "reason"),
    [
        (REVIEW_STATE_REDONE, None, "HINTS_MISSING"),
        (REVIEW_STATE_REDONE, RedoHints(), "HINTS_MISSING"),
        (REVIEW_STATE_APPROVED, HINTS, "HINTS_NOT_USED"),
        (REVIEW_STATE_REDONE, RedoHints(marketplaces=["ebay"]), "UNKNOWN_MARKETPLACE"),
        (REVIEW_STATE_WAITING, None, "INVALID_FIELD"),
    ],
)
async def test_decisions_that_make_no_sense(jobs: Jobs, decision: Any, hints: RedoHints | None, reason: str) -> None:
    _, (review,) = await waiting(jobs)
    error = await failure(decide(jobs, review, decision, hints=hints))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert error.violations[0].field.split(".")[0] in ("hints", "decision")
    found = (await jobs.reviews.GetReview(GetReviewRequest(review_id=review.review_id))).review
    assert found.state == REVIEW_STATE_WAITING


async def test_watchers_are_told(jobs: Jobs) -> None:
    job, (review,) = await waiting(jobs)
    seen = (await job_of(jobs, review)).last_sequence
    await decide(jobs, review, REVIEW_STATE_APPROVED)
    call = jobs.jobs.WatchJob(WatchJobRequest(job_id=job.job_id, after_sequence=seen))
    assert [response.event.type async for response in call] == [JOB_EVENT_TYPE_REVIEW_DECIDED]


async def test_another_tenants_reviews_read_as_if_they_were_not(jobs: Jobs) -> None:
    job, (review,) = await waiting(jobs)
    stranger = await jobs.for_tenant("zeta")
    for review_id in (review.review_id, f"rev_{'0' * 32}"):
        wanted = Review(review_id=review_id)
        for call in (
            stranger.reviews.GetReview(GetReviewRequest(review_id=review_id)),
            decide(stranger, wanted, REVIEW_STATE_APPROVED),
        ):
            error = await failure(call)
            assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "REVIEW_NOT_FOUND")
    error = await failure(stranger.reviews.ListReviews(ListReviewsRequest(job_id=job.job_id)))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    assert not (await stranger.reviews.ListReviews(ListReviewsRequest())).reviews
