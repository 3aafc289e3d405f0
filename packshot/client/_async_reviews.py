"""The review queue, for asyncio; the same methods as the sync ones."""

from collections.abc import AsyncIterator, Iterable, Sequence

import grpc

from packshot.client._channel import translated
from packshot.client._job_requests import ReviewStateName, numbers, redo_hints
from packshot.client._requests import Region
from packshot.v1 import reviews_pb2 as pb
from packshot.v1.reviews_pb2_grpc import ReviewServiceStub


class AsyncReviews:
    """`client.reviews` of AsyncPackshotClient: arguments, methods and errors are Reviews'."""

    def __init__(
        self, channel: grpc.aio.Channel, address: str, metadata: tuple[tuple[str, str], ...], timeout_s: float
    ) -> None:
        self._stub = ReviewServiceStub(channel)
        self._address = address
        self._metadata = metadata
        self._timeout_s = timeout_s

    async def list(self, *, states: Sequence[ReviewStateName] = (), job_id: str = "") -> AsyncIterator[pb.Review]:
        """See Reviews.list."""
        request = pb.ListReviewsRequest(states=numbers(pb.ReviewState.DESCRIPTOR, states), job_id=job_id)
        while True:
            with translated(self._address):
                page = await self._stub.ListReviews(request, timeout=self._timeout_s, metadata=self._metadata)
            for review in page.reviews:
                yield review
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get(self, review_id: str) -> pb.Review:
        """See Reviews.get."""
        request = pb.GetReviewRequest(review_id=review_id)
        with translated(self._address):
            response = await self._stub.GetReview(request, timeout=self._timeout_s, metadata=self._metadata)
        return response.review

    async def approve(self, review_id: str, *, note: str = "") -> pb.Review:
        """See Reviews.approve."""
        request = pb.DecideReviewRequest(review_id=review_id, decision=pb.REVIEW_STATE_APPROVED, note=note)
        return await self._decide(request)

    async def reject(self, review_id: str, *, note: str = "") -> pb.Review:
        """See Reviews.reject."""
        request = pb.DecideReviewRequest(review_id=review_id, decision=pb.REVIEW_STATE_REJECTED, note=note)
        return await self._decide(request)

    async def redo(
        self,
        review_id: str,
        *,
        region_of_interest: Region | None = None,
        include: Iterable[tuple[int, int]] = (),
        exclude: Iterable[tuple[int, int]] = (),
        marketplaces: Sequence[str] = (),
        note: str = "",
    ) -> pb.Review:
        """See Reviews.redo."""
        hints = redo_hints(region_of_interest, include, exclude, marketplaces)
        return await self._decide(
            pb.DecideReviewRequest(review_id=review_id, decision=pb.REVIEW_STATE_REDONE, note=note, hints=hints)
        )

    async def _decide(self, request: pb.DecideReviewRequest) -> pb.Review:
        with translated(self._address):
            response = await self._stub.DecideReview(request, timeout=self._timeout_s, metadata=self._metadata)
        return response.review
