"""Many photos at the same time through real processes: errors, health while under load, memory over time.

python -m bench.load --photos 200 --concurrency 8
"""

import argparse
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from bench.photos import square_photo
from packshot.client import PackshotClient, PackshotError
from tools.stack import Stack, is_serving, running_stack

_QUIET_S = 2.0


class HealthWatch(threading.Thread):
    """Asks every service's health twice a second and keeps how long the answers took."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._addresses = addresses
        self._over = threading.Event()
        self.seconds: list[float] = []
        self.failures = 0

    def run(self) -> None:
        while not self._over.wait(0.5):
            for address in self._addresses:
                started = time.perf_counter()
                try:
                    self.failures += not is_serving(address, 5)
                except grpc.RpcError:
                    self.failures += 1
                self.seconds.append(time.perf_counter() - started)

    def stop(self) -> None:
        self._over.set()
        self.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--side", type=int, default=1024, help="side of the square photos in px")
    parser.add_argument("--weights", type=Path, help="u2netp.onnx; without it only the classical proposal runs")
    arguments = parser.parse_args()
    settings = {}
    if arguments.weights:
        settings = {"SEGMENTER_PROPOSERS": "classical,u2netp", "SEGMENTER_MODELS_DIR": str(arguments.weights.parent)}
    with running_stack(settings) as stack:
        measure(stack, square_photo(arguments.side), arguments.photos, arguments.concurrency)


def measure(stack: Stack, photo: bytes, photos: int, concurrency: int) -> None:
    """Prints a table about `photos` photos, `concurrency` at a time."""
    errors: list[PackshotError] = []
    seconds: list[float] = []

    def one(_: int) -> None:
        started = time.perf_counter()
        try:
            client.process(photo, timeout_s=300)
        except PackshotError as error:
            errors.append(error)
        seconds.append(time.perf_counter() - started)

    with PackshotClient(stack.address) as client:
        one(0)
        time.sleep(_QUIET_S)
        first_mb = _total_mb(stack)
        watch = HealthWatch(list(stack.addresses.values()))
        watch.start()
        levels, peak_mb = [], 0.0
        batch = max(photos // 4, 1)
        started = time.perf_counter()
        with ThreadPoolExecutor(concurrency) as callers:
            for _ in range(0, photos, batch):
                running = [callers.submit(one, index) for index in range(batch)]
                while not all(task.done() for task in running):
                    peak_mb = max(peak_mb, _total_mb(stack))
                    time.sleep(0.2)
                time.sleep(_QUIET_S)
                levels.append(_total_mb(stack))
        elapsed = time.perf_counter() - started - _QUIET_S * len(levels)
        watch.stop()
    print("| what | value |\n|---|---|")
    print(f"| photos, {concurrency} at a time | {photos} |")
    print(f"| errors | {len(errors)} {sorted({error.reason for error in errors}) or ''} |")
    print(f"| photos per second | {photos / elapsed:.2f} |")
    print(f"| seconds per photo, median / longest | {statistics.median(seconds):.2f} / {max(seconds):.2f} |")
    print(f"| health answers, longest | {max(watch.seconds):.3f} s of {len(watch.seconds)}, {watch.failures} failed |")
    print(f"| memory of all four after the first photo | {first_mb:.0f} MB |")
    print(f"| the same after each quarter | {', '.join(f'{level:.0f}' for level in levels)} MB |")
    print(f"| last against first | {levels[-1] / first_mb:.2f} |")
    print(f"| highest under load | {peak_mb:.0f} MB |")


def _total_mb(stack: Stack) -> float:
    return sum(stack.resident_mb().values())


if __name__ == "__main__":
    main()
