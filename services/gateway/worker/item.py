"""One item: its photo fetched, found in the store or made, and its files put away."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, TypeVar

import structlog

from packshot.report import report_to_json
from packshot.v1.packshot_pb2 import (
    OUTPUT_JPEG,
    OUTPUT_REPORT_JSON,
    OUTPUT_TRANSPARENT_PNG,
    MarketplaceResult,
    Output,
    ProcessImageResponse,
    ProcessOptions,
)
from packshot.v1.report_pb2 import VERDICT_PUBLISH, VERDICT_REJECT, VERDICT_REVIEW, Report, Verdict
from services.common.errors import STAGE_UNAVAILABLE, ServiceError
from services.common.telemetry.steps import step
from services.gateway import objects as object_keys
from services.gateway.limits import TenantLimits
from services.gateway.metrics import CACHE_LOOKUPS
from services.gateway.objects import Objects, ObjectStoreError, digest_of
from services.gateway.pipeline import Pipeline
from services.gateway.sources.errors import SourceError
from services.gateway.sources.fetcher import Fetcher
from services.gateway.stages import Call, Stages
from services.gateway.state import results
from services.gateway.state.database import Database
from services.gateway.state.tables import Item, Result
from services.gateway.state.work import Claimed, NewFile, NewResult
from services.gateway.worker import backoff, failures
from services.gateway.worker.failures import AttemptError, Remedy
from services.gateway.worker.isolation import Isolation
from services.gateway.worker.recipe import normalised, result_key, without_report_file
from services.gateway.worker.versions import Versions

T = TypeVar("T")

log = structlog.get_logger()

_WAIT_S: Final = 1.0
_STORE_WAITS: Final = 5
"""Half a minute together. What is made is worth holding that long; then others have their turn."""
_FILE_NAMES: Final = {
    OUTPUT_JPEG: "packshot.jpg",
    OUTPUT_TRANSPARENT_PNG: "packshot.png",
    OUTPUT_REPORT_JSON: "packshot.report.json",
}
_FROM_BEST: Final = (VERDICT_PUBLISH, VERDICT_REVIEW, VERDICT_REJECT)
_VERDICT_NAMES: Final = {VERDICT_PUBLISH: "publish", VERDICT_REVIEW: "review", VERDICT_REJECT: "reject"}


class StoppingError(Exception):
    """The worker stops while the item waits for a stage: another should have it."""


class Maker:
    """Makes items' results.

    Args:
        database: To look for results that are there already.
        objects: Where photos and files are kept.
        fetcher: Fetches photos from URLs.
        stages: Without retries: see `services.gateway.worker.failures`.
        pipeline: Over these stages.
        limits: What tenants may use, in calls and jobs together.
        default_marketplace: For items that name none.
        timeout_s: For a photo's way through the stages.
    """

    def __init__(
        self,
        database: Database,
        objects: Objects,
        fetcher: Fetcher,
        stages: Stages,
        pipeline: Pipeline,
        limits: TenantLimits,
        *,
        default_marketplace: str,
        timeout_s: float,
    ) -> None:
        self._database = database
        self._objects = objects
        self._fetcher = fetcher
        self._stages = stages
        self._pipeline = pipeline
        self._limits = limits
        self._default_marketplace = default_marketplace
        self._timeout_s = timeout_s
        self._versions = Versions(stages)
        self._isolation = Isolation()
        self._chance = random.Random()  # noqa: S311 - only spreads waits  # nosec B311

    async def stages_ready(self, stopping: asyncio.Event) -> None:
        """Waits for stages that are away. Raises StoppingError when `stopping` is set before."""
        if not self._stages.are_ready():
            await _unless(stopping, self._stages.wait_until_ready())

    async def make(self, claimed: Claimed, stopping: asyncio.Event) -> NewResult | Result:
        """The item's result, its files in the store: a new one, or one that was there.

        Waits for stages that are away, however long, and half a minute for a store that is away or full.

        Raises:
            AttemptError: This attempt failed; its remedy is WAIT when the store is still away or full.
            StoppingError: A stage or the store is away and `stopping` is set.
            UnavailableError: The database is away.
        """
        photo, photo_key = await self._photo(claimed.item, stopping)
        options = normalised(claimed.options, self._default_marketplace)
        while True:
            await self.stages_ready(stopping)
            try:
                return await self._made(claimed, photo, photo_key, options, stopping)
            except ServiceError as error:
                failure = failures.of_stages(error, stages_ready=self._stages.are_ready())
            if failure.remedy is not Remedy.WAIT:
                raise failure
            log.info("an item waits", item_id=claimed.item.id, reason=failure.reason)
            await _unless(stopping, asyncio.sleep(failure.after_s or _WAIT_S))

    async def _photo(self, item: Item, stopping: asyncio.Event) -> tuple[bytes, str]:
        """The photo's bytes, and where they are kept."""
        if item.photo_object:
            key, digest = item.photo_object, item.photo_object.rsplit("/", 1)[-1]
            return await self._from_store(lambda: self._objects.get(key, digest), stopping), key
        try:
            with step("fetch"):
                photo = await self._fetcher.fetch(item.source_url)
        except SourceError as error:
            raise _of_source(error) from error
        key = object_keys.photo_key(item.tenant, await asyncio.to_thread(digest_of, photo))
        await self._from_store(lambda: self._objects.put(key, photo), stopping)
        return photo, key

    async def _from_store(self, ask: Callable[[], Awaitable[T]], stopping: asyncio.Event) -> T:
        """The store's answer, asked again while it is away or full. Raises AttemptError, StoppingError."""
        waits = 0
        while True:
            try:
                return await ask()
            except ObjectStoreError as error:
                failure = _of_store(error)
            if failure.remedy is not Remedy.WAIT or waits == _STORE_WAITS:
                raise failure
            waits += 1
            log.warning("an item waits for the store", reason=failure.reason, error=failure.message)
            await _unless(stopping, asyncio.sleep(backoff.delay_s(waits, _WAIT_S, self._chance)))

    async def _made(
        self, claimed: Claimed, photo: bytes, photo_key: str, options: ProcessOptions, stopping: asyncio.Event
    ) -> NewResult | Result:
        call = self._call(claimed)
        photo_sha256 = photo_key.rsplit("/", 1)[-1]
        key = await self._key(call, photo_sha256, options)
        async with self._database.read() as session:
            known = await results.find(session, claimed.item.tenant, key)
        CACHE_LOOKUPS.labels("results", "miss" if known is None else "hit").inc()
        if known is not None:
            return known
        response = await self._process(claimed, photo, options)
        if await self._key(self._call(claimed), photo_sha256, options) != key:
            log.info("rules or model changed meanwhile, the item is made again", item_id=claimed.item.id)
            return await self._made(claimed, photo, photo_key, options, stopping)
        with step("store"):
            files = await self._put_files(claimed.item.tenant, key, options, response, stopping)
        reports = [result.report for result in response.results]
        return NewResult(
            result_id=f"res_{secrets.token_hex(16)}",
            key=key,
            photo_sha256=photo_sha256,
            photo_object=photo_key,
            response=_without_images(response).SerializeToString(),
            verdict=_VERDICT_NAMES[_worst(reports)],
            confidence=min(report.confidence.value for report in reports),
            files=files,
        )

    async def _process(self, claimed: Claimed, photo: bytes, options: ProcessOptions) -> ProcessImageResponse:
        item = claimed.item
        suspect = item.attempts > 1 and item.error_reason == STAGE_UNAVAILABLE
        async with (
            self._isolation.alone() if suspect else self._isolation.together(),
            self._limits.enter(item.tenant, len(photo)),
        ):
            return await self._pipeline.process(self._call(claimed), photo, without_report_file(options))

    async def _key(self, call: Call, photo_sha256: str, options: ProcessOptions) -> str:
        packs = await self._versions.packs(call, options.marketplaces, options.category)
        digest = await self._versions.segmenter_digest(call)
        return result_key(photo_sha256, options, packs, digest, datetime.now(UTC).date())

    async def _put_files(
        self,
        tenant: str,
        key: str,
        options: ProcessOptions,
        response: ProcessImageResponse,
        stopping: asyncio.Event,
    ) -> list[NewFile]:
        return [
            await self._from_store(lambda: self._put_file(tenant, key, result, output), stopping)  # noqa: B023
            for result in response.results
            for output in options.outputs
            if output == OUTPUT_REPORT_JSON or any(image.output == output for image in result.images)
        ]

    async def _put_file(self, tenant: str, key: str, result: MarketplaceResult, output: Output.ValueType) -> NewFile:
        content, width_px, height_px = _content(result, output)
        where = object_keys.result_key(tenant, key, result.marketplace, _FILE_NAMES[output])
        return NewFile(
            marketplace=result.marketplace,
            output=output,
            object=where,
            sha256=await self._objects.put(where, content),
            size_bytes=len(content),
            width_px=width_px,
            height_px=height_px,
        )

    def _call(self, claimed: Claimed) -> Call:
        item = claimed.item
        return Call(
            request_id=request_id_of(item),
            tenant=item.tenant,
            deadline=monotonic() + self._timeout_s,
            patient=True,
            item_id=item.key,
            wait_for_ready=True,
        )


