"""Jobs, items and results as the tests of the gateway's state need them."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from packshot.v1.packshot_pb2 import OUTPUT_JPEG, MarketplaceResult, ProcessImageResponse, ProcessOptions
from packshot.v1.report_pb2 import Report
from services.gateway.state import jobs, tenants, work
from services.gateway.state.database import Database
from services.gateway.state.jobs import NewItem, NewJob
from services.gateway.state.tables import Job, JobState
from services.gateway.state.work import Claimed, NewFile, NewResult

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT = "acme"


def job_id() -> str:
    return f"job_{uuid.uuid4().hex}"


def new_job(
    *,
    tenant: str = TENANT,
    request_id: str | None = None,
    content: str = "",
    state: JobState = JobState.RUNNING,
    webhook_url: str = "",
    options: ProcessOptions | None = None,
) -> NewJob:
    return NewJob(
        job_id=job_id(),
        tenant=tenant,
        request_id=request_id,
        request_sha256=hashlib.sha256(content.encode()).hexdigest(),
        label="spring",
        state=state,
        priority=5,
        options=(options or ProcessOptions()).SerializeToString(),
        webhook_url=webhook_url,
    )


def new_items(count: int, first: int = 0) -> Iterator[NewItem]:
    for number in range(first, first + count):
        yield NewItem(key=f"item-{number:05}", sku=f"SKU{number}", source_url=f"https://shop.example/{number}.jpg")


async def make_job(
    database: Database, new: NewJob | None = None, items: Iterable[NewItem] = (), now: datetime = NOW
) -> Job:
    """A job and, if needed, its tenant."""
    new = new or new_job()

    async def make(session: AsyncSession) -> Job:
        await tenants.ensure(session, new.tenant, now)
        return (await jobs.create_job(session, new, items, now))[0]

    return await database.write(make)


def new_result(
    photo: str = "a photo", *, verdict: str = "publish", confidence: float = 0.9, key: str | None = None
) -> NewResult:
    sha256 = hashlib.sha256(photo.encode()).hexdigest()
    report = Report(marketplace="amazon-us")
    response = ProcessImageResponse(results=[MarketplaceResult(marketplace="amazon-us", report=report)])
    return NewResult(
        result_id=f"res_{uuid.uuid4().hex}",
        key=key or sha256,
        photo_sha256=sha256,
        photo_object=f"{TENANT}/photos/{sha256}",
        response=response.SerializeToString(),
        verdict=verdict,
        confidence=confidence,
        files=[
            NewFile(
                marketplace="amazon-us",
                output=OUTPUT_JPEG,
                object=f"{TENANT}/results/{sha256}/amazon-us/jpeg.jpg",
                sha256=sha256,
                size_bytes=1000,
                width_px=2000,
                height_px=2000,
            )
        ],
    )


async def claim_next(database: Database, job: Job, now: datetime = NOW, lease_s: float = 60.0) -> Claimed:
    """The job's next waiting item, dispatched and claimed by a worker of its own."""

    async def take(session: AsyncSession) -> Claimed:
        (dispatched,) = await work.take_for_dispatch(session, job.id, 1, now)
        claimed = await work.claim(session, dispatched.item_id, "worker-1", uuid.uuid4().hex, now, lease_s)
        assert claimed is not None
        return claimed

    return await database.write(take)


async def finish_next(database: Database, job: Job, result: NewResult | None = None, now: datetime = NOW) -> Claimed:
    """The job's next waiting item, made into `result`."""
    claimed = await claim_next(database, job, now)
    made = result or new_result(claimed.item.key)
    assert await database.write(lambda session: work.finish(session, claimed, made, now))
    return claimed
