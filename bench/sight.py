"""What being seen costs: services that show metrics and send traces against the same services that do not.

    python -m bench.sight

Both run in turn in one go, A B A B …. Processor time of all services together, since a busy machine says little about
time; the smallest call shows the cost by itself, a photo what it means.
"""

import argparse
import statistics
from collections.abc import Callable
from contextlib import ExitStack

import psutil

from bench.photos import square_photo
from packshot.client import PackshotClient
from tests.helpers.otlp_receiver import OtlpReceiver
from tools.stack import SERVICES, Stack, running_stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024, help="side of the square photo in px")
    parser.add_argument("--pairs", type=int, default=7)
    arguments = parser.parse_args()
    photo = square_photo(arguments.side)
    print("| what | pairs | off, median CPU ms | on, median CPU ms | ratio of the pairs, median | min | max |")
    print("|---|---|---|---|---|---|---|")
    with ExitStack() as opened:
        collector = opened.enter_context(OtlpReceiver.running())
        seen = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        seen |= {f"{name.upper()}_METRICS_LISTEN": "127.0.0.1:0" for name in SERVICES}
        stacks = [opened.enter_context(running_stack(settings)) for settings in ({}, seen)]
        clients = [opened.enter_context(PackshotClient(stack.address)) for stack in stacks]
        jobs: dict[str, tuple[int, Callable[[PackshotClient], object]]] = {
            "a call for a rule pack": (200, lambda client: client.get_rule_pack("amazon-us")),
            f"a photo of {arguments.side}²": (1, lambda client: client.process(photo)),
        }
        for name, (times, call) in jobs.items():
            pairs = [
                tuple(_cpu_ms(stack, client, call, times) for stack, client in zip(stacks, clients, strict=True))
                for _ in range(arguments.pairs + 1)
            ]
            off, on = zip(*pairs[1:], strict=True)  # the first warms up
            ratios = [with_it / without for without, with_it in pairs[1:]]
            print(
                f"| {name} | {arguments.pairs} | {statistics.median(off):.2f} | {statistics.median(on):.2f} "
                f"| {statistics.median(ratios):.3f} | {min(ratios):.3f} | {max(ratios):.3f} |"
            )


def _cpu_ms(stack: Stack, client: PackshotClient, call: Callable[[PackshotClient], object], times: int) -> float:
    before = _spent_s(stack)
    for _ in range(times):
        call(client)
    return (_spent_s(stack) - before) / times * 1000


def _spent_s(stack: Stack) -> float:
    """Processor time of all services and their children so far."""
    processes = [psutil.Process(stack.pid(name)) for name in SERVICES]
    family = [*processes, *(child for process in processes for child in process.children(recursive=True))]
    return sum(member.cpu_times().user + member.cpu_times().system for member in family)


if __name__ == "__main__":
    main()
