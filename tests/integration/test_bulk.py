"""Jobs from end to end, while what they need breaks: every item ends once, with one result and at most one charge."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client

from packshot.v1.jobs_pb2 import (
    JOB_EVENT_TYPE_COMPLETED,
    JOB_ITEM_STATE_FAILED,
    JOB_ITEM_STATE_QUEUED,
    JOB_ITEM_STATE_SUCCEEDED,
    JOB_STATE_COMPLETED,
    CreateJobRequest,
    Job,
    JobEvent,
    JobItemSource,
    JobItemSources,
    UploadChunk,
    UploadItem,
    UploadJobItemsRequest,
    UploadStart,
)
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, OUTPUT_REPORT_JSON, ProcessOptions
from packshot.v1.segmenter_pb2 import DescribeSegmenterResponse, SegmentImageRequest, SegmentImageResponse
from services.common import topology
from services.common.errors import invalid_argument
from services.common.topology import DEAD_LETTERS
from services.gateway.objects import Objects
from services.gateway.state.tenants import Limits
from services.gateway.worker.retention import Retention
from tests.helpers.api_keys import limit
from tests.helpers.bulk import House, content, until
from tests.helpers.file_server import FileServer
from tests.helpers.gateway import eventually
from tests.helpers.nats_server import NatsServer
from tests.helpers.stages import after, segmented

PNG = b"\x89PNG\r\n\x1a\n a photo"


def photos(count: int, name: str = "photo") -> list[bytes]:
    return [f"{name} {number}".encode() for number in range(count)]


@pytest.fixture
async def house(events: Client, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[House]:
    async with House.open(tmp_path, nats_server.url) as house:
        yield house


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    """One whose store may be lost."""
    store = tmp_path / "nats"
    store.mkdir()
    server = NatsServer(store)
    server.start()
    yield server
    server.stop()


def check_events(events: list[JobEvent], items: int) -> None:
    """Without gaps, the job's end last, and one end for every item."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == JOB_EVENT_TYPE_COMPLETED
    ends = Counter(event.item.item_key for event in events if event.item.state >= JOB_ITEM_STATE_SUCCEEDED)
    assert len(ends) == items
    assert set(ends.values()) == {1}


def counted(job: Job) -> dict[str, int]:
    return {field.name: value for field, value in job.counts.ListFields()}


async def test_every_item_of_a_job_ends_once_with_a_result_and_a_charge(house: House) -> None:
    async with house.gateway() as caller:
        job = await caller.create(photos(12))
        told = await caller.watch(job.job_id)
        check_events(told, items=12)
        job = await caller.get(job.job_id)
        assert job.state == JOB_STATE_COMPLETED
        assert counted(job) == {"total": 12, "succeeded": 12, "publish": 12, "credits": 12}
        for item in await caller.items(job.job_id):
            assert (item.state, item.attempts, item.repeated) == (JOB_ITEM_STATE_SUCCEEDED, 1, False)
            assert [file.output for file in item.files] == [OUTPUT_JPEG]
            assert content(item.files[0]).startswith(b"amazon-us fill=")
    assert await house.books() == (12, 12)


async def test_the_report_is_a_file_when_it_is_asked_for(house: House) -> None:
    async with house.gateway() as caller:
        options = ProcessOptions(outputs=[OUTPUT_JPEG, OUTPUT_REPORT_JSON], marketplaces=["amazon-us", "amazon-de"])
        job = await caller.create(photos(1), options=options)
        await caller.watch(job.job_id)
        (item,) = await caller.items(job.job_id)
    assert [(file.marketplace, file.output) for file in item.files] == [
        ("amazon-de", OUTPUT_JPEG),
        ("amazon-de", OUTPUT_REPORT_JSON),
        ("amazon-us", OUTPUT_JPEG),
        ("amazon-us", OUTPUT_REPORT_JSON),
    ]
    report = json.loads(content(item.files[1]))
    assert report["marketplace"] == "amazon-de"
    assert "timings" not in report or not report["timings"]


async def test_the_same_photo_is_made_once_and_charged_once(house: House) -> None:
    async with house.gateway() as caller:
        first = await caller.create([b"a mug"] * 6)
        await caller.watch(first.job_id)
        segmented_before = len(house.stages.segmenter.segment.calls)
        second = await caller.create([b"a mug"])
        await caller.watch(second.job_id)
        assert len(house.stages.segmenter.segment.calls) == segmented_before
        assert [item.repeated for item in await caller.items(second.job_id)] == [True]
        assert (await caller.get(first.job_id)).counts.credits == 1
        assert (await caller.get(second.job_id)).counts.credits == 0
    assert await house.books() == (1, 1)


