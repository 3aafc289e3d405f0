"""Callers at their best and at their worst: steady, in bursts, and five times as many as the services can serve.

    python -m bench.load [--side 512] [--overload-s 60]

Four processes on this machine, the load beside them. What they can serve (capacity) is measured in the same run, before
and after the overload.
"""

import argparse
import asyncio
import random
from dataclasses import dataclass

import grpc

from bench.photos import square_photo
from bench.traffic import OpenLoop, Send, Traffic, closed_loop, percentile_s, random_moments
from bench.watch import Watch
from packshot import errors
from packshot.client._channel import options
from packshot.v1.packshot_pb2 import ProcessImageRequest
from packshot.v1.packshot_pb2_grpc import PackshotServiceStub
from tools.stack import SERVICES, Stack, running_stack

_CALLERS = 4
_WARM_UP_S = 10.0
_CAPACITY_S = 30.0
_STEADY_S = 40.0
_STEADY_SHARE = 0.6
_BURSTS = 5
_BURST_PHOTOS = 8
_BETWEEN_BURSTS_S = 6.0
_OVERLOAD = 5.0
_AFTER_S = 20.0
_SLOW = 2.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What was sent, and what was seen of the services meanwhile."""

    name: str
    traffic: Traffic
    slowest_health_s: float
    failed_health_checks: int
    peak_mb: float

    def row(self) -> str:
        sent, traffic = self.traffic.sent, self.traffic
        failures = ", ".join(f"{count} {reason}" for reason, count in sorted(traffic.failures.items()))
        percentiles = " | ".join(f"{traffic.percentile_s(percent):.2f}" for percent in (50, 95, 99))
        refusals = f"{percentile_s(traffic.refused, 99) * 1000:.0f}" if traffic.refused else ""
        return (
            f"| {self.name} | {len(sent) / traffic.duration_s:.1f} | {len(sent)} | {len(traffic.answered)} "
            f"| {traffic.goodput():.2f} | {percentiles} | {len(traffic.refused)} | {refusals} | {failures or 0} "
            f"| {self.slowest_health_s:.2f} | {self.failed_health_checks} | {self.peak_mb:.0f} |"
        )


HEADER = """\
| phase | asked/s | photos | answered | answered/s | p50 s | p95 s | p99 s | refused | refusal p99 ms | failed \
| health slowest s | health failed | peak MB |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512, help="side of the square photos in px")
    parser.add_argument("--overload-s", type=float, default=60.0)
    arguments = parser.parse_args()
    with running_stack() as stack:
        asyncio.run(measure(stack, square_photo(arguments.side), arguments.overload_s))


async def measure(stack: Stack, photo: bytes, overload_s: float) -> None:
    """Prints a row for each phase, and what the overload came to."""
    watch = Watch(stack.addresses, {name: stack.pid(name) for name in SERVICES})
    watch.start()
    async with grpc.aio.insecure_channel(stack.address, options(stack.address)) as channel:
        phases = await _phases(caller(channel, stack.address, photo), watch, overload_s)
    watch.stop()
    print(HEADER)
    for phase in phases.values():
        print(phase.row())
    before, after = (phases[name].traffic.goodput() for name in ("capacity", "capacity after"))
    capacity, overload = (before + after) / 2, phases["overload"].traffic
    silent = sum(one.error is not None and not one.is_refused for one in overload.sent)
    alive = [name for name in SERVICES if not stack.has_ended(name)]
    print("\n| overload | value |\n|---|---|")
    print(f"| asked, of capacity ({before:.2f} before, {after:.2f} photos/s after) | {_OVERLOAD:.0f}× |")
    print(f"| answered per second, of capacity | {overload.goodput() / capacity:.2f} |")
    print(f"| neither answered nor refused with RetryInfo | {silent} |")
    print(f"| health, slowest answer | {phases['overload'].slowest_health_s:.2f} s |")
    print(f"| processes that live on | {len(alive)} of {len(SERVICES)} |")
    slow_s = _SLOW * phases["steady"].traffic.percentile_s(95)
    print(
        f"| the last photo after it that was refused or took {_SLOW:.0f}× steady p95 | {back_s(phases, slow_s):.1f} s |"
    )


async def _phases(send: Send, watch: Watch, overload_s: float) -> dict[str, Phase]:
    chance = random.Random(6)
    await closed_loop(send, _CALLERS, _WARM_UP_S)
    watch.look_back()
    phases: dict[str, Phase] = {}

    def note(name: str, traffic: Traffic) -> Traffic:
        phases[name] = Phase(name, traffic, *watch.look_back())
        return traffic

    capacity = note("capacity", await closed_loop(send, _CALLERS, _CAPACITY_S)).goodput()
    steady = capacity * _STEADY_SHARE
    calm = OpenLoop(send, random_moments(steady, _STEADY_S, chance), _STEADY_S)
    await calm.run()
    note("steady", await calm.outcome())
    moments = [burst * _BETWEEN_BURSTS_S for burst in range(_BURSTS) for _ in range(_BURST_PHOTOS)]
    bursts = OpenLoop(send, moments, _BURSTS * _BETWEEN_BURSTS_S)
    await bursts.run()
    note("bursts", await bursts.outcome())
    overload = OpenLoop(send, random_moments(capacity * _OVERLOAD, overload_s, chance), overload_s)
    calm_again = OpenLoop(send, random_moments(steady, _AFTER_S, chance), _AFTER_S)
    await overload.run()
    seen = watch.look_back()
    # At once, while the last photos of the overload are in work.
    await calm_again.run()
    phases["overload"] = Phase("overload", await overload.outcome(), *seen)
    note("after", await calm_again.outcome())
    note("capacity after", await closed_loop(send, _CALLERS, _CAPACITY_S))
    return phases


def caller(channel: grpc.aio.Channel, address: str, photo: bytes) -> Send:
    """Sends the photo, and takes a refusal for an answer."""
    stub = PackshotServiceStub(channel)

    async def send() -> None:
        try:
            await stub.ProcessImage(ProcessImageRequest(photo=photo), timeout=60)
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc_error(error, address) from error

    return send


def back_s(phases: dict[str, Phase], slow_s: float) -> float:
    """How long after the overload's last photo the last was sent that fared worse than before it; 0 if none did."""
    over_s = max(one.sent_s for one in phases["overload"].traffic.sent)
    worse = [one.sent_s for one in phases["after"].traffic.sent if one.error is not None or one.took_s > slow_s]
    return max((sent_s - over_s for sent_s in worse), default=0.0)


if __name__ == "__main__":
    main()
