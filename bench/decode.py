"""What decoding in a process of its own costs: the same photos in turn, here and there.

python -m bench.decode
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import psutil

from bench.photos import example_image
from services.common.decoder.isolated import IsolatedDecoder
from services.common.photo import DecodedPhoto, decode_photo, encode_jpeg, encode_png

_WORKERS = 2
_IN_A_ROW = 10
_SIZES = {"512 × 512": (512, 512), "2048 × 2048": (2048, 2048), "6000 × 4000": (4000, 6000)}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one photo, in ms: by the clock (the quietest round's median) and of all processors."""

    wall_ms: float
    cpu_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    decoder = IsolatedDecoder(_WORKERS, 60, 2048)
    started = time.perf_counter()
    decoder.start()
    started = time.perf_counter() - started
    zygote = psutil.Process(decoder.pid)
    print("| photo | here, ms | isolated, ms | processor time here, ms | isolated, ms | more |")
    print("|---|---|---|---|---|---|")
    for name, data in photos().items():
        here, there = compared(data, decoder, zygote, arguments.rounds)
        more = f"{there.cpu_ms - here.cpu_ms:.1f} ms ({there.cpu_ms / here.cpu_ms - 1:+.0%})"
        print(
            f"| {name} | {here.wall_ms:.1f} | {there.wall_ms:.1f} | {here.cpu_ms:.1f} | {there.cpu_ms:.1f} | {more} |"
        )
    memory = zygote.memory_full_info()
    print(f"\nThe zygote was ready after {started:.2f} s and holds {memory.uss / 2**20:.0f} MB of its own")
    print(f"(resident {memory.rss / 2**20:.0f} MB, most of it libraries that the service has mapped, too).")
    decoder.close()


def photos() -> dict[str, bytes]:
    """JPEGs of an example in three sizes, and one with transparency."""
    image = example_image()
    scaled = {
        name: np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
        for name, size in _SIZES.items()
    }
    made = {f"{name} JPEG": encode_jpeg(pixels, 92) for name, pixels in scaled.items()}
    square = scaled["2048 × 2048"]
    return {**made, "2048 × 2048 PNG with alpha": encode_png(np.dstack([square, square[..., 0]]))}


def compared(data: bytes, decoder: IsolatedDecoder, zygote: psutil.Process, rounds: int) -> tuple[Cost, Cost]:
    """In turn, so that the machine's mood meets both."""
    costs: list[list[Cost]] = [[], []]
    ways: list[Callable[[bytes], DecodedPhoto]] = [decode_photo, decoder.decode]
    for way in ways:
        way(data)
    for _ in range(rounds):
        for way, found in zip(ways, costs, strict=True):
            walls, used = [], _cpu_s(zygote)
            for _ in range(_IN_A_ROW):
                started = time.perf_counter()
                way(data)
                walls.append(time.perf_counter() - started)
            used = _cpu_s(zygote, after_children=True) - used
            found.append(Cost(statistics.median(walls) * 1000, used / _IN_A_ROW * 1000))
    here, there = (
        Cost(min(cost.wall_ms for cost in found), statistics.median(cost.cpu_ms for cost in found)) for found in costs
    )
    return here, there


def _cpu_s(zygote: psutil.Process, *, after_children: bool = False) -> float:
    """Of this process, the zygote and the zygote's children that have ended."""
    own = time.process_time()
    while after_children and zygote.children():
        time.sleep(0.01)  # a child's time counts for the zygote once it has ended
    used = zygote.cpu_times()
    return own + used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    main()