async def test_another_model_makes_the_photo_again(house: House) -> None:
    async with house.gateway() as caller:
        await caller.watch((await caller.create([b"a mug"])).job_id)
        described = DescribeSegmenterResponse(proposers=["classical"], digest=f"sha256:{'1' * 64}")
        house.stages.segmenter.describe.script = [lambda request: described]
        await asyncio.sleep(2.1)
        job = await caller.create([b"a mug"])
        await caller.watch(job.job_id)
        assert [item.repeated for item in await caller.items(job.job_id)] == [False]
    assert (await house.books())[0] == 2


async def test_a_photo_that_cannot_be_used_fails_at_once_with_its_reason(house: House) -> None:
    def segment(request: SegmentImageRequest) -> SegmentImageResponse:
        if request.photo == b"photo 1":
            raise invalid_argument("photo", "PHOTO_TRUNCATED", "the file ends early")
        return segmented(request)

    house.stages.segmenter.segment.script = [segment]
    async with house.gateway() as caller:
        job = await caller.create(photos(3))
        check_events(await caller.watch(job.job_id), items=3)
        bad = (await caller.items(job.job_id))[1]
        assert (bad.state, bad.error_reason, bad.attempts, bad.credits) == (
            JOB_ITEM_STATE_FAILED,
            "PHOTO_TRUNCATED",
            1,
            0,
        )
        assert counted(await caller.get(job.job_id)) == {
            "total": 3,
            "succeeded": 2,
            "failed": 1,
            "publish": 2,
            "credits": 2,
        }


async def test_an_unknown_marketplace_or_category_is_the_end_of_its_item_only(house: House) -> None:
    wishes = [("amazon-uk", "electronics"), ("ebay", ""), ("", "boats")]
    files = FileServer(PNG)
    with files.running():
        catalogue = "\n".join(
            ["sku,image_url,marketplaces,category", *(f"{n},{files.url},{m},{c}" for n, (m, c) in enumerate(wishes))]
        )
        given = [
            JobItemSource(item_key=str(n), content=PNG, marketplaces=[m] if m else [], category=c)
            for n, (m, c) in enumerate(wishes)
        ]
        hosts = json.dumps([files.url.split("/")[2]])
        async with house.gateway(SOURCES__INTERNAL_HOSTS=hosts) as caller:
            of_items = (await caller.stub.CreateJob(CreateJobRequest(items=JobItemSources(items=given)))).job
            of_rows = (await caller.stub.CreateJob(CreateJobRequest(catalogue=catalogue.encode()))).job
            of_uploads = (await caller.stub.CreateJob(CreateJobRequest(accepts_uploads=True))).job
            messages = [UploadJobItemsRequest(start=UploadStart(job_id=of_uploads.job_id, complete=True))]
            for n, (m, c) in enumerate(wishes):
                item = UploadItem(item_key=str(n), marketplaces=[m] if m else [], category=c)
                messages.append(UploadJobItemsRequest(item=item))
                messages.append(UploadJobItemsRequest(chunk=UploadChunk(data=PNG, last=True)))
            await caller.stub.UploadJobItems(iter(messages))
            for job in (of_items, of_rows, of_uploads):
                await caller.watch(job.job_id)
                items = await caller.items(job.job_id)
                assert [(item.state, item.error_reason, item.attempts) for item in items] == [
                    (JOB_ITEM_STATE_SUCCEEDED, "", 1),
                    (JOB_ITEM_STATE_FAILED, "UNKNOWN_MARKETPLACE", 1),
                    (JOB_ITEM_STATE_FAILED, "UNKNOWN_CATEGORY", 1),
                ]
                assert [item.error_message for item in items[1:]] == [
                    "marketplaces[0]: no pack 'ebay'",
                    "category: no category 'boats'",
                ]


