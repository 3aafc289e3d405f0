"""Making a job: what is checked before, what its items are, and what makes its request the same as another."""

import asyncio
import hashlib
import itertools
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from packshot.v1.jobs_pb2 import CreateJobRequest, JobItemSource
from packshot.v1.packshot_pb2 import ProcessOptions
from services.common.errors import invalid_argument
from services.common.telemetry.traces import traceparent
from services.gateway import request as requests
from services.gateway.catalogue.reader import read_catalogue
from services.gateway.catalogue.rows import CatalogueError, CatalogueRow, item_key
from services.gateway.jobs.files import keep_photo
from services.gateway.jobs.store import JobStore
from services.gateway.objects import Objects
from services.gateway.settings import GatewaySettings
from services.gateway.sources.buckets import SCHEMES as BUCKET_SCHEMES
from services.gateway.sources.settings import SourceSettings
from services.gateway.sources.urls import RefusedError, check_url, parse_url
from services.gateway.stages import Call, Stages
from services.gateway.state import jobs
from services.gateway.state.jobs import NewItem, NewJob
from services.gateway.state.tables import Job, JobState
from services.gateway.work import Work

_DEFAULT_PRIORITY: Final = 5
_PUTS_AT_ONCE: Final = 8


async def create_job(
    store: JobStore, stages: Stages, call: Call, asked: CreateJobRequest, settings: GatewaySettings
) -> Job:
    """The job of this request: made now, or when the same request came before.

    Raises:
        ServiceError: The request is wrong beyond what the protos can say, or the validator is down.
        StateError: See `state.jobs.create_job`.
        ObjectStoreError: A photo cannot be kept.
    """
    await _check(stages, call, asked, settings)
    catalogue_format, items = await _items(store.objects, call.tenant, asked)
    new = NewJob(
        job_id=f"job_{secrets.token_hex(16)}",
        tenant=call.tenant,
        request_id=asked.request_id or None,
        request_sha256=request_sha256(asked),
        label=jobs.without_nul(asked.label),
        state=_first_state(asked),
        priority=asked.priority or _DEFAULT_PRIORITY,
        options=asked.options.SerializeToString(deterministic=True),
        catalogue_url=jobs.without_nul(asked.catalogue_url),
        catalogue_format=catalogue_format,
        webhook_url=asked.webhook_url,
        traceparent=traceparent(),
    )
    now = datetime.now(UTC)
    job, made = await store.database.write(lambda session: jobs.create_job(session, new, items, now))
    if made:
        store.changed(job.id)
    return job


def request_sha256(asked: CreateJobRequest) -> str:
    """Of what is asked, whatever the request's id; 64 hex digits."""
    content = CreateJobRequest()
    content.CopyFrom(asked)
    content.ClearField("request_id")
    return hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()


def items_of_rows(rows: Iterable[CatalogueRow]) -> Iterator[NewItem]:
    """The items of a catalogue; a bad row is one that has failed."""
    for row in rows:
        yield NewItem(
            key=item_key(row),
            sku=row.sku,
            row_number=row.row_number,
            source_url=row.image_url,
            category=row.category,
            marketplaces=row.marketplaces,
            error_reason=row.error_reason,
            error_message=row.error_message,
        )


async def _check(stages: Stages, call: Call, asked: CreateJobRequest, settings: GatewaySettings) -> None:
    """The same errors for the options as ProcessImage gives, before anything is kept."""
    options: ProcessOptions = asked.options
    scope = requests.scope(
        options.marketplaces,
        options.category,
        options.as_of_date,
        default_marketplace=settings.default_marketplace,
        prefix="options.",
    )
    await Work(stages, call, b"", scope, prefix="options.").packs()
    if asked.catalogue_url.partition("://")[0].lower() not in BUCKET_SCHEMES:
        _check_url("catalogue_url", asked.catalogue_url, settings.sources)
    _check_url("webhook_url", asked.webhook_url, settings.sources)


def _check_url(field: str, url: str, settings: SourceSettings) -> None:
    """By its looks; where it leads is found out when connecting."""
    try:
        if url:
            check_url(parse_url(url), settings)
    except RefusedError as error:
        raise invalid_argument(field, error.reason, error.message) from error


def _first_state(asked: CreateJobRequest) -> JobState:
    match asked.WhichOneof("source"):
        case "accepts_uploads":
            return JobState.OPEN
        case "catalogue_url":
            return JobState.READING
        case _:
            return JobState.RUNNING


async def _items(objects: Objects, tenant: str, asked: CreateJobRequest) -> tuple[str, Sequence[NewItem]]:
    """(catalogue's format, items): those that are known already, their photos in the store."""
    match asked.WhichOneof("source"):
        case "items":
            return "", await _given_items(objects, tenant, asked.items.items)
        case "catalogue":
            try:
                catalogue = await asyncio.to_thread(read_catalogue, asked.catalogue)
            except CatalogueError as error:
                raise invalid_argument("catalogue", error.reason, error.message) from error
            return catalogue.format, list(items_of_rows(catalogue.rows))
        case _:
            return "", ()


async def _given_items(objects: Objects, tenant: str, sources: Sequence[JobItemSource]) -> list[NewItem]:
    keys = [_key(source, number) for number, source in enumerate(sources, 1)]
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key in seen:
            raise invalid_argument(f"items.items[{index}].item_key", "DUPLICATE_ITEM_KEY", f"{key!r} is there already")
        seen.add(key)
    items = []
    numbered = iter(zip(keys, sources, strict=True))
    while batch := list(itertools.islice(numbered, _PUTS_AT_ONCE)):
        items += await asyncio.gather(*(_given_item(objects, tenant, key, source) for key, source in batch))
    return items


def _key(source: JobItemSource, number: int) -> str:
    """The caller's, or made as those of a catalogue's rows are."""
    return source.item_key or item_key(CatalogueRow(number, source.sku, source.url))


async def _given_item(objects: Objects, tenant: str, key: str, source: JobItemSource) -> NewItem:
    return NewItem(
        key=key,
        sku=source.sku,
        source_url=source.url,
        photo_object=await keep_photo(objects, tenant, source.content) if source.content else "",
        category=source.category,
        marketplaces=tuple(source.marketplaces),
    )
