"""The servicer of reviews: requests in, what state and store say out."""

from datetime import UTC, datetime
from typing import Any

import grpc

from packshot.v1 import reviews_pb2_grpc
from packshot.v1.reviews_pb2 import (
    REVIEW_STATE_REDONE,
    DecideReviewRequest,
    DecideReviewResponse,
    GetReviewRequest,
    GetReviewResponse,
    ListReviewsRequest,
    ListReviewsResponse,
    RedoHints,
    Review,
)
from services.common.errors import invalid_argument
from services.gateway.auth import current_key_id, current_tenant
from services.gateway.jobs import pages
from services.gateway.jobs.calls import stage_call
from services.gateway.jobs.errors import as_service_errors, not_configured
from services.gateway.jobs.files import file_messages
from services.gateway.jobs.store import JobStore
from services.gateway.request import Scope
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages
from services.gateway.state import proto, reviews
from services.gateway.state.reviews import ReviewView
from services.gateway.state.tables import ReviewState
from services.gateway.work import Work

Context = grpc.aio.ServicerContext[Any, Any]


class ReviewServicer(reviews_pb2_grpc.ReviewServiceServicer):
    """ReviewService.

    Args:
        settings: The gateway's.
        stages: Asked whether the marketplaces of a redo are known.
        store: Where reviews are kept; None when this gateway keeps none.
    """

    def __init__(self, settings: GatewaySettings, stages: Stages, store: JobStore | None) -> None:
        self._settings = settings
        self._stages = stages
        self._configured = store

    async def ListReviews(self, request: ListReviewsRequest, context: Context) -> ListReviewsResponse:
        store = self._store
        size, after = pages.page_size(request), pages.position_in_time(request)
        states = proto.review_states(request.states) or (ReviewState.WAITING,)
        with as_service_errors():
            async with store.database.read() as session:
                found = await reviews.list_reviews(
                    session, current_tenant(), states=states, job_id=request.job_id, after=after, limit=size + 1
                )
            response = ListReviewsResponse(reviews=[await _message(store, view) for view in found[:size]])
        if len(found) > size:
            last = found[size - 1].review
            response.next_page_token = pages.next_page_token(request, (last.created_at.isoformat(), last.id))
        return response

    async def GetReview(self, request: GetReviewRequest, context: Context) -> GetReviewResponse:
        store = self._store
        with as_service_errors():
            async with store.database.read() as session:
                view = await reviews.get_review(session, current_tenant(), request.review_id)
            return GetReviewResponse(review=await _message(store, view))

    async def DecideReview(self, request: DecideReviewRequest, context: Context) -> DecideReviewResponse:
        store, tenant, now = self._store, current_tenant(), datetime.now(UTC)
        await self._check_hints(request, context)
        with as_service_errors():
            view = await store.database.write(
                lambda session: reviews.decide(
                    session,
                    tenant,
                    request.review_id,
                    proto.review_state(request.decision),
                    note=request.note,
                    hints=request.hints.SerializeToString(deterministic=True),
                    decided_by=current_key_id(),
                    now=now,
                )
            )
            store.changed(view.review.job_id)
            return DecideReviewResponse(review=await _message(store, view))

    async def _check_hints(self, request: DecideReviewRequest, context: Context) -> None:
        """A redo without hints would end as before; hints for another decision would be lost."""
        has_hints = request.hints != RedoHints()
        if request.decision == REVIEW_STATE_REDONE and not has_hints:
            raise invalid_argument("hints", "HINTS_MISSING", "a redo needs a region, points, or marketplaces")
        if request.decision != REVIEW_STATE_REDONE and has_hints:
            raise invalid_argument("hints", "HINTS_NOT_USED", "hints are for a redo only")
        scope = Scope(tuple(request.hints.marketplaces), "", "")
        call = stage_call(context, self._settings.default_deadline_ms)
        await Work(self._stages, call, b"", scope, prefix="hints.").packs()

    @property
    def _store(self) -> JobStore:
        if self._configured is None:
            raise not_configured()
        return self._configured


async def _message(store: JobStore, view: ReviewView) -> Review:
    """The review with URLs of its files and photo."""
    item, result = view.view.item, view.view.result
    files = await file_messages(store.objects, view.view.files, store.url_lifetime_s)
    photo = result.photo_object if result else item.photo_object
    photo_url = await store.objects.signed_url(photo, store.url_lifetime_s) if photo else ""
    return proto.review_message(view.review, item, result, view.audit_trail, files, photo_url)