async def test_a_worker_that_is_killed_loses_nothing_and_charges_nothing_twice(house: House) -> None:
    house.stages.segmenter.segment.script = [after(0.3, segmented)]
    async with house.gateway("api") as caller:
        with house.worker_process(WORKER_CONCURRENCY="2") as doomed:
            job = await caller.create(photos(10))
            await eventually(lambda: len(house.stages.segmenter.segment.calls) >= 4)
            doomed.kill()
            doomed.wait(10)
        left = (await caller.get(job.job_id)).counts
        assert 0 < left.succeeded < 10
        async with house.gateway("worker"):
            check_events(await caller.watch(job.job_id), items=10)
        items = await caller.items(job.job_id)
        assert {item.state for item in items} == {JOB_ITEM_STATE_SUCCEEDED}
        assert max(item.attempts for item in items) == 2
    assert await house.books() == (10, 10)


async def test_a_photo_that_kills_its_worker_is_given_up_without_another_try(house: House) -> None:
    house.stages.segmenter.segment.script = [after(60, segmented)]
    async with house.gateway("api") as caller:
        with house.worker_process(ITEM_ATTEMPTS="1") as doomed:
            job = await caller.create(photos(1))
            await eventually(lambda: house.stages.segmenter.segment.running == 1)
            doomed.kill()
            doomed.wait(10)
        async with house.gateway("worker", ITEM_ATTEMPTS="1"):
            check_events(await caller.watch(job.job_id), items=1)
        (dead,) = await caller.dead_letters()
        assert dead.reason == "WORKER_LOST"
    assert len(house.stages.segmenter.segment.calls) == 1


async def test_a_worker_that_is_stopped_gives_back_what_it_cannot_finish(house: House) -> None:
    house.stages.segmenter.segment.script = [after(60, segmented)]
    async with house.gateway("api") as caller:
        async with house.gateway("worker", GRACE_S="0.2"):
            job = await caller.create(photos(3))
            await eventually(lambda: house.stages.segmenter.segment.running == 3)
        assert set(await house.states(job.job_id)) <= {"queued", "dispatched"}
        house.stages.segmenter.segment.script = [segmented]
        async with house.gateway("worker"):
            check_events(await caller.watch(job.job_id), items=3)
        assert {item.attempts for item in await caller.items(job.job_id)} == {1}


async def test_stages_that_are_away_are_waited_for_and_cost_no_attempt(house: House) -> None:
    await house.stages.stop("segmenter")
    async with house.gateway() as caller:
        job = await caller.create(photos(5))
        await asyncio.sleep(1)
        await house.stages.start("segmenter")
        check_events(await caller.watch(job.job_id), items=5)
        assert {item.attempts for item in await caller.items(job.job_id)} == {1}


async def test_a_photo_that_breaks_its_stage_becomes_a_dead_letter_and_takes_no_other_with_it(
    house: House, events: Client
) -> None:
    restarts: set[asyncio.Task[None]] = set()

    async def restart() -> None:
        await house.stages.stop("segmenter")
        await asyncio.sleep(0.2)
        await house.stages.start("segmenter")

    async def segment(request: SegmentImageRequest) -> SegmentImageResponse:
        if request.photo == b"poison":
            restarts.add(asyncio.create_task(restart()))
            await asyncio.sleep(60)
        await asyncio.sleep(0.02)
        return segmented(request)

    house.stages.segmenter.segment.script = [segment]
    async with house.gateway(ITEM_ATTEMPTS="3") as caller:
        job = await caller.create([*photos(8), b"poison"])
        check_events(await caller.watch(job.job_id), items=9)
        *good, poison = await caller.items(job.job_id)
        assert {item.state for item in good} == {JOB_ITEM_STATE_SUCCEEDED}
        assert (poison.state, poison.attempts) == (JOB_ITEM_STATE_FAILED, 3)
        assert poison.error_reason in ("STAGE_UNAVAILABLE", "STAGE_FAILED")
        (dead,) = await caller.dead_letters()
        assert (dead.item.item_key, dead.attempts) == ("8", 3)
        await asyncio.gather(*restarts)
    assert len(restarts) == 3
    message = await events.jetstream().get_last_msg(DEAD_LETTERS.name, "packshot.v1.work.dead.default")
    letter = json.loads(message.data or b"")
    assert (letter["item_key"], letter["attempts"], letter["job_id"]) == ("8", 3, job.job_id)


async def test_a_nats_that_lost_its_store_costs_no_item(own_nats: NatsServer, tmp_path: Path) -> None:
    await topology.apply(own_nats.url)
    async with House.open(tmp_path, own_nats.url) as house:
        house.stages.segmenter.segment.script = [after(0.1, segmented)]
        async with house.gateway(WORKER_CONCURRENCY="1") as caller:
            job = await caller.create(photos(20))
            await eventually(lambda: len(house.stages.segmenter.segment.calls) >= 3)
            own_nats.stop()
            shutil.rmtree(tmp_path / "nats" / "jetstream")
            own_nats.start()
            await topology.apply(own_nats.url)
            check_events(await caller.watch(job.job_id), items=20)
        assert await house.books() == (20, 20)


