"""Jobs and reviews on a real gRPC server that a test plays: for what needs no pixels and no database."""

import hashlib
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from packshot.v1 import jobs_pb2 as pb
from packshot.v1 import reviews_pb2
from packshot.v1.jobs_pb2_grpc import JobServiceServicer, add_JobServiceServicer_to_server
from packshot.v1.packshot_pb2 import OUTPUT_JPEG
from packshot.v1.report_pb2 import VERDICT_PUBLISH, VERDICT_REVIEW
from packshot.v1.reviews_pb2_grpc import ReviewServiceServicer, add_ReviewServiceServicer_to_server

ENDS = {
    pb.JOB_EVENT_TYPE_COMPLETED: pb.JOB_STATE_COMPLETED,
    pb.JOB_EVENT_TYPE_CANCELLED: pb.JOB_STATE_CANCELLED,
    pb.JOB_EVENT_TYPE_FAILED: pb.JOB_STATE_FAILED,
}


@dataclass
class ScriptedJob:
    """A job whose items end when the test says so."""

    job: pb.Job
    request: pb.CreateJobRequest
    items: dict[str, pb.JobItem] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    events: list[pb.JobEvent] = field(default_factory=list)


class ScriptedJobs(JobServiceServicer, ReviewServiceServicer):
    """Keeps jobs in memory; what it was asked is kept for the test to look at.

    An item "NAME" becomes the file b"packshot of NAME"; items whose key begins with "bad" fail, and those that begin
    with "odd" need a review.

    Attributes:
        calls: How often each method was called.
        downloads, uploads: Item keys, in order.
        break_watch_after: Every WatchJob call breaks as UNAVAILABLE after so many events; None never breaks one.
        break_upload_after: The first UploadJobItems call breaks after so many photos.
        wrong_digests: Files are promised with another digest than theirs.
        held: Items are not worked on by themselves before `work`.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, ScriptedJob] = {}
        self.reviews: dict[str, reviews_pb2.Review] = {}
        self.dead_letters: list[pb.DeadLetter] = []
        self.requests: list[Any] = []
        self.calls: Counter[str] = Counter()
        self.downloads: list[str] = []
        self.uploads: list[str] = []
        self.break_watch_after: int | None = None
        self.break_upload_after: int | None = None
        self.wrong_digests = False
        self.held = False
        self.page_size = 2
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._stopping = False

    # What a test does

    def work(self, count: int | None = None) -> None:
        """Ends the next so many items of all jobs, or all."""
        with self._changed:
            waiting = [
                (job, item)
                for job in self.jobs.values()
                for item in job.items.values()
                if item.state == pb.JOB_ITEM_STATE_QUEUED
            ]
            for job, item in waiting[:count]:
                self._end(job, item)
            for job in self.jobs.values():
                self._complete(job)
            self._changed.notify_all()

    def stop(self) -> None:
        """Lets watchers go."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    # JobService

    def CreateJob(self, request: pb.CreateJobRequest, context: Any) -> pb.CreateJobResponse:  # noqa: N802
        self._note("CreateJob", request)
        with self._changed:
            for known in self.jobs.values():
                if request.request_id and known.request.request_id == request.request_id:
                    if known.request != request:
                        context.abort(grpc.StatusCode.ALREADY_EXISTS, "another request has this request_id")
                    return pb.CreateJobResponse(job=known.job)
            job = pb.Job(
                job_id=f"job_{next(self._numbers):032x}",
                request_id=request.request_id,
                label=request.label,
                state=pb.JOB_STATE_OPEN if request.accepts_uploads else pb.JOB_STATE_RUNNING,
                priority=request.priority or 5,
                options=request.options,
                catalogue_url=request.catalogue_url,
                webhook_url=request.webhook_url,
            )
            scripted = self.jobs[job.job_id] = ScriptedJob(job, request)
            self._event(scripted, pb.JOB_EVENT_TYPE_CREATED)
            names = [source.item_key or source.sku for source in request.items.items]
            names += [line.split(",")[0] for line in request.catalogue.decode().splitlines()[1:]]
            for row, name in enumerate(names, start=2):
                self._add(scripted, f"{row}-{name}", name, row)
            self._complete(scripted)
        if not self.held:
            self.work()
        return pb.CreateJobResponse(job=job)

    def UploadJobItems(  # noqa: N802
        self, request_iterator: Iterator[pb.UploadJobItemsRequest], context: Any
    ) -> pb.UploadJobItemsResponse:
        self._note("UploadJobItems")
        start = next(request_iterator).start
        job, added, photo, item = self.jobs[start.job_id], 0, b"", pb.UploadItem()
        for request in request_iterator:
            if request.HasField("item"):
                photo, item = b"", request.item
                continue
            photo += request.chunk.data
            if not request.chunk.last:
                continue
            if self.break_upload_after == added:
                self.break_upload_after = None
                context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
            with self._changed:
                self._add(job, item.item_key, item.sku, 0)
                job.contents[item.item_key] = b"packshot of " + photo
            self.uploads.append(item.item_key)
            added += 1
            if not self.held:
                self.work()
        with self._changed:
            if start.complete:
                job.job.state = pb.JOB_STATE_RUNNING
            self._complete(job)
            self._changed.notify_all()
        return pb.UploadJobItemsResponse(job=job.job, added=added)

    def GetJob(self, request: pb.GetJobRequest, context: Any) -> pb.GetJobResponse:  # noqa: N802
        self._note("GetJob", request)
        return pb.GetJobResponse(job=self._job(request.job_id, context).job)

    def ListJobs(self, request: pb.ListJobsRequest, context: Any) -> pb.ListJobsResponse:  # noqa: N802
        self._note("ListJobs", request)
        jobs = [
            job.job for job in reversed(self.jobs.values()) if not request.states or job.job.state in request.states
        ]
        page, token = self._page(jobs, request)
        return pb.ListJobsResponse(jobs=page, next_page_token=token)

    def ListJobItems(self, request: pb.ListJobItemsRequest, context: Any) -> pb.ListJobItemsResponse:  # noqa: N802
        self._note("ListJobItems", request)
        items = self._job(request.job_id, context).items.values()
        page, token = self._page([i for i in items if not request.states or i.state in request.states], request)
        return pb.ListJobItemsResponse(items=page, next_page_token=token)

    def CancelJob(self, request: pb.CancelJobRequest, context: Any) -> pb.CancelJobResponse:  # noqa: N802
        self._note("CancelJob", request)
        job = self._job(request.job_id, context)
        with self._changed:
            for item in job.items.values():
                if item.state == pb.JOB_ITEM_STATE_QUEUED:
                    item.state = pb.JOB_ITEM_STATE_CANCELLED
                    self._event(job, pb.JOB_EVENT_TYPE_ITEM_CANCELLED, item)
            self._event(job, pb.JOB_EVENT_TYPE_CANCELLED)
            self._changed.notify_all()
        return pb.CancelJobResponse(job=job.job)

    def RetryJobItems(self, request: pb.RetryJobItemsRequest, context: Any) -> pb.RetryJobItemsResponse:  # noqa: N802
        self._note("RetryJobItems", request)
        job = self._job(request.job_id, context)
        again = [
            item
            for item in job.items.values()
            if item.state in (pb.JOB_ITEM_STATE_FAILED, pb.JOB_ITEM_STATE_CANCELLED)
            and (not request.item_keys or item.item_key in request.item_keys)
        ]
        with self._changed:
            for item in again:
                item.state = pb.JOB_ITEM_STATE_QUEUED
                item.error_message = ""
                job.job.state = pb.JOB_STATE_RUNNING
                self._event(job, pb.JOB_EVENT_TYPE_ITEM_REQUEUED, item)
        answer = pb.RetryJobItemsResponse(job=job.job, retried=len(again))
        self.work()
        return answer

    def WatchJob(self, request: pb.WatchJobRequest, context: Any) -> Iterator[pb.WatchJobResponse]:  # noqa: N802
        self._note("WatchJob", request)
        job, sequence, sent = self._job(request.job_id, context), request.after_sequence, 0
        while True:
            with self._changed:
                ended = job.job.state in ENDS.values()
                new = job.events[sequence:]
                if not new and ended:
                    return
                if not new:
                    self._changed.wait(0.2)
                    if self._stopping or not context.is_active():
                        return
            for event in new:
                if sent == self.break_watch_after:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
                yield pb.WatchJobResponse(event=event)
                sequence, sent = event.sequence, sent + 1

    def GetJobResults(  # noqa: N802
        self, request: pb.GetJobResultsRequest, context: Any
    ) -> Iterator[pb.GetJobResultsResponse]:
        self._note("GetJobResults", request)
        yield pb.GetJobResultsResponse(data=pb.ResultsFormat.Name(request.format).encode() + b"\n")
        for item in self._job(request.job_id, context).items.values():
            yield pb.GetJobResultsResponse(data=f"{item.sku}\n".encode())

    def DownloadJobFile(  # noqa: N802
        self, request: pb.DownloadJobFileRequest, context: Any
    ) -> Iterator[pb.DownloadJobFileResponse]:
        self._note("DownloadJobFile", request)
        self.downloads.append(request.item_key)
        content = self._job(request.job_id, context).contents[request.item_key]
        yield pb.DownloadJobFileResponse(data=content[:5])
        yield pb.DownloadJobFileResponse(data=content[5:])

    def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Any) -> pb.ListDeadLettersResponse:  # noqa: N802
        self._note("ListDeadLetters", request)
        letters = [letter for letter in self.dead_letters if request.job_id in ("", letter.job_id)]
        page, token = self._page(letters, request)
        return pb.ListDeadLettersResponse(dead_letters=page, next_page_token=token)

    def RequeueDeadLetters(  # noqa: N802
        self, request: pb.RequeueDeadLettersRequest, context: Any
    ) -> pb.RequeueDeadLettersResponse:
        self._note("RequeueDeadLetters", request)
        return pb.RequeueDeadLettersResponse(requeued=len(request.dead_letter_ids) or len(self.dead_letters))

    # ReviewService

    def ListReviews(self, request: Any, context: Any) -> reviews_pb2.ListReviewsResponse:  # noqa: N802
        self._note("ListReviews", request)
        states = request.states or [reviews_pb2.REVIEW_STATE_WAITING]
        reviews = [r for r in self.reviews.values() if r.state in states and request.job_id in ("", r.job_id)]
        page, token = self._page(reviews, request)
        return reviews_pb2.ListReviewsResponse(reviews=page, next_page_token=token)

    def GetReview(self, request: Any, context: Any) -> reviews_pb2.GetReviewResponse:  # noqa: N802
        self._note("GetReview", request)
        return reviews_pb2.GetReviewResponse(review=self.reviews[request.review_id])

    def DecideReview(self, request: Any, context: Any) -> reviews_pb2.DecideReviewResponse:  # noqa: N802
        self._note("DecideReview", request)
        review = self.reviews[request.review_id]
        review.state = request.decision
        review.audit_trail.add(state=request.decision, decided_by="k-1", note=request.note, hints=request.hints)
        return reviews_pb2.DecideReviewResponse(review=review)

    # Inside

    def _note(self, method: str, request: Any = None) -> None:
        self.calls[method] += 1
        if request is not None:
            self.requests.append(request)

    def _job(self, job_id: str, context: Any) -> ScriptedJob:
        if job_id not in self.jobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no job {job_id}")
        return self.jobs[job_id]

    def _page(self, rows: "list[Any]", request: Any) -> "tuple[list[Any], str]":
        start, size = int(request.page_token or 0), min(request.page_size or self.page_size, self.page_size)
        return rows[start : start + size], str(start + size) if start + size < len(rows) else ""

    def _add(self, job: ScriptedJob, key: str, sku: str, row: int) -> None:
        if key not in job.items:
            job.items[key] = pb.JobItem(item_key=key, sku=sku, row_number=row, state=pb.JOB_ITEM_STATE_QUEUED)
            job.contents[key] = b"packshot of " + sku.encode()

    def _end(self, job: ScriptedJob, item: pb.JobItem) -> None:
        if item.sku.startswith("bad"):
            item.state, item.error_reason, item.error_message = pb.JOB_ITEM_STATE_FAILED, "BAD_ROW", "no image_url"
            self._event(job, pb.JOB_EVENT_TYPE_ITEM_FAILED, item)
            return
        odd = item.sku.startswith("odd")
        item.state = pb.JOB_ITEM_STATE_SUCCEEDED
        item.verdict = VERDICT_REVIEW if odd else VERDICT_PUBLISH
        content = job.contents[item.item_key]
        digest = hashlib.sha256(content + b"!" * self.wrong_digests).hexdigest()
        del item.files[:]
        for marketplace in list(job.job.options.marketplaces) or ["amazon-us"]:
            item.files.add(
                marketplace=marketplace, output=OUTPUT_JPEG, digest=f"sha256:{digest}", size_bytes=len(content)
            )
        if odd:
            review_id = item.review_id = f"rev_{next(self._numbers):032x}"
            self.reviews[review_id] = reviews_pb2.Review(
                review_id=review_id, job_id=job.job.job_id, item=item, state=reviews_pb2.REVIEW_STATE_WAITING
            )
        self._event(job, pb.JOB_EVENT_TYPE_ITEM_SUCCEEDED, item)

    def _complete(self, job: ScriptedJob) -> None:
        open_items = any(item.state == pb.JOB_ITEM_STATE_QUEUED for item in job.items.values())
        if job.job.state == pb.JOB_STATE_RUNNING and not open_items:
            self._event(job, pb.JOB_EVENT_TYPE_COMPLETED)

    def _event(self, job: ScriptedJob, kind: Any, item: pb.JobItem | None = None) -> None:
        items = job.items.values()
        states = Counter(item.state for item in items)
        verdicts = Counter(item.verdict for item in items if item.state == pb.JOB_ITEM_STATE_SUCCEEDED)
        counts = pb.JobCounts(
            total=len(job.items),
            queued=states[pb.JOB_ITEM_STATE_QUEUED],
            succeeded=states[pb.JOB_ITEM_STATE_SUCCEEDED],
            failed=states[pb.JOB_ITEM_STATE_FAILED],
            cancelled=states[pb.JOB_ITEM_STATE_CANCELLED],
            publish=verdicts[VERDICT_PUBLISH],
            review=verdicts[VERDICT_REVIEW],
        )
        job.job.counts.CopyFrom(counts)
        job.job.last_sequence += 1
        job.job.state = ENDS.get(kind, job.job.state)
        event = pb.JobEvent(sequence=job.job.last_sequence, job_id=job.job.job_id, type=kind, counts=counts)
        if item is not None:
            event.item.CopyFrom(item)
            del event.item.files[:]
        job.events.append(event)


@contextmanager
def serving_jobs(gateway: ScriptedJobs) -> Iterator[str]:
    """Serves on a free port of this machine; yields the address."""
    server = grpc.server(
        ThreadPoolExecutor(16),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    add_JobServiceServicer_to_server(gateway, server)
    add_ReviewServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        gateway.stop()
        server.stop(None).wait()
