"""A new version is rolled out while photos come in: every replica of every service is replaced, one after the other.

    python -m bench.rolling [--calls 500] [--how surge|in-place]

surge: as a Deployment does, the new replica is ready before the old one gets SIGTERM. in-place: the old one ends first
and comes back on its address, so one of two is missing meanwhile.
"""

import argparse
import asyncio
from collections import Counter
from time import perf_counter
from typing import Final

from bench.photos import square_photo
from bench.traffic import Sent, Traffic, one
from packshot.client import AsyncPackshotClient
from tests.helpers.replicas import Cluster, Deployment
from tools.stack import SERVICES

_REPLICAS: Final = 2
_CALLERS: Final = 3
_TIMEOUT_S: Final = 120.0
_SETTLE_S: Final = 3.0
"""Between two replicas, as `minReadySeconds` of the manifests."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--side", type=int, default=256, help="side of the square photos in px")
    parser.add_argument("--how", choices=sorted(_REPLACED), default="surge")
    arguments = parser.parse_args()
    with Cluster.running(dict.fromkeys(SERVICES, _REPLICAS)) as cluster:
        asyncio.run(measure(cluster, square_photo(arguments.side), arguments.calls, arguments.how))


async def measure(cluster: Cluster, photo: bytes, calls: int, how: str) -> None:
    """Prints what became of at least so many photos, sent while all is replaced."""
    sent: list[Sent] = []
    done = asyncio.Event()

    async def caller() -> None:
        while not (done.is_set() and len(sent) >= calls):
            sent.append(await one(lambda: client.process(photo)))

    started = perf_counter()
    async with AsyncPackshotClient(cluster["gateway"].address, timeout_s=_TIMEOUT_S) as client:
        callers = [asyncio.create_task(caller()) for _ in range(_CALLERS)]
        try:
            rows = [await roll_out(cluster[service], sent, how) for service in SERVICES]
        finally:
            done.set()
        await asyncio.gather(*callers)
    traffic = Traffic(sent, perf_counter() - started)
    print(
        f"| service, {_REPLICAS} replicas replaced ({how}) | seconds | photos meanwhile | failed |\n|---|---|---|---|"
    )
    print("\n".join(rows))
    failed = Counter(f"{one.error.reason}: {one.error}" for one in sent if one.error is not None)
    print(f"| all, {_CALLERS} callers | {traffic.duration_s:.0f} | {len(sent)} | {failed.total()} |")
    print(
        f"\nSeconds a photo took, median / p99 / longest: {traffic.percentile_s(50):.2f} / "
        f"{traffic.percentile_s(99):.2f} / {traffic.percentile_s(100):.2f}"
    )
    for words, count in failed.most_common():
        print(f"{count} × {words}")


async def roll_out(deployment: Deployment, sent: list[Sent], how: str) -> str:
    """Replaces every replica; a row of the table."""
    before, started = len(sent), perf_counter()
    for ip in deployment.replicas:
        await asyncio.to_thread(_REPLACED[how], deployment, ip)
        await asyncio.sleep(_SETTLE_S)
    meanwhile = sent[before:]
    failed = sum(one.error is not None for one in meanwhile)
    return f"| {deployment.service} | {perf_counter() - started:.0f} | {len(meanwhile)} | {failed} |"


def _surge(deployment: Deployment, ip: str) -> None:
    deployment.add()
    deployment.remove(ip)


def _in_place(deployment: Deployment, ip: str) -> None:
    deployment.restart(ip)


_REPLACED: Final = {"surge": _surge, "in-place": _in_place}


if __name__ == "__main__":
    main()
