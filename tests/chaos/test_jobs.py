"""A job while machines die: `make test-chaos`.

PACKSHOT_CHAOS_SEED repeats a run, PACKSHOT_CHAOS_ITEMS makes a quicker one.
"""

import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from packshot.client import JobPhoto, PackshotClient
from packshot.v1 import jobs_pb2 as pb
from tests.chaos import catalogue
from tests.chaos.books import Books, check_events
from tests.chaos.supervisor import Killer, Supervisor
from tests.helpers.postgres import Postgres
from tools.bulk_stack import BulkStack, running_bulk_stack

pytestmark = pytest.mark.timeout(900)

ITEMS = int(os.environ.get("PACKSHOT_CHAOS_ITEMS", "300"))
PATIENCE_S = 120.0
SETTINGS = {
    "SEGMENTER_PROPOSERS": "classical",
    "GATEWAY_ACK_WAIT_MS": "4000",
    "GATEWAY_WORKER_CONCURRENCY": "2",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("PACKSHOT_CHAOS_SEED") or random.randrange(10**6))
    print(f"PACKSHOT_CHAOS_SEED={chosen}")
    return chosen


def upload(client: PackshotClient, photos: list[JobPhoto]) -> tuple[pb.Job, list[pb.JobEvent]]:
    """A job of photos that are uploaded and watched from the first event to the last, over whatever breaks."""
    job = client.jobs.create(uploads=[], request_id="chaos", label="chaos")
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(lambda: list(client.jobs.watch(job.job_id, patience_s=PATIENCE_S)))
        client.jobs.upload(job.job_id, photos, patience_s=PATIENCE_S)
        events = watching.result()
    return client.jobs.get(job.job_id), events


def test_every_item_ends_once_whatever_is_killed(tmp_path: Path, seed: int) -> None:
    with running_bulk_stack(tmp_path, settings=SETTINGS) as stack:
        with Supervisor(stack) as supervisor, PackshotClient(stack.address, timeout_s=30) as client:
            killer = Killer(stack, seed, rounds=2, mean_pause_s=4)
            killer.start()
            job, events = upload(client, catalogue.good(ITEMS))
            killer.join()
        assert len(killer.killed) >= 10, f"the job was over too soon: {killer.killed}"
        assert all(supervisor.restarts[name] for name in set(killer.killed))
        assert (job.state, job.counts.total) == (pb.JOB_STATE_COMPLETED, ITEMS)
        assert (job.counts.succeeded, job.counts.failed) == (ITEMS, 0)
        check_events(events, ITEMS)
        books = Books.read(stack.database_url)
        books.check()
        assert not books.dead_letters
        print(f"killed {killer.killed}; {sum(item.attempts > 1 for item in books.items)} items were begun again")


def test_guilty_items_carry_their_reason(tmp_path: Path, postgres: Postgres, seed: int) -> None:
    """PostgreSQL restarted, the object store full for a while, a photo that kills its stage, one that never comes, and
    one in ten corrupt."""
    if os.geteuid() != 0:
        pytest.skip("a disk of its own, to fill it, needs root")
    corrupt = catalogue.corrupt(ITEMS // 10)
    with small_disk(tmp_path / "objects") as disk, hanging_listener() as url:
        settings = SETTINGS | {
            "GATEWAY_SOURCES__INTERNAL_HOSTS": f'["{url.split("/")[2]}"]',
            "GATEWAY_SOURCES__TIMEOUT_S": "2",
            "GATEWAY_ITEM_ATTEMPTS": "4",
        }
        database = postgres.create_database("chaos")
        with running_bulk_stack(tmp_path, database_url=database, settings=settings) as stack:
            poison_segmenter(stack)
            guilty = [*corrupt, catalogue.poison(), JobPhoto(key="hangs", photo=url)]
            photos = [*catalogue.good(ITEMS - len(guilty)), *guilty]
            random.Random(seed).shuffle(photos)
            trouble = threading.Thread(target=lambda: make_trouble(postgres, disk), daemon=True)
            with Supervisor(stack), PackshotClient(stack.address, timeout_s=30) as client:
                trouble.start()
                job = client.jobs.create(items=photos)
                events = list(client.jobs.watch(job.job_id, patience_s=PATIENCE_S))
                trouble.join()
                job = client.jobs.get(job.job_id)
            check_events(events, ITEMS)
            books = Books.read(stack.database_url)
            books.check()
            reasons = {item.key: item.error_reason for item in books.items if item.state == "failed"}
            assert reasons.keys() == {photo.key for photo in guilty}, reasons
            assert job.counts.failed == len(guilty)
            assert all(reasons[photo.key].startswith(("PHOTO_", "SOURCE_")) for photo in corrupt), reasons
            assert reasons["hangs"] == "SOURCE_TIMEOUT"
            dead = {letter.item_id: letter.attempts for letter in books.dead_letters}
            assert {item.key: dead.get(item.id) for item in books.items}["poison"] == 4


def poison_segmenter(stack: BulkStack) -> None:
    """From now on the segmenter is one that a photo can kill."""
    stack.modules["segmenter"] = "tests.chaos.poisoned_segmenter"
    stack.kill("segmenter")
    stack.start("segmenter")
    stack.wait("segmenter")


def make_trouble(postgres: Postgres, disk: "SmallDisk") -> None:
    time.sleep(5)
    postgres.restart()
    time.sleep(5)
    disk.fill()
    time.sleep(4)
    disk.free()
    time.sleep(5)
    postgres.restart()


class SmallDisk:
    """A file system of its own, full on demand."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def hanging_listener() -> Iterator[str]:
    """A URL of a server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hangs.jpg"
