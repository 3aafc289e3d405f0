"""Jobs of many photos, for ordinary code."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Unpack

import grpc

from packshot.client._channel import translated
from packshot.client._job_requests import (
    ENDED,
    JobArguments,
    JobItemStateName,
    JobPhoto,
    JobStateName,
    ResultsFormatName,
    create_request,
    numbers,
    results_format,
    upload_messages,
    upload_start,
)
from packshot.client._reconnect import PATIENCE_S, Reconnects
from packshot.errors import PackshotError
from packshot.v1 import jobs_pb2 as pb
from packshot.v1.jobs_pb2_grpc import JobServiceStub


class Jobs:
    """Durable jobs: `client.jobs`. Whatever dies in between, an item ends once, and is charged at most once.

    Lists are iterators that ask for their pages as they are needed.
    """

    def __init__(
        self, channel: grpc.Channel, address: str, metadata: tuple[tuple[str, str], ...], timeout_s: float
    ) -> None:
        self._stub = JobServiceStub(channel)
        self._address = address
        self._metadata = metadata
        self._timeout_s = timeout_s

    def create(
        self,
        *,
        items: Sequence[JobPhoto] | None = None,
        catalogue: bytes | None = None,
        catalogue_url: str | None = None,
        uploads: Sequence[JobPhoto] | None = None,
        **arguments: Unpack[JobArguments],
    ) -> pb.Job:
        """Makes a job, of one of these:

        Args:
            items: Photos behind URLs; small ones may come along as bytes.
            catalogue: A CSV or TSV file, up to 32 MiB and 50,000 rows.
            catalogue_url: Where the gateway finds one.
            uploads: Photos that are sent after the job is made; it is complete when this returns. An empty list makes
                a job that waits for `upload`.
            arguments: See JobArguments and ProcessArguments.
        """
        request = create_request(
            arguments, items=items, catalogue=catalogue, catalogue_url=catalogue_url, uploads=uploads
        )
        with translated(self._address):
            job = self._stub.CreateJob(request, timeout=self._timeout_s, metadata=self._metadata).job
        return self.upload(job.job_id, uploads) if uploads else job

    def upload(
        self,
        job_id: str,
        photos: Sequence[JobPhoto],
        *,
        complete: bool = True,
        patience_s: float = PATIENCE_S,
    ) -> pb.Job:
        """Sends those of the photos that the job does not have yet, and goes on after broken connections.

        Args:
            complete: These are all: the job ends when the last of them has ended.
            patience_s: How long a gateway may be away in one go.

        Raises:
            InvalidArgumentError: A file cannot be read; what came before it was sent.
        """
        reconnects, missing = Reconnects(patience_s), len(photos) + 1  # the first answer is progress, too
        while True:
            try:
                there = {item.item_key for item in self.items(job_id)}
                still = [photo for photo in photos if photo.key not in there]
                if len(still) < missing:
                    reconnects.worked()
                missing = len(still)
                job = self._upload(job_id, still) if still else self.get(job_id)
                return self._complete(job_id) if complete and job.state == pb.JOB_STATE_OPEN else job
            except PackshotError as error:
                reconnects.wait(error)

    def get(self, job_id: str) -> pb.Job:
        """The job with its counts."""
        with translated(self._address):
            return self._stub.GetJob(
                pb.GetJobRequest(job_id=job_id), timeout=self._timeout_s, metadata=self._metadata
            ).job

    def list(self, *, states: Sequence[JobStateName] = ()) -> Iterator[pb.Job]:
        """Newest first; those in certain states, or all."""
        request = pb.ListJobsRequest(states=numbers(pb.JobState.DESCRIPTOR, states))
        while True:
            with translated(self._address):
                page = self._stub.ListJobs(request, timeout=self._timeout_s, metadata=self._metadata)
            yield from page.jobs
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def items(self, job_id: str, *, states: Sequence[JobItemStateName] = ()) -> Iterator[pb.JobItem]:
        """In the order of the catalogue; those in certain states, or all."""
        token = ""  # a page's  # nosec B105
        while True:
            page = self.item_page(job_id, states=states, page_token=token)
            yield from page.items
            token = page.next_page_token
            if not token:
                return

    def item_page(
        self,
        job_id: str,
        *,
        states: Sequence[JobItemStateName] = (),
        page_size: int = 0,
        page_token: str = "",
    ) -> pb.ListJobItemsResponse:
        """One page of `items`, for who wants to come back to it; 0 leaves its size to the gateway."""
        request = pb.ListJobItemsRequest(
            job_id=job_id,
            states=numbers(pb.JobItemState.DESCRIPTOR, states),
            page_size=page_size,
            page_token=page_token,
        )
        with translated(self._address):
            return self._stub.ListJobItems(request, timeout=self._timeout_s, metadata=self._metadata)

    def cancel(self, job_id: str) -> pb.Job:
        """Items not begun end as cancelled; those in work are finished."""
        with translated(self._address):
            return self._stub.CancelJob(
                pb.CancelJobRequest(job_id=job_id), timeout=self._timeout_s, metadata=self._metadata
            ).job

    def retry(self, job_id: str, item_keys: Sequence[str] = ()) -> pb.RetryJobItemsResponse:
        """Queues items that failed or were cancelled again: these, or all."""
        request = pb.RetryJobItemsRequest(job_id=job_id, item_keys=item_keys)
        with translated(self._address):
            return self._stub.RetryJobItems(request, timeout=self._timeout_s, metadata=self._metadata)

    def watch(self, job_id: str, *, after_sequence: int = 0, patience_s: float = PATIENCE_S) -> Iterator[pb.JobEvent]:
        """Every event after a sequence, first those of the past, each once and in order; ends with the job.

        A connection that breaks is taken up again after the last event that came.

        Args:
            patience_s: How long a gateway may be away in one go.
        """
        reconnects = Reconnects(patience_s)
        while True:
            try:
                job = self.get(job_id)
                reconnects.worked()
                if job.state in ENDED and job.last_sequence <= after_sequence:
                    return
                for event in self._watch(job_id, after_sequence):
                    after_sequence = event.sequence
                    yield event
            except PackshotError as error:
                reconnects.wait(error)

    def results(self, job_id: str, *, format: ResultsFormatName = "csv") -> Iterator[bytes]:
        """The whole job as a table, in chunks: a line per item."""
        request = pb.GetJobResultsRequest(job_id=job_id, format=results_format(format))
        call = self._stub.GetJobResults(request, timeout=self._timeout_s, metadata=self._metadata)
        with translated(self._address):
            for response in call:
                yield response.data

    def download(self, job_id: str, item_key: str, file: pb.JobFile) -> bytes:
        """A file of an item's result.

        Args:
            file: One of `JobItem.files`.

        Raises:
            PackshotError: DIGEST_MISMATCH when other bytes came than the item promises.
        """
        request = pb.DownloadJobFileRequest(
            job_id=job_id, item_key=item_key, marketplace=file.marketplace, output=file.output
        )
        with translated(self._address):
            call = self._stub.DownloadJobFile(request, timeout=self._timeout_s, metadata=self._metadata)
            content = b"".join(response.data for response in call)
        check_digest(content, file)
        return content

    def dead_letters(self, job_id: str = "") -> Iterator[pb.DeadLetter]:
        """Items given up after too many attempts, newest first; of one job, or of all."""
        request = pb.ListDeadLettersRequest(job_id=job_id)
        while True:
            with translated(self._address):
                page = self._stub.ListDeadLetters(request, timeout=self._timeout_s, metadata=self._metadata)
            yield from page.dead_letters
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def requeue_dead_letters(self, dead_letter_ids: Sequence[str] = ()) -> int:
        """Queues these, or all, again with all attempts before them; returns how many."""
        request = pb.RequeueDeadLettersRequest(dead_letter_ids=dead_letter_ids)
        with translated(self._address):
            return self._stub.RequeueDeadLetters(request, timeout=self._timeout_s, metadata=self._metadata).requeued

    def _watch(self, job_id: str, after_sequence: int) -> Iterator[pb.JobEvent]:
        """One WatchJob call; also a gateway that stops ends it, so its end says nothing about the job."""
        request = pb.WatchJobRequest(job_id=job_id, after_sequence=after_sequence)
        call = self._stub.WatchJob(request, metadata=self._metadata)
        try:
            with translated(self._address):
                for response in call:
                    yield response.event
        finally:
            call.cancel()

    def _upload(self, job_id: str, photos: Sequence[JobPhoto]) -> pb.Job:
        unreadable: list[PackshotError] = []

        def messages() -> Iterator[pb.UploadJobItemsRequest]:
            yield upload_start(job_id, complete=False)
            try:
                yield from upload_messages(photos)
            except PackshotError as error:  # gRPC would hide it from whoever waits for the answer
                unreadable.append(error)

        with translated(self._address):
            job = self._stub.UploadJobItems(messages(), metadata=self._metadata).job
        if unreadable:
            raise unreadable[0]
        return job

    def _complete(self, job_id: str) -> pb.Job:
        messages = iter([upload_start(job_id, complete=True)])
        with translated(self._address):
            return self._stub.UploadJobItems(messages, timeout=self._timeout_s, metadata=self._metadata).job


def check_digest(content: bytes, file: pb.JobFile) -> None:
    """Raises PackshotError, DIGEST_MISMATCH, when the bytes are not those of the file."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if digest != file.digest:
        message = f"{len(content)} bytes with {digest} came instead of {file.size_bytes} with {file.digest}"
        raise PackshotError(grpc.StatusCode.DATA_LOSS, "DIGEST_MISMATCH", message)
