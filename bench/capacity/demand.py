"""What a photo costs each service, in processor seconds: one photo at a time, by the processes' own clocks."""

import csv
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from bench.photos import EXAMPLES, square_photo
from bench.watch import cpu_s
from packshot.client import PackshotClient
from tools.stack import SERVICES, Stack

FILE: Final = Path(__file__).with_name("demand.csv")
VISITS: Final[Mapping[str, int]] = {"segmenter": 1, "compositor": 1, "validator": 2, "gateway": 1}
"""Calls of a photo that needs no repair: the validator sees the photo and the packshot."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Of photos of one size to one service.

    Attributes:
        side_px: Of the square photos.
        cpu_s: Mean per photo, all threads together.
        cv2: Squared coefficient of variation over the photos.
    """

    service: str
    side_px: int
    photos: int
    cpu_s: float
    cv2: float


def measure(stack: Stack, side_px: int, rounds: int) -> tuple[list[Demand], float]:
    """Every example photo so often; the demands, and the mean seconds a photo took.

    The first photo is done twice: what loads or compiles at first use is no photo's.
    """
    photos = [square_photo(side_px, path.name) for path in sorted(EXAMPLES.glob("*.jpg"))] * rounds
    used: dict[str, list[float]] = {name: [] for name in SERVICES}
    took_s = []
    with PackshotClient(stack.address, timeout_s=300) as client:
        client.process(photos[0])
        for photo in photos:
            before, started = _used_s(stack), perf_counter()
            client.process(photo)
            took_s.append(perf_counter() - started)
            after = _used_s(stack)
            for name in SERVICES:
                used[name].append(after[name] - before[name])
    return [_demand(name, side_px, values) for name, values in used.items()], statistics.fmean(took_s)


def write(demands: Iterable[Demand], file: Path = FILE) -> None:
    with file.open("w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(Demand.__slots__)
        for demand in demands:
            rows.writerow((demand.service, demand.side_px, demand.photos, f"{demand.cpu_s:.4f}", f"{demand.cv2:.3f}"))


def read(file: Path = FILE) -> list[Demand]:
    with file.open(newline="") as rows:
        return [
            Demand(row["service"], int(row["side_px"]), int(row["photos"]), float(row["cpu_s"]), float(row["cv2"]))
            for row in csv.DictReader(rows)
        ]


def of_side(demands: Sequence[Demand], side_px: int) -> dict[str, Demand]:
    """By service. Raises ValueError when the size was not measured."""
    found = {demand.service: demand for demand in demands if demand.side_px == side_px}
    if not found:
        sides = sorted({demand.side_px for demand in demands})
        raise ValueError(f"photos of {side_px} px were not measured; there are {', '.join(map(str, sides))}")
    return found


def _used_s(stack: Stack) -> dict[str, float]:
    return {name: cpu_s(stack.pid(name)) for name in SERVICES}


def _demand(service: str, side_px: int, values: Sequence[float]) -> Demand:
    mean = statistics.fmean(values)
    return Demand(service, side_px, len(values), mean, statistics.pvariance(values) / mean**2 if mean else 0.0)
