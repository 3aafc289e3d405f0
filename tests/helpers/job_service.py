"""JobService and ReviewService on a unix socket over a real SQLite file and a folder of objects, and a hand that works.

No worker runs: a test says what becomes of each item (`Jobs.succeed`, `Jobs.fail`).
"""

import asyncio
import contextlib
import hashlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from packshot.v1 import jobs_pb2_grpc, reviews_pb2_grpc
from packshot.v1.jobs_pb2 import (
    CreateJobRequest,
    Job,
    JobItem,
    JobItemSource,
    JobItemSources,
    ListJobItemsRequest,
    UploadChunk,
    UploadItem,
    UploadJobItemsRequest,
    UploadStart,
)
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, MarketplaceResult, ProcessImageResponse
from packshot.v1.report_pb2 import Report
from services.common.server import Server, Service
from services.gateway.auth import Authentication
from services.gateway.jobs.files import keep_photo
from services.gateway.jobs.service import JobServicer
from services.gateway.jobs.store import JobStore
from services.gateway.jobs.watch import Watches
from services.gateway.keys import ApiKeys
from services.gateway.limits import TenantLimits
from services.gateway.objects import Objects, result_key
from services.gateway.reviews.service import ReviewServicer
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages as StageClients
from services.gateway.state import work
from services.gateway.state.database import Database
from services.gateway.state.work import Claimed, NewFile, NewResult
from tests.helpers.api_keys import as_caller, new_database, new_key
from tests.helpers.stages import Stages

POLL_S = 0.05
MARKETPLACE = "amazon-us"

_new_database: list[bytes] = []


class Jobs:
    """The services as one tenant sees them, and what they work on."""

    def __init__(self, server: Server, store: JobStore, channel: grpc.aio.Channel, database_url: str, key: str) -> None:
        self.server = server
        self.store = store
        self.database_url = database_url
        self.channel = channel
        self.key = key
        self.jobs: Any = _As(jobs_pb2_grpc.JobServiceStub(channel), key)
        self.reviews: Any = _As(reviews_pb2_grpc.ReviewServiceStub(channel), key)

    async def for_tenant(self, tenant: str) -> "Jobs":
        """The same services as another tenant sees them."""
        key = await new_key(self.database_url, tenant)
        return Jobs(self.server, self.store, self.channel, self.database_url, key)

    async def create(self, *keys: str, **fields: Any) -> Job:
        """A job of items with URLs."""
        items = [JobItemSource(item_key=key, sku=key, url=f"https://shop.example/{key}.jpg") for key in keys]
        response = await self.jobs.CreateJob(CreateJobRequest(items=JobItemSources(items=items), **fields))
        job: Job = response.job
        return job

    async def open(self, **fields: Any) -> Job:
        """A job that takes uploads."""
        response = await self.jobs.CreateJob(CreateJobRequest(accepts_uploads=True, **fields))
        job: Job = response.job
        return job

    async def items(self, job_id: str) -> list[JobItem]:
        response = await self.jobs.ListJobItems(ListJobItemsRequest(job_id=job_id, page_size=1000))
        return list(response.items)

    async def until_items(self, job_id: str, count: int) -> None:
        """Waits until the job has so many items."""
        async with asyncio.timeout(30):
            while len(await self.items(job_id)) < count:  # noqa: ASYNC110 - another party adds them
                await asyncio.sleep(0.02)

    async def claim(self, job_id: str, count: int = 1) -> list[Claimed]:
        """The next items of the job, in work."""
        now, database = datetime.now(UTC), self.store.database
        dispatched = await database.write(lambda s: work.take_for_dispatch(s, job_id, count, now))
        claimed = []
        for item in dispatched:
            lease = secrets.token_hex(16)
            found = await database.write(
                lambda s, item=item, lease=lease: work.claim(  # type: ignore[misc]
                    s, item.item_id, "tester", lease, now, 60
                )
            )
            assert found is not None
            claimed.append(found)
        return claimed

    async def succeed(self, job_id: str, verdict: str = "publish", content: bytes = b"a packshot") -> Claimed:
        """The job's next item ends with a result of one file."""
        (claimed,) = await self.claim(job_id)
        tenant, name = claimed.item.tenant, secrets.token_hex(32)
        photo = await keep_photo(self.store.objects, tenant, name.encode())
        key = result_key(tenant, name, MARKETPLACE, "packshot.jpg")
        await self.store.objects.put(key, content)
        report = Report(marketplace=MARKETPLACE)
        response = ProcessImageResponse(results=[MarketplaceResult(marketplace=MARKETPLACE, report=report)])
        result = NewResult(
            result_id=f"res_{secrets.token_hex(16)}",
            key=name,
            photo_sha256=photo.rsplit("/", 1)[-1],
            photo_object=photo,
            response=response.SerializeToString(),
            verdict=verdict,
            confidence=0.9,
            files=[
                NewFile(
                    marketplace=MARKETPLACE,
                    output=OUTPUT_JPEG,
                    object=key,
                    sha256=hashlib.sha256(content).hexdigest(),
                    size_bytes=len(content),
                    width_px=2000,
                    height_px=2000,
                )
            ],
        )
        now = datetime.now(UTC)
        assert await self.store.database.write(lambda s: work.finish(s, claimed, result, now))
        return claimed

    async def fail(self, job_id: str, reason: str = "PHOTO_TRUNCATED", *, dead: bool = False) -> Claimed:
        """The job's next item ends without a result."""
        (claimed,) = await self.claim(job_id)
        now = datetime.now(UTC)
        assert await self.store.database.write(
            lambda s: work.fail(s, claimed, reason, "the file ends early", now, dead=dead)
        )
        return claimed


