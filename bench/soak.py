"""A long time under light load: whether memory or open files grow, process by process.

    python -m bench.soak [--minutes 30] [--rate 0.5]

A line is fitted (least squares) through each process's memory after the warm-up; children count as their parent's.
Photos of several sizes and kinds, finished images to check, cutouts, and files that are no photos.
"""

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import numpy as np

from bench.photos import EXAMPLES, square_photo
from bench.traffic import OpenLoop, Traffic, random_moments
from bench.watch import memory_mb, open_files
from packshot.client import AsyncPackshotClient
from packshot.errors import InvalidArgumentError
from tools.stack import SERVICES, Stack, running_stack

_SAMPLE_S: Final = 10.0
_WARM_UP_SHARE: Final = 0.2
_SIDES: Final = (256, 512, 768, 1024)


@dataclass(slots=True)
class Samples:
    """One process's, over time."""

    minutes: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def row(self, name: str) -> str:
        slopes = [float(np.polyfit(self.minutes, values, 1)[0]) for values in (self.memory_mb, self.files)]
        return (
            f"| {name} | {self.memory_mb[0]:.0f} | {self.memory_mb[-1]:.0f} | {max(self.memory_mb):.0f} "
            f"| {slopes[0]:+.2f} | {self.files[0]} | {self.files[-1]} | {max(self.files)} | {slopes[1]:+.3f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=0.5, help="photos per second")
    arguments = parser.parse_args()
    with running_stack() as stack:
        asyncio.run(measure(stack, arguments.minutes, arguments.rate))


async def measure(stack: Stack, minutes: float, rate: float) -> None:
    """Prints a row for each process, and what became of the photos."""
    chance = random.Random(6)
    samples = {name: Samples() for name in SERVICES}
    async with AsyncPackshotClient(stack.address, timeout_s=120) as client:
        calls = _calls(client)
        duration_s = minutes * 60
        load = OpenLoop(lambda: chance.choice(calls)(), random_moments(rate, duration_s, chance), duration_s)
        running = asyncio.create_task(load.run())
        started = perf_counter()
        while not running.done():
            await asyncio.wait([running], timeout=_SAMPLE_S)
            elapsed_s = perf_counter() - started
            if elapsed_s > _WARM_UP_SHARE * duration_s:
                for name, sampled in samples.items():
                    sampled.minutes.append(elapsed_s / 60)
                    sampled.memory_mb.append(memory_mb(stack.pid(name)))
                    sampled.files.append(open_files(stack.pid(name)))
        await running
        traffic = await load.outcome()
    _print(traffic, samples, minutes, rate)


def _print(traffic: Traffic, samples: dict[str, Samples], minutes: float, rate: float) -> None:
    print(
        f"{minutes:.0f} minutes, {len(traffic.sent)} calls ({rate:g}/s), samples every {_SAMPLE_S:.0f} s "
        f"after the first {_WARM_UP_SHARE * minutes:.0f} minutes\n"
    )
    print(
        "| process | first MB | last MB | most MB | MB/minute | first files | last files | most files | files/min |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for name, sampled in samples.items():
        print(sampled.row(name))
    failed = Counter(one.error.reason for one in traffic.sent if one.error is not None)
    print(f"\nMedian {traffic.percentile_s(50):.2f} s; failed: {dict(failed) or 0}")


def _calls(client: AsyncPackshotClient) -> list[Callable[[], Awaitable[object]]]:
    """What callers do."""
    photos = [square_photo(side) for side in _SIDES]
    finished = square_photo(1000)
    names = sorted(path.name for path in EXAMPLES.glob("*.jpg"))
    products = [square_photo(512, name) for name in names]

    async def no_photo() -> None:
        try:
            await client.process(finished[:2000])
        except InvalidArgumentError:
            return
        raise AssertionError("a file that ends early was taken for a photo")

    return [
        *(lambda photo=photo: client.process(photo) for photo in (*photos, *products)),
        lambda: client.check(finished),
        lambda: client.cut_out(photos[1]),
        no_photo,
    ]


if __name__ == "__main__":
    main()
