"""Jobs on real gateways over a real NATS, a real SQLite file and a folder of objects, in front of scripted stages."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from packshot.v1 import jobs_pb2_grpc
from packshot.v1.jobs_pb2 import (
    CreateJobRequest,
    GetJobRequest,
    Job,
    JobEvent,
    JobFile,
    JobItem,
    JobItemSource,
    JobItemSources,
    ListDeadLettersRequest,
    ListJobItemsRequest,
    WatchJobRequest,
)
from services.gateway.state.database import Database
from services.gateway.state.tables import Item, LedgerEntry, Result
from tests.helpers.api_keys import new_database, opened
from tests.helpers.gateway import running_gateway
from tests.helpers.stages import Stages

QUICK: Final = {"ACK_WAIT_MS": "1500", "ITEM_RETRY_MS": "50", "GRACE_S": "5"}


class Caller:
    """Who has jobs done, over a gateway."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.stub = jobs_pb2_grpc.JobServiceStub(channel)

    async def create(self, photos: Sequence[bytes], **fields: Any) -> Job:
        """A job of these photos; their keys are their numbers."""
        items = [JobItemSource(item_key=str(number), content=photo) for number, photo in enumerate(photos)]
        response = await self.stub.CreateJob(CreateJobRequest(items=JobItemSources(items=items), **fields))
        job: Job = response.job
        return job

    async def get(self, job_id: str) -> Job:
        job: Job = (await self.stub.GetJob(GetJobRequest(job_id=job_id))).job
        return job

    async def items(self, job_id: str) -> list[JobItem]:
        return list((await self.stub.ListJobItems(ListJobItemsRequest(job_id=job_id, page_size=1000))).items)

    async def watch(self, job_id: str) -> list[JobEvent]:
        """All events, to the last."""
        return [response.event async for response in self.stub.WatchJob(WatchJobRequest(job_id=job_id), timeout=90)]

    async def dead_letters(self) -> list[Any]:
        return list((await self.stub.ListDeadLetters(ListDeadLettersRequest())).dead_letters)


class House:
    """What the gateways of one test have in common.

    Args:
        stages: In front of which they run.
        folder: For database and objects.
        nats_url: With the streams applied.
        database_url: With its tables.
    """

    def __init__(self, stages: Stages, folder: Path, nats_url: str, database_url: str) -> None:
        self.stages = stages
        self.folder = folder
        self.environment = {
            "DATABASE_URL": database_url,
            "OBJECTS_URL": f"file://{folder}/objects",
            "NATS_URL": nats_url,
        } | QUICK

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, nats_url: str) -> AsyncIterator["House"]:
        async with Stages.running() as stages:
            yield cls(stages, folder, nats_url, await new_database(folder))

    @asynccontextmanager
    async def gateway(self, role: str = "all", **environment: str) -> AsyncIterator[Caller]:
        """One more gateway in this process."""
        listen = {"LISTEN": f"unix:{self.stages.folder}/{role}"}
        async with running_gateway(self.stages, ROLE=role, **(self.environment | listen | environment)) as gateway:
            yield Caller(gateway.channel)

    @contextlib.contextmanager
    def worker_process(self, **environment: str) -> Any:
        """A worker as a process of its own, to be killed."""
        variables = self.environment | {
            "LISTEN": "127.0.0.1:0",
            "SEGMENTER_ADDRESS": self.stages.address("segmenter"),
            "COMPOSITOR_ADDRESS": self.stages.address("compositor"),
            "VALIDATOR_ADDRESS": self.stages.address("validator"),
        }
        given = {f"GATEWAY_{name}": value for name, value in (variables | environment).items()}
        command = [sys.executable, "-m", "services.gateway", "--role", "worker"]
        process = subprocess.Popen(command, env=os.environ | given)
        try:
            yield process
        finally:
            process.kill()
            process.wait(30)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        async with opened(self.environment["DATABASE_URL"]) as database:
            yield database

    async def books(self) -> tuple[int, int]:
        """(results, entries in the ledger)."""
        async with self.database() as database, database.read() as session:
            results = await session.scalar(select(func.count()).select_from(Result))
            charges = await session.scalar(select(func.count()).select_from(LedgerEntry))
        return results or 0, charges or 0

    async def states(self, job_id: str) -> list[str]:
        """The items' own states."""
        async with self.database() as database, database.read() as session:
            return [str(state) for state in await session.scalars(select(Item.state).where(Item.job_id == job_id))]


def content(file: JobFile) -> bytes:
    """What lies where its URL says."""
    return Path(file.url.removeprefix("file://")).read_bytes()


async def until(condition: Any, timeout_s: float = 30.0) -> None:
    """Waits until an async condition is true."""
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - the condition is another party's
            await asyncio.sleep(0.05)
