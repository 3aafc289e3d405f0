"""The review queue, for ordinary code."""

from collections.abc import Iterable, Iterator, Sequence

import grpc

from packshot.client._channel import translated
from packshot.client._job_requests import ReviewStateName, numbers, redo_hints
from packshot.client._requests import Region
from packshot.v1 import reviews_pb2 as pb
from packshot.v1.reviews_pb2_grpc import ReviewServiceStub


class Reviews:
    """Results that a person should look at: `client.reviews`.

    A decision stays: the same once more is no error, another raises PackshotError (FAILED_PRECONDITION).
    """

    def __init__(
        self, channel: grpc.Channel, address: str, metadata: tuple[tuple[str, str], ...], timeout_s: float
    ) -> None:
        self._stub = ReviewServiceStub(channel)
        self._address = address
        self._metadata = metadata
        self._timeout_s = timeout_s

    def list(self, *, states: Sequence[ReviewStateName] = (), job_id: str = "") -> Iterator[pb.Review]:
        """Oldest first: those that wait, or those in certain states; of all jobs, or of one."""
        request = pb.ListReviewsRequest(states=numbers(pb.ReviewState.DESCRIPTOR, states), job_id=job_id)
        while True:
            with translated(self._address):
                page = self._stub.ListReviews(request, timeout=self._timeout_s, metadata=self._metadata)
            yield from page.reviews
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get(self, review_id: str) -> pb.Review:
        """A review with its audit trail."""
        with translated(self._address):
            return self._stub.GetReview(
                pb.GetReviewRequest(review_id=review_id), timeout=self._timeout_s, metadata=self._metadata
            ).review

    def approve(self, review_id: str, *, note: str = "") -> pb.Review:
        """Good to publish; this is when it is charged."""
        return self._decide(pb.DecideReviewRequest(review_id=review_id, decision=pb.REVIEW_STATE_APPROVED, note=note))

    def reject(self, review_id: str, *, note: str = "") -> pb.Review:
        """Not to be used; nothing is charged."""
        return self._decide(pb.DecideReviewRequest(review_id=review_id, decision=pb.REVIEW_STATE_REJECTED, note=note))

    def redo(
        self,
        review_id: str,
        *,
        region_of_interest: Region | None = None,
        include: Iterable[tuple[int, int]] = (),
        exclude: Iterable[tuple[int, int]] = (),
        marketplaces: Sequence[str] = (),
        note: str = "",
    ) -> pb.Review:
        """Has the photo done again, with at least one hint.

        Args:
            region_of_interest: Where the product is; everything outside is background.
            include: (x, y) in pixels of the upright photo that are the product.
            exclude: (x, y) that are background.
            marketplaces: Instead of the job's.
        """
        hints = redo_hints(region_of_interest, include, exclude, marketplaces)
        return self._decide(
            pb.DecideReviewRequest(review_id=review_id, decision=pb.REVIEW_STATE_REDONE, note=note, hints=hints)
        )

    def _decide(self, request: pb.DecideReviewRequest) -> pb.Review:
        with translated(self._address):
            return self._stub.DecideReview(request, timeout=self._timeout_s, metadata=self._metadata).review
