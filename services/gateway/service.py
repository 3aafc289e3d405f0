"""The gateway's servicer: requests in, pipeline's answers out."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from time import monotonic
from typing import Any

import grpc
import structlog

from packshot.v1 import packshot_pb2_grpc
from packshot.v1.packshot_pb2 import (
    CheckImageRequest,
    CheckImageResponse,
    CutOutImageRequest,
    CutOutImageResponse,
    ProcessImageRequest,
    ProcessImageResponse,
    ProcessImagesRequest,
    ProcessImagesResponse,
    ProcessOptions,
)
from packshot.v1.rules_pb2 import (
    GetRulePackRequest,
    GetRulePackResponse,
    ListRulePacksRequest,
    ListRulePacksResponse,
)
from services.common.interceptors import remaining_s, request_id
from services.gateway.admission import Admission
from services.gateway.auth import current_tenant
from services.gateway.concurrency import ConcurrencyLimit, Visit
from services.gateway.limits import TenantLimits
from services.gateway.pipeline import Pipeline
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Call, Stages
from services.gateway.stream import PhotoStream

Context = grpc.aio.ServicerContext[Any, Any]


class PackshotServicer(packshot_pb2_grpc.PackshotServiceServicer):
    """PackshotService over a pipeline."""

    def __init__(
        self, settings: GatewaySettings, pipeline: Pipeline, stages: Stages, limits: TenantLimits | None
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._stages = stages
        limit = ConcurrencyLimit(settings.max_concurrent_photos, settings.target_wait_ms / 1000)
        self._admission = Admission(limit, limits)
        self._stopping = asyncio.Event()

    def stop_reading(self) -> None:
        """Streams take no further photos; those in work are still answered."""
        self._stopping.set()

    async def ProcessImage(self, request: ProcessImageRequest, context: Context) -> ProcessImageResponse:
        async with self._admission.enter(current_tenant(), len(request.photo)) as visit:
            call = self._call(context, request.request_id, visit)
            return await self._pipeline.process(call, request.photo, request.options)

    async def ProcessImages(
        self, request_iterator: AsyncIterator[ProcessImagesRequest], context: Context
    ) -> AsyncGenerator[ProcessImagesResponse, None]:
        async def process(item_id: str, photo: bytes, options: ProcessOptions) -> ProcessImageResponse:
            async with self._admission.wait(current_tenant(), len(photo)) as visit:
                return await self._pipeline.process(self._call(context, "", visit, item_id), photo, options)

        stream = PhotoStream(
            process,
            max_items=self._settings.max_stream_items,
            max_upload_bytes=self._settings.max_upload_bytes,
            stopping=self._stopping,
        )
        async with aclosing(stream.answer(request_iterator)) as responses:
            async for response in responses:
                yield response

    async def CheckImage(self, request: CheckImageRequest, context: Context) -> CheckImageResponse:
        async with self._admission.enter(current_tenant(), len(request.image)) as visit:
            return await self._pipeline.check(self._call(context, request.request_id, visit), request)

    async def CutOutImage(self, request: CutOutImageRequest, context: Context) -> CutOutImageResponse:
        async with self._admission.enter(current_tenant(), len(request.photo)) as visit:
            return await self._pipeline.cut_out(self._call(context, request.request_id, visit), request)

    async def ListRulePacks(self, request: ListRulePacksRequest, context: Context) -> ListRulePacksResponse:
        return await self._stages.rule_packs(self._call(context, "", Visit()))

    async def GetRulePack(self, request: GetRulePackRequest, context: Context) -> GetRulePackResponse:
        return GetRulePackResponse(pack=await self._stages.rule_pack(self._call(context, "", Visit()), request))

    def _call(self, context: Context, asked_id: str, visit: Visit, item_id: str = "") -> Call:
        """The caller's deadline; for a call without one, and for each item of a stream, the default."""
        timeout_s = remaining_s(context)
        default_s = self._settings.default_deadline_ms / 1000
        if timeout_s is None or (item_id and timeout_s > default_s):
            timeout_s = default_s
        if asked_id:
            structlog.contextvars.bind_contextvars(request_id=asked_id)
        return Call(
            request_id=request_id() or uuid.uuid4().hex,
            tenant=current_tenant(),
            deadline=monotonic() + timeout_s,
            patient=bool(item_id),
            item_id=item_id,
            visit=visit,
        )
