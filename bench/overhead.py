"""What being a service costs: four processes over loopback against the same services in one process.

    python -m bench.overhead --side 2048

Both run in turn in one go, A B A B …, because the machine's speed drifts.
"""

import argparse
import statistics
import time
from contextlib import ExitStack

from bench.photos import square_photo
from packshot.cli.local import LocalStack
from packshot.client import PackshotClient
from tools.stack import running_stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048, help="side of the square photo in px")
    parser.add_argument("--pairs", type=int, default=9)
    arguments = parser.parse_args()
    photo = square_photo(arguments.side)
    with ExitStack() as opened:
        embedded = opened.enter_context(PackshotClient(opened.enter_context(LocalStack(("classical",))).address))
        served = opened.enter_context(PackshotClient(opened.enter_context(running_stack()).address))
        for client in (embedded, served):
            client.process(photo)
        pairs = [(_seconds(served, photo), _seconds(embedded, photo)) for _ in range(arguments.pairs)]
    ratios = [over_loopback / in_process for over_loopback, in_process in pairs]
    print("| photo | pairs | four processes, median s | one process, median s | ratio, median | min | max |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {arguments.side}² | {len(pairs)} | {statistics.median(a for a, _ in pairs):.2f} "
        f"| {statistics.median(b for _, b in pairs):.2f} | {statistics.median(ratios):.3f} "
        f"| {min(ratios):.3f} | {max(ratios):.3f} |"
    )


def _seconds(client: PackshotClient, photo: bytes) -> float:
    started = time.perf_counter()
    client.process(photo)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