class _As:
    """A stub whose calls carry a key."""

    def __init__(self, stub: Any, key: str) -> None:
        self._stub = stub
        self._key = key

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._stub, method)
        return lambda *arguments, **options: call(*arguments, metadata=as_caller(self._key), **options)


@contextlib.asynccontextmanager
async def running_jobs(stages: Stages, folder: Path, **environment: str) -> AsyncIterator[Jobs]:
    """As the tenant acme. Keyword arguments are environment variables without GATEWAY_."""
    variables = {
        "LISTEN": stages.address("gateway"),
        "DATABASE_URL": await _database(folder),
        "OBJECTS_URL": f"file://{folder}/objects",
        "NATS_URL": "nats://127.0.0.1:1",
        "GRACE_S": "5",
    } | environment
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"GATEWAY_{name}", value)
        settings = GatewaySettings()
    database_url = settings.database_url.get_secret_value()
    database = Database(database_url)
    store = JobStore(database, Objects(settings.objects_url), Watches(database, POLL_S))
    clients = StageClients(
        segmenter=stages.address("segmenter"),
        compositor=stages.address("compositor"),
        validator=stages.address("validator"),
        away_s=0,
    )
    server = Server(_service(settings, clients, store), settings)
    key = await new_key(database_url, "acme")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield Jobs(server, store, channel, database_url, key)
    finally:
        await server.stop()


async def _database(folder: Path) -> str:
    """The URL of the folder's database; a new one is a copy of one that was made once, which saves time."""
    file = folder / "gateway.db"
    if not file.exists():
        if not _new_database:
            with tempfile.TemporaryDirectory() as other:
                await new_database(Path(other))
                _new_database.append((Path(other) / file.name).read_bytes())
        file.write_bytes(_new_database[0])
    return f"sqlite+aiosqlite:///{file}"


def _service(settings: GatewaySettings, stages: StageClients, store: JobStore) -> Service:
    jobs = JobServicer(settings, stages, store, TenantLimits(store.database))
    reviews = ReviewServicer(settings, stages, store)

    def register(server: grpc.aio.Server) -> None:
        jobs_pb2_grpc.add_JobServiceServicer_to_server(jobs, server)
        reviews_pb2_grpc.add_ReviewServiceServicer_to_server(reviews, server)

    keys = ApiKeys(store.database)

    async def close() -> None:
        await keys.close()
        await stages.close()
        await store.watches.close()
        await store.database.close()

    return Service(
        "gateway",
        ("packshot.v1.JobService", "packshot.v1.ReviewService"),
        register,
        close,
        interceptors=(Authentication(keys, None),),
        stopping=jobs.stop_reading,
    )


def upload(
    job_id: str, photos: Sequence[tuple[str, bytes]], *, complete: bool = False, chunk_bytes: int = 100
) -> list[UploadJobItemsRequest]:
    """The messages of an upload of (key, photo)s."""
    messages = [UploadJobItemsRequest(start=UploadStart(job_id=job_id, complete=complete))]
    for key, photo in photos:
        messages.append(UploadJobItemsRequest(item=UploadItem(item_key=key, sku=key)))
        pieces = [photo[at : at + chunk_bytes] for at in range(0, max(len(photo), 1), chunk_bytes)]
        messages += [UploadJobItemsRequest(chunk=UploadChunk(data=piece, last=piece is pieces[-1])) for piece in pieces]
    return messages
