"""Whether the model holds: what it says of this machine, beside what is measured on it."""

import asyncio
import os
import random
import time
from dataclasses import dataclass
from typing import Final

from bench.capacity.demand import measure
from bench.capacity.queueing import mean_wait_s
from bench.photos import EXAMPLES, square_photo
from bench.traffic import OpenLoop, Send, closed_loop, random_moments
from packshot.client import AsyncPackshotClient
from tools.stack import Stack

_ROUNDS: Final = 3
_CALLERS: Final = 4
_CAPACITY_S: Final = 40.0
_LIGHT_S: Final = 60.0
_SHARES: Final = (0.3, 0.6)


@dataclass(frozen=True, slots=True)
class Compared:
    """A number of the model and the measured one."""

    what: str
    predicted: float
    measured: float

    def row(self) -> str:
        return f"| {self.what} | {self.predicted:.2f} | {self.measured:.2f} | {self.measured / self.predicted:.2f} |"


def check(stack: Stack, side_px: int) -> list[Compared]:
    """All services and the callers share this machine's cores: one queue for all of them.

    The cores are the workers, and a photo's work is what it costs all services and its caller together. What a photo
    takes without others is measured, for parts of it run side by side.
    """
    demands, alone_s = measure(stack, side_px, _ROUNDS)
    cores = os.cpu_count() or 1
    return asyncio.run(_compare(stack, side_px, sum(demand.cpu_s for demand in demands), alone_s, cores))


async def _compare(stack: Stack, side_px: int, services_s: float, alone_s: float, cores: int) -> list[Compared]:
    chance = random.Random(6)
    photos = [square_photo(side_px, path.name) for path in sorted(EXAMPLES.glob("*.jpg"))]
    async with AsyncPackshotClient(stack.address, timeout_s=300) as client:
        send = _any_of(client, photos, chance)
        before_s = time.process_time()
        full = await closed_loop(send, _CALLERS, _CAPACITY_S)
        work_s = services_s + (time.process_time() - before_s) / max(len(full.sent), 1)
        capacity = cores / work_s
        compared = [Compared("photos/s at most", capacity, full.goodput())]
        for share in _SHARES:
            rate = share * capacity
            light = OpenLoop(send, random_moments(rate, _LIGHT_S, chance), _LIGHT_S)
            await light.run()
            answered = (await light.outcome()).answered
            measured_s = sum(one.took_s for one in answered) / len(answered)
            predicted_s = alone_s + mean_wait_s(rate, work_s, cores)
            compared.append(Compared(f"mean s a photo takes at {share:.0%} of that", predicted_s, measured_s))
    return compared


def _any_of(client: AsyncPackshotClient, photos: list[bytes], chance: random.Random) -> Send:
    return lambda: client.process(chance.choice(photos))