def request_id_of(item: Item) -> str:
    """What the stages call an attempt at an item."""
    return f"item-{item.id}-{item.attempts}"


async def _unless(stopping: asyncio.Event, waiting: Coroutine[Any, Any, None]) -> None:
    """Waits; raises StoppingError as soon as `stopping` is set."""
    done, stop = asyncio.create_task(waiting), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({done, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise StoppingError
        done.result()
    finally:
        done.cancel()
        stop.cancel()
        await asyncio.gather(done, stop, return_exceptions=True)


def _content(result: MarketplaceResult, output: Output.ValueType) -> tuple[bytes, int, int]:
    """(bytes, width and height in pixels) of a file; the report has no size, and tells no times: they differ from one
    making to the next, and the same key must mean the same bytes."""
    if output == OUTPUT_REPORT_JSON:
        report = Report()
        report.CopyFrom(result.report)
        del report.timings[:]
        return report_to_json(report).encode(), 0, 0
    image = next(image for image in result.images if image.output == output)
    return image.content, image.width_px, image.height_px


def _without_images(response: ProcessImageResponse) -> ProcessImageResponse:
    kept = ProcessImageResponse()
    kept.results.extend(
        MarketplaceResult(marketplace=result.marketplace, report=result.report) for result in response.results
    )
    return kept


def _worst(reports: Sequence[Report]) -> Verdict.ValueType:
    return max((report.verdict for report in reports), key=_FROM_BEST.index)


def _of_store(error: ObjectStoreError) -> AttemptError:
    return AttemptError(Remedy.NONE if error.is_permanent else Remedy.WAIT, error.reason, error.message)


def _of_source(error: SourceError) -> AttemptError:
    remedy = Remedy.NONE if error.is_permanent else Remedy.RETRY
    return AttemptError(remedy, error.reason, error.message, error.retry_after_s)
