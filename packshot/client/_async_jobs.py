"""Jobs of many photos, for asyncio; the same methods as the sync ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Unpack

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
)
from packshot.client._jobs import check_digest
from packshot.client._reconnect import PATIENCE_S, Reconnects
from packshot.errors import PackshotError
from packshot.v1 import jobs_pb2 as pb
from packshot.v1.jobs_pb2_grpc import JobServiceStub

if TYPE_CHECKING:
    from packshot.client._sync import PackshotClient


class AsyncJobs:
    """`client.jobs` of AsyncPackshotClient: arguments, methods and errors are Jobs'; lists are for `async for`."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        address: str,
        metadata: tuple[tuple[str, str], ...],
        timeout_s: float,
        upload_client: "Callable[[], AbstractContextManager[PackshotClient]]",
    ) -> None:
        self._stub = JobServiceStub(channel)
        self._address = address
        self._metadata = metadata
        self._timeout_s = timeout_s
        # grpc.aio forgets why a stream ended when that happens during a write.
        self._upload_client = upload_client

    async def create(
        self,
        *,
        items: Sequence[JobPhoto] | None = None,
        catalogue: bytes | None = None,
        catalogue_url: str | None = None,
        uploads: Sequence[JobPhoto] | None = None,
        **arguments: Unpack[JobArguments],
    ) -> pb.Job:
        """See Jobs.create."""
        request = await asyncio.to_thread(
            create_request, arguments, items=items, catalogue=catalogue, catalogue_url=catalogue_url, uploads=uploads
        )
        with translated(self._address):
            response = await self._stub.CreateJob(request, timeout=self._timeout_s, metadata=self._metadata)
        return await self.upload(response.job.job_id, uploads) if uploads else response.job

    async def upload(
        self, job_id: str, photos: Sequence[JobPhoto], *, complete: bool = True, patience_s: float = PATIENCE_S
    ) -> pb.Job:
        """See Jobs.upload."""
        with self._upload_client() as client:
            return await asyncio.to_thread(client.jobs.upload, job_id, photos, complete=complete, patience_s=patience_s)

    async def get(self, job_id: str) -> pb.Job:
        """See Jobs.get."""
        request = pb.GetJobRequest(job_id=job_id)
        with translated(self._address):
            response = await self._stub.GetJob(request, timeout=self._timeout_s, metadata=self._metadata)
        return response.job

    async def list(self, *, states: Sequence[JobStateName] = ()) -> AsyncIterator[pb.Job]:
        """See Jobs.list."""
        request = pb.ListJobsRequest(states=numbers(pb.JobState.DESCRIPTOR, states))
        while True:
            with translated(self._address):
                page = await self._stub.ListJobs(request, timeout=self._timeout_s, metadata=self._metadata)
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def items(self, job_id: str, *, states: Sequence[JobItemStateName] = ()) -> AsyncIterator[pb.JobItem]:
        """See Jobs.items."""
        token = ""  # a page's  # nosec B105
        while True:
            page = await self.item_page(job_id, states=states, page_token=token)
            for item in page.items:
                yield item
            token = page.next_page_token
            if not token:
                return

    async def item_page(
        self,
        job_id: str,
        *,
        states: Sequence[JobItemStateName] = (),
        page_size: int = 0,
        page_token: str = "",
    ) -> pb.ListJobItemsResponse:
        """See Jobs.item_page."""
        request = pb.ListJobItemsRequest(
            job_id=job_id,
            states=numbers(pb.JobItemState.DESCRIPTOR, states),
            page_size=page_size,
            page_token=page_token,
        )
        with translated(self._address):
            return await self._stub.ListJobItems(request, timeout=self._timeout_s, metadata=self._metadata)

    async def cancel(self, job_id: str) -> pb.Job:
        """See Jobs.cancel."""
        request = pb.CancelJobRequest(job_id=job_id)
        with translated(self._address):
            response = await self._stub.CancelJob(request, timeout=self._timeout_s, metadata=self._metadata)
        return response.job

    async def retry(self, job_id: str, item_keys: Sequence[str] = ()) -> pb.RetryJobItemsResponse:
        """See Jobs.retry."""
        request = pb.RetryJobItemsRequest(job_id=job_id, item_keys=item_keys)
        with translated(self._address):
            return await self._stub.RetryJobItems(request, timeout=self._timeout_s, metadata=self._metadata)

    async def watch(
        self, job_id: str, *, after_sequence: int = 0, patience_s: float = PATIENCE_S
    ) -> AsyncIterator[pb.JobEvent]:
        """See Jobs.watch."""
        reconnects = Reconnects(patience_s)
        while True:
            try:
                job = await self.get(job_id)
                reconnects.worked()
                if job.state in ENDED and job.last_sequence <= after_sequence:
                    return
                async for event in self._watch(job_id, after_sequence):
                    after_sequence = event.sequence
                    yield event
            except PackshotError as error:
                await asyncio.sleep(reconnects.wait_s(error))

    async def results(self, job_id: str, *, format: ResultsFormatName = "csv") -> AsyncIterator[bytes]:
        """See Jobs.results."""
        request = pb.GetJobResultsRequest(job_id=job_id, format=results_format(format))
        call = self._stub.GetJobResults(request, timeout=self._timeout_s, metadata=self._metadata)
        with translated(self._address):
            async for response in call:
                yield response.data

    async def download(self, job_id: str, item_key: str, file: pb.JobFile) -> bytes:
        """See Jobs.download."""
        request = pb.DownloadJobFileRequest(
            job_id=job_id, item_key=item_key, marketplace=file.marketplace, output=file.output
        )
        with translated(self._address):
            call = self._stub.DownloadJobFile(request, timeout=self._timeout_s, metadata=self._metadata)
            content = b"".join([response.data async for response in call])
        check_digest(content, file)
        return content

    async def dead_letters(self, job_id: str = "") -> AsyncIterator[pb.DeadLetter]:
        """See Jobs.dead_letters."""
        request = pb.ListDeadLettersRequest(job_id=job_id)
        while True:
            with translated(self._address):
                page = await self._stub.ListDeadLetters(request, timeout=self._timeout_s, metadata=self._metadata)
            for letter in page.dead_letters:
                yield letter
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def requeue_dead_letters(self, dead_letter_ids: Sequence[str] = ()) -> int:
        """See Jobs.requeue_dead_letters."""
        request = pb.RequeueDeadLettersRequest(dead_letter_ids=dead_letter_ids)
        with translated(self._address):
            response = await self._stub.RequeueDeadLetters(request, timeout=self._timeout_s, metadata=self._metadata)
        return response.requeued

    async def _watch(self, job_id: str, after_sequence: int) -> AsyncIterator[pb.JobEvent]:
        request = pb.WatchJobRequest(job_id=job_id, after_sequence=after_sequence)
        call = self._stub.WatchJob(request, metadata=self._metadata)
        try:
            with translated(self._address):
                async for response in call:
                    yield response.event
        finally:
            call.cancel()
