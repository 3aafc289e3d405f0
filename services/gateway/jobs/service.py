"""The servicer of jobs: requests in, what state and store say out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import structlog

from packshot.v1 import jobs_pb2_grpc
from packshot.v1.jobs_pb2 import (
    RESULTS_FORMAT_JSON_LINES,
    CancelJobRequest,
    CancelJobResponse,
    CreateJobRequest,
    CreateJobResponse,
    DownloadJobFileRequest,
    DownloadJobFileResponse,
    GetJobRequest,
    GetJobResponse,
    GetJobResultsRequest,
    GetJobResultsResponse,
    Job,
    JobItem,
    ListDeadLettersRequest,
    ListDeadLettersResponse,
    ListJobItemsRequest,
    ListJobItemsResponse,
    ListJobsRequest,
    ListJobsResponse,
    RequeueDeadLettersRequest,
    RequeueDeadLettersResponse,
    RetryJobItemsRequest,
    RetryJobItemsResponse,
    UploadJobItemsRequest,
    UploadJobItemsResponse,
    WatchJobRequest,
    WatchJobResponse,
)
from packshot.v1.packshot_pb2 import Output
from services.common.errors import ServiceError
from services.gateway.auth import current_tenant
from services.gateway.jobs import create, export, pages
from services.gateway.jobs.calls import stage_call
from services.gateway.jobs.errors import as_service_errors, not_configured
from services.gateway.jobs.files import file_messages
from services.gateway.jobs.store import JobStore
from services.gateway.jobs.uploads import Upload
from services.gateway.limits import TenantLimits
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages
from services.gateway.state import dead_letters, jobs, proto
from services.gateway.state.errors import NotFoundError
from services.gateway.state.jobs import ItemView

Context = grpc.aio.ServicerContext[Any, Any]

_RESULTS_PAGE: Final = 200


class JobServicer(jobs_pb2_grpc.JobServiceServicer):
    """JobService.

    Args:
        settings: The gateway's.
        stages: Asked whether a job's marketplaces are known.
        store: Where jobs are kept; None when this gateway keeps none.
        limits: Of tenants, on what they send; None without a database.
    """

    def __init__(
        self, settings: GatewaySettings, stages: Stages, store: JobStore | None, limits: TenantLimits | None
    ) -> None:
        self._settings = settings
        self._stages = stages
        self._limits = limits
        self._configured = store
        self._stopping = asyncio.Event()

    def stop_reading(self) -> None:
        """Uploads and watches end: their callers go on elsewhere."""
        self._stopping.set()
        if self._configured is not None:
            self._configured.watches.stop()

    async def CreateJob(self, request: CreateJobRequest, context: Context) -> CreateJobResponse:
        store, call = self._store, stage_call(context, self._settings.default_deadline_ms)
        if self._limits is not None:
            size_bytes = sum(len(item.content) for item in request.items.items)
            await self._limits.spend_bytes(current_tenant(), size_bytes)
        with as_service_errors():
            job = await create.create_job(store, self._stages, call, request, self._settings)
            structlog.contextvars.bind_contextvars(job_id=job.id)
            return CreateJobResponse(job=await _message(store, job.tenant, job.id))

    async def UploadJobItems(
        self, request_iterator: AsyncIterator[UploadJobItemsRequest], context: Context
    ) -> UploadJobItemsResponse:
        store = self._store
        upload = Upload(
            store,
            self._limits,
            current_tenant(),
            max_photo_bytes=self._settings.max_upload_bytes,
            stopping=self._stopping,
        )
        with as_service_errors():
            uploaded = await upload.receive(request_iterator)
            return UploadJobItemsResponse(
                job=await _message(store, current_tenant(), uploaded.job_id),
                added=uploaded.added,
                skipped=uploaded.skipped,
            )

    async def GetJob(self, request: GetJobRequest, context: Context) -> GetJobResponse:
        store = self._store
        with as_service_errors():
            return GetJobResponse(job=await _message(store, current_tenant(), request.job_id))

    async def ListJobs(self, request: ListJobsRequest, context: Context) -> ListJobsResponse:
        size, after = pages.page_size(request), pages.position_in_time(request)
        states = proto.job_states(request.states)
        with as_service_errors():
            async with self._store.database.read() as session:
                found = await jobs.list_jobs(session, current_tenant(), states=states, after=after, limit=size + 1)
                counts = await jobs.counts_of(session, [job.id for job in found])
        response = ListJobsResponse(jobs=[proto.job_message(job, counts[job.id]) for job in found[:size]])
        if len(found) > size:
            last = found[size - 1]
            response.next_page_token = pages.next_page_token(request, (last.created_at.isoformat(), last.id))
        return response

    async def ListJobItems(self, request: ListJobItemsRequest, context: Context) -> ListJobItemsResponse:
        store = self._store
        size, after = pages.page_size(request), pages.position(request, (int,))
        with as_service_errors():
            async with store.database.read() as session:
                found = await jobs.list_items(
                    session,
                    current_tenant(),
                    request.job_id,
                    states=proto.item_states(request.states),
                    after_position=int(after[0]) if after else -1,
                    limit=size + 1,
                )
            response = ListJobItemsResponse(items=await _items(store, found[:size]))
        if len(found) > size:
            response.next_page_token = pages.next_page_token(request, (found[size - 1].item.position,))
        return response

    async def CancelJob(self, request: CancelJobRequest, context: Context) -> CancelJobResponse:
        store, tenant, now = self._store, current_tenant(), datetime.now(UTC)
        with as_service_errors():
            job = await store.database.write(lambda s: jobs.cancel_job(s, tenant, request.job_id, now))
            store.changed(job.id)
            return CancelJobResponse(job=await _message(store, tenant, job.id))

    async def RetryJobItems(self, request: RetryJobItemsRequest, context: Context) -> RetryJobItemsResponse:
        store, tenant, now = self._store, current_tenant(), datetime.now(UTC)
        with as_service_errors():
            _check_keys("item", request.item_keys)
            job, retried = await store.database.write(
                lambda s: jobs.retry_items(s, tenant, request.job_id, request.item_keys, now)
            )
            store.changed(job.id)
            return RetryJobItemsResponse(job=await _message(store, tenant, job.id), retried=retried)

    async def WatchJob(self, request: WatchJobRequest, context: Context) -> AsyncGenerator[WatchJobResponse, None]:
        watching = self._store.watches.events(current_tenant(), request.job_id, request.after_sequence)
        async with aclosing(watching) as events:
            async for event in events:
                yield WatchJobResponse(event=event)

    async def GetJobResults(
        self, request: GetJobResultsRequest, context: Context
    ) -> AsyncGenerator[GetJobResultsResponse, None]:
        rows = _all_items(self._store, current_tenant(), request.job_id)
        as_lines = request.format == RESULTS_FORMAT_JSON_LINES
        with as_service_errors():
            async with aclosing(rows):
                async for chunk in export.json_lines_chunks(rows) if as_lines else export.csv_chunks(rows):
                    yield GetJobResultsResponse(data=chunk)

    async def DownloadJobFile(
        self, request: DownloadJobFileRequest, context: Context
    ) -> AsyncGenerator[DownloadJobFileResponse, None]:
        store = self._store
        with as_service_errors():
            _check_keys("item", [request.item_key])
            async with store.database.read() as session:
                view = await jobs.get_item(session, current_tenant(), request.job_id, request.item_key)
            wanted = (request.marketplace, request.output)
            file = next((file for file in view.files if (file.marketplace, file.output) == wanted), None)
            if file is None:
                raise ServiceError(
                    grpc.StatusCode.NOT_FOUND,
                    "FILE_NOT_FOUND",
                    f"item {request.item_key} has no {Output.Name(request.output)} for {request.marketplace}",
                )
            async for data in store.objects.stream(file.object, file.sha256):
                yield DownloadJobFileResponse(data=data)

    async def ListDeadLetters(self, request: ListDeadLettersRequest, context: Context) -> ListDeadLettersResponse:
        size, after = pages.page_size(request), pages.position_in_time(request)
        with as_service_errors():
            async with self._store.database.read() as session:
                found = await dead_letters.list_dead_letters(
                    session, current_tenant(), job_id=request.job_id, after=after, limit=size + 1
                )
        response = ListDeadLettersResponse(
            dead_letters=[proto.dead_letter_message(view.dead_letter, view.item) for view in found[:size]]
        )
        if len(found) > size:
            last = found[size - 1].dead_letter
            response.next_page_token = pages.next_page_token(request, (last.died_at.isoformat(), last.id))
        return response

    async def RequeueDeadLetters(
        self, request: RequeueDeadLettersRequest, context: Context
    ) -> RequeueDeadLettersResponse:
        store, tenant, now = self._store, current_tenant(), datetime.now(UTC)
        with as_service_errors():
            _check_keys("dead letter", request.dead_letter_ids)
            requeued = await store.database.write(
                lambda s: dead_letters.requeue(s, tenant, request.dead_letter_ids, now)
            )
        return RequeueDeadLettersResponse(requeued=requeued)

    @property
    def _store(self) -> JobStore:
        if self._configured is None:
            raise not_configured()
        return self._configured


def _check_keys(what: str, keys: Iterable[str]) -> None:
    """PostgreSQL does not even look for what holds a NUL; no key and no id does."""
    for key in keys:
        if "\0" in key:
            raise NotFoundError(what, repr(key))


async def _message(store: JobStore, tenant: str, job_id: str) -> Job:
    async with store.database.read() as session:
        job = await jobs.get_job(session, tenant, job_id)
        return proto.job_message(job, await jobs.counts(session, job_id))


async def _items(store: JobStore, views: Sequence[ItemView]) -> list[JobItem]:
    """The items with URLs of their files."""
    return [
        proto.item_message(view.item, view.result, await file_messages(store.objects, view.files, store.url_lifetime_s))
        for view in views
    ]


async def _all_items(store: JobStore, tenant: str, job_id: str) -> AsyncGenerator[Sequence[JobItem], None]:
    """A job's items, page by page, each as it is when its page is read."""
    position = -1
    while True:
        async with store.database.read() as session:
            views = await jobs.list_items(session, tenant, job_id, after_position=position, limit=_RESULTS_PAGE)
        if not views:
            return
        yield await _items(store, views)
        position = views[-1].item.position
