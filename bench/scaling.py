"""Replicas of one stage come and go under load: nobody notices, and the photos even out.

    python -m bench.scaling [--service segmenter] [--phase-s 30]

Callers and gateway spread calls over all replicas they are connected to. A new one is found when a connection ends and
names are looked up again, at the latest after <SERVICE>_MAX_CONNECTION_AGE_S, here 5 s.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from typing import Final

from bench.photos import square_photo
from bench.traffic import Sent, one
from packshot.client import AsyncPackshotClient
from tests.helpers.replicas import Cluster, Deployment, counts
from tools.stack import SERVICES

_CALLERS: Final = 4
_CONNECTION_AGE_S: Final = 5.0
_SETTLE_S: Final = 2 * _CONNECTION_AGE_S
"""Every connection has ended once, with gRPC's own scatter of a tenth, and what was on its way is answered."""
_REPLICAS: Final = (1, 3, 2, 1)


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which the number of replicas did not change, in seconds since the epoch."""

    replicas: list[str]
    begin_s: float
    end_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", choices=SERVICES, default="segmenter")
    parser.add_argument("--phase-s", type=float, default=30.0)
    parser.add_argument("--side", type=int, default=256, help="side of the square photos in px")
    arguments = parser.parse_args()
    settings = {f"{arguments.service.upper()}_MAX_CONNECTION_AGE_S": str(_CONNECTION_AGE_S)}
    with Cluster.running(dict.fromkeys(SERVICES, 1), settings) as cluster:
        asyncio.run(measure(cluster, arguments.service, square_photo(arguments.side), arguments.phase_s))


async def measure(cluster: Cluster, service: str, photo: bytes, phase_s: float) -> None:
    """Prints how many photos each replica served in each phase, and what failed."""
    sent: list[Sent] = []
    done = asyncio.Event()

    async def caller() -> None:
        while not done.is_set():
            sent.append(await one(lambda: client.process(photo)))

    deployment = cluster[service]
    phases = []
    async with AsyncPackshotClient(cluster["gateway"].address) as client:
        callers = [asyncio.create_task(caller()) for _ in range(_CALLERS)]
        try:
            for replicas in _REPLICAS:
                await asyncio.to_thread(_scale, deployment, replicas)
                await asyncio.sleep(_SETTLE_S)
                begin_s = time.time()
                await asyncio.sleep(phase_s)
                phases.append(Phase(deployment.replicas, begin_s, time.time()))
        finally:
            done.set()
        await asyncio.gather(*callers)
    print(f"| {service} replicas | photos of each | least / most | photos/s |\n|---|---|---|---|")
    for phase in phases:
        served = counts(deployment, phase.replicas, phase.begin_s, phase.end_s)
        each = ", ".join(str(served[ip]) for ip in phase.replicas)
        evenness = min(served.values()) / max(max(served.values()), 1)
        rate = served.total() / (phase.end_s - phase.begin_s)
        print(f"| {len(phase.replicas)} | {each} | {evenness:.2f} | {rate:.2f} |")
    failed = sorted({f"{one.error.reason}: {one.error}" for one in sent if one.error is not None})
    print(f"\n{len(sent)} photos, {sum(one.error is not None for one in sent)} failed {'; '.join(failed)}")


def _scale(deployment: Deployment, replicas: int) -> None:
    """Adds or removes one replica after the other, the oldest first, until there are so many."""
    while len(deployment.replicas) < replicas:
        deployment.add()
    while len(deployment.replicas) > replicas:
        deployment.remove(deployment.replicas[0])


if __name__ == "__main__":
    main()