@pytest.fixture
def small_store(tmp_path: Path) -> Iterator[Path]:
    """A folder of objects on a file system of 64 KiB."""
    folder = tmp_path / "objects"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_full_store_is_waited_for_and_costs_neither_attempt_nor_work(house: House, small_store: Path) -> None:
    filler = small_store / "filler"

    def segment(request: SegmentImageRequest) -> SegmentImageResponse:
        with contextlib.suppress(OSError):
            filler.write_bytes(bytes(2**20))
        return segmented(request)

    house.stages.segmenter.segment.script = [segment]
    async with house.gateway(ITEM_ATTEMPTS="1") as caller:
        job = await caller.create(photos(3))
        await eventually(lambda: len(house.stages.segmenter.segment.calls) == 3)
        await asyncio.sleep(1.5)
        assert set(await house.states(job.job_id)) == {"running"}
        filler.unlink()
        check_events(await caller.watch(job.job_id), items=3)
        ends = {(item.state, item.attempts) for item in await caller.items(job.job_id)}
        assert ends == {(JOB_ITEM_STATE_SUCCEEDED, 1)}
    assert len(house.stages.segmenter.segment.calls) == 3


async def test_an_item_whose_store_stays_away_says_so_and_lets_others_go_first(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.worker.item._STORE_WAITS", 0)
    async with house.gateway(ITEM_ATTEMPTS="1", WORKER_CONCURRENCY="1") as caller:
        blocked = tmp_path / "objects" / "default" / "results"
        blocked.parent.mkdir(parents=True)
        blocked.write_text("in the way")
        job = await caller.create(photos(1))

        async def is_waiting() -> bool:
            (item,) = await caller.items(job.job_id)
            return (item.state, item.error_reason) == (JOB_ITEM_STATE_QUEUED, "OBJECT_STORE_UNAVAILABLE")

        await until(is_waiting)
        blocked.unlink()
        check_events(await caller.watch(job.job_id), items=1)
        (item,) = await caller.items(job.job_id)
        assert (item.state, item.attempts) == (JOB_ITEM_STATE_SUCCEEDED, 1)


async def test_what_is_older_than_it_is_kept_leaves_the_store_and_can_be_made_anew(house: House) -> None:
    async with house.gateway() as caller:
        job = await caller.create([b"a mug"])
        await caller.watch(job.job_id)
        async with house.database() as database:
            retention = Retention(database, Objects(house.environment["OBJECTS_URL"]), "tester", days=90)
            now = datetime.now(UTC)
            assert await retention.sweep(now + timedelta(days=89)) == 0
            assert await retention.sweep(now + timedelta(days=91)) == 2  # photo and packshot
        (item,) = await caller.items(job.job_id)
        assert (item.state, list(item.files)) == (JOB_ITEM_STATE_SUCCEEDED, [])
        again = await caller.create([b"a mug"])
        await caller.watch(again.job_id)
        (item,) = await caller.items(again.job_id)
        assert not item.repeated
        assert content(item.files[0]).startswith(b"amazon-us")


async def test_a_tenants_limits_hold_for_its_jobs_and_cost_no_attempt(house: House) -> None:
    async with house.database() as database:
        await limit(database, "default", Limits(max_concurrent_photos=1))
    house.stages.segmenter.segment.script = [after(0.05, segmented)]
    async with house.gateway() as caller:
        job = await caller.create(photos(6))
        check_events(await caller.watch(job.job_id), items=6)
        assert {item.attempts for item in await caller.items(job.job_id)} == {1}
    assert house.stages.segmenter.segment.most_running == 1


async def test_a_small_job_is_not_behind_a_huge_one(house: House) -> None:
    house.stages.segmenter.segment.script = [after(0.05, segmented)]
    async with house.gateway(WORKER_CONCURRENCY="1", DISPATCH_WINDOW="2") as caller:
        huge = await caller.create(photos(60, "huge"))
        await eventually(lambda: len(house.stages.segmenter.segment.calls) >= 3)
        small = await caller.create(photos(4, "small"))
        await caller.watch(small.job_id)
        assert (await caller.get(huge.job_id)).counts.succeeded < 30
