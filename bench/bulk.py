"""Bulk jobs: what going through NATS, gRPC and the database costs, what a second worker brings, what a queue costs.

python -m bench.bulk throughput   # against the same stages in one process, turn about
python -m bench.bulk replicas     # workers with stages of their own, each on one core
python -m bench.bulk queue        # 10,000 items put in, listed by page
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from bench.memory import peak_mb
from bench.photos import example_image
from packshot.cli.local import LocalStack
from packshot.client import JobPhoto, PackshotClient
from services.common.photo import encode_jpeg
from tools.bulk_stack import BulkStack, running_bulk_stack
from tools.stack import SERVICES, Stack

_IN_FLIGHT = 4
_WARM_UP = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("throughput", "replicas", "queue"))
    parser.add_argument("--photos", type=int, default=24, help="of a round")
    parser.add_argument("--side", type=int, default=1024, help="side of the square photos in px")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=10_000, help="of the queue")
    arguments = parser.parse_args()
    if arguments.what == "queue":
        _queue(arguments.items)
        return
    rounds = [_photos(arguments.photos, arguments.side, seed) for seed in range(2 * arguments.rounds)]
    if arguments.what == "throughput":
        _throughput(rounds)
    else:
        _replicas(rounds)


def _photos(count: int, side_px: int, seed: int) -> list[bytes]:
    """Photos of a mug with different noise: no two alike, so that none is served from the store."""
    image = example_image("mug.jpg")[:side_px, :side_px].astype(np.int16)
    rng = np.random.default_rng(seed)
    noisy = (image + rng.integers(-2, 3, image.shape, dtype=np.int16) for _ in range(count))
    return [encode_jpeg(np.clip(photo, 0, 255).astype(np.uint8), 92) for photo in noisy]


def _throughput(rounds: Sequence[Sequence[bytes]]) -> None:
    """Both are up all the time and take turns, so that the machine's moods meet both."""
    one_process, bulk = list[float](), list[float]()
    with ExitStack() as stack:
        local = stack.enter_context(LocalStack())
        direct = stack.enter_context(PackshotClient(local.address))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = stack.enter_context(running_bulk_stack(folder, workers=1, settings=_settings()))
        client = stack.enter_context(PackshotClient(running.address))
        _in_one_process(direct, rounds[0][:_WARM_UP])
        _as_job(client, rounds[1][:_WARM_UP])
        for first, second in zip(rounds[::2], rounds[1::2], strict=True):
            one_process.append(_in_one_process(direct, first))
            bulk.append(_as_job(client, second[_WARM_UP:]))
    ratios = [two / one for one, two in zip(one_process, bulk, strict=True)]
    print("| | photos/s by round | median |\n|---|---|---|")
    print(
        f"| the stages in one process, {_IN_FLIGHT} photos at a time | {_list(one_process)} | {_median(one_process)} |"
    )
    print(f"| a bulk job: NATS, gRPC, five processes, SQLite | {_list(bulk)} | {_median(bulk)} |")
    print(f"| share | {_list(ratios)} | {_median(ratios)} |")


def _replicas(rounds: Sequence[Sequence[bytes]]) -> None:
    one, two = list[float](), list[float]()
    for first, second in zip(rounds[::2], rounds[1::2], strict=True):
        with _workers(cores=(0,)) as client:
            one.append(_as_job(client, first))
        with _workers(cores=(0, 1)) as client:
            two.append(_as_job(client, second))
    ratios = [both / single for single, both in zip(one, two, strict=True)]
    print("| | photos/s by round | median |\n|---|---|---|")
    print(f"| one worker with its stages on one core | {_list(one)} | {_median(one)} |")
    print(f"| two, each on a core of its own | {_list(two)} | {_median(two)} |")
    print(f"| ratio | {_list(ratios)} | {_median(ratios)} |")


@contextmanager
def _workers(cores: Sequence[int]) -> Iterator[PackshotClient]:
    """A gateway for callers, and for each core a worker with stages of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base = stack.enter_context(running_bulk_stack(folder, workers=0, settings=_settings()))
        for core in cores:
            stack.enter_context(_worker(base, core))
        client = stack.enter_context(PackshotClient(base.address))
        _as_job(client, _photos(_WARM_UP * len(cores), 256, seed=99))
        yield client


@contextmanager
def _worker(base: BulkStack, core: int) -> Iterator[None]:
    shared = {name: value for name, value in base.environment.items() if name in _SHARED}
    worker = Stack(_settings() | shared | {"GATEWAY_ROLE": "worker", "GATEWAY_WORKER_CONCURRENCY": "2"}, core=core)
    for name in SERVICES:
        worker.start(name)
    try:
        for name in SERVICES:
            worker.wait(name)
        yield
    finally:
        for name in SERVICES:
            worker.terminate(name)
            worker.join(name)


_SHARED = ("GATEWAY_DATABASE_URL", "GATEWAY_OBJECTS_URL", "GATEWAY_NATS_URL")


def _queue(items: int) -> None:
    rows = "".join(f"SKU-{index:05},https://photos.example/{index:05}.jpg\n" for index in range(items))
    catalogue = f"sku,image_url\n{rows}".encode()
    with tempfile.TemporaryDirectory() as name, running_bulk_stack(Path(name), workers=0) as stack:
        with PackshotClient(stack.address, timeout_s=100) as client:
            started = time.perf_counter()
            job = client.jobs.create(catalogue=catalogue)
            enqueued_s = time.perf_counter() - started
            assert job.counts.total == items, job
            pages_s, token = list[float](), ""
            while True:
                started = time.perf_counter()
                page = client.jobs.item_page(job.job_id, page_token=token)
                pages_s.append(time.perf_counter() - started)
                token = page.next_page_token
                if not token:
                    break
        peak = peak_mb(stack.pid("gateway"))
    print(
        "| items | put in, s | pages | median ms a page | slowest ms | gateway's peak MB |\n|---|---|---|---|---|---|"
    )
    slowest, middle = max(pages_s) * 1000, statistics.median(pages_s) * 1000
    print(f"| {items} | {enqueued_s:.1f} | {len(pages_s)} | {middle:.0f} | {slowest:.0f} | {peak:.0f} |")


def _in_one_process(client: PackshotClient, photos: Sequence[bytes]) -> float:
    """Photos per second."""
    started = time.perf_counter()
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        list(pool.map(client.process, photos))
    return len(photos) / (time.perf_counter() - started)


def _as_job(client: PackshotClient, photos: Sequence[bytes]) -> float:
    """Photos per second, from the first upload to the job's end."""
    started = time.perf_counter()
    job = client.jobs.create(uploads=[JobPhoto(key=str(index), photo=photo) for index, photo in enumerate(photos)])
    for _ in client.jobs.watch(job.job_id):
        pass
    counts = client.jobs.get(job.job_id).counts
    assert counts.succeeded == len(photos), counts
    return len(photos) / (time.perf_counter() - started)


def _settings() -> dict[str, str]:
    return {"GATEWAY_WORKER_CONCURRENCY": str(_IN_FLIGHT)}


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}"


if __name__ == "__main__":
    main()
