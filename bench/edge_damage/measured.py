"""Make the packshots and measure them; what is done is kept, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from bench.edge_damage.cases import CLEAN, Case, cases_of, half_of
from bench.edge_damage.damages import encode
from bench.edge_damage.products import Product
from services.common.color import ciede2000, srgb_to_lab
from services.common.photo import decode_photo
from services.validator.measurements.border import find_border
from services.validator.measurements.fringe_width import fringe_width
from services.validator.measurements.halo import halo
from services.validator.measurements.inner_blur import inner_blur
from services.validator.measurements.jaggedness import jaggedness
from services.validator.measurements.leftover_translucency import leftover_translucency
from services.validator.measurements.outline import outline_of
from services.validator.measurements.regions import SOLID_ALPHA, regions_of_image, regions_of_matte
from tests.helpers import composites

MEASURES = ("halo", "fringe_width", "jaggedness", "leftover_translucency")
SOURCES = ("bytes", "matte")
_COLUMNS = ("product", "group", "half", "damage", "strength", "number", "seen", "source", *MEASURES)
# Pixels of the edge that are compared with the clean packshot's.
_MOST_SEEN_PX = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """One packshot measured in one way. seen: mean ΔE00 to the clean packshot where the two differ by design."""

    product: str
    group: str
    half: str
    damage: str
    strength: float
    seen: float
    source: str
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Source:
    """A product that is made when it is needed. order: even ones choose the thresholds, odd ones judge them."""

    name: str
    group: str
    order: int
    make: Callable[[], Product]


def run(sources: list[Source], folder: Path, share: tuple[int, int] = (0, 1)) -> None:
    """Measure every case that `folder` has no row of; share (i, n) takes the i-th part of the products."""
    folder.mkdir(parents=True, exist_ok=True)
    done = {(row.product, row.damage, row.strength, row.source) for row in read(folder)}
    todo = []
    for source in sources:
        for case in cases_of(source.order, source.name):
            if (source.name, f"{case.damage}#{case.number}", case.strength, SOURCES[-1]) not in done:
                name = _file(source.name, case)
                # Packshots that are there come first, in mixed order, so that a run cut short is a fair sample.
                is_there = (folder / f"{name}.png").exists()
                order = crc32((name if is_there else source.name).encode())
                todo.append((not is_there, order, name, source, case))
    made: dict[str, Product] = {}
    with (folder / f"measured-{share[0]}.csv").open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for _, _, name, source, case in sorted(todo, key=lambda entry: entry[:3]):
            if crc32(source.name.encode()) % share[1] != share[0]:
                continue

            def product(source: Source = source) -> Product:
                if source.name not in made:
                    made.clear()
                    made[source.name] = source.make()
                return made[source.name]

            image, matte = _made(folder, name, source.name, case, product)
            seen = 0.0
            if case.damage != CLEAN:
                intact = next(cases_of(source.order, source.name))
                seen = _difference(image, *_made(folder, _file(source.name, intact), source.name, intact, product))
            for kind, values in zip(SOURCES, (_measured(image, None), _measured(image, matte)), strict=True):
                cells = ["" if values[name] is None else f"{values[name]:.5g}" for name in MEASURES]
                writer.writerow(
                    [source.name, source.group, half_of(source.order), f"{case.damage}#{case.number}", case.strength]
                    + [f"{seen:.3g}", kind, *cells]
                )
            file.flush()


def _file(product_name: str, case: Case) -> str:
    """Name of a packshot's files without their endings."""
    return f"{product_name}__{case.damage}__{case.strength:g}__{case.number}"


def _made(
    folder: Path, name: str, product_name: str, case: Case, product: Callable[[], Product]
) -> tuple[composites.Image, composites.Matte]:
    """A packshot as a reader of its file sees it, and its matte; made if it is not there."""
    photo, grey = folder / f"{name}.jpg", folder / f"{name}.png"
    if not grey.exists():
        packshot = case.make(product())
        photo.write_bytes(encode(packshot.image, case.rng(product_name + "file")))
        levels = np.rint(packshot.matte * 255).astype(np.uint8)
        cv2.imwrite(str(grey), levels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return decode_photo(photo.read_bytes()).image, _read_matte(grey)


def read(folder: Path) -> Iterator[Row]:
    """The rows measured so far; the damage's name still carries the file's number."""
    for path in sorted(folder.glob("measured-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for product, group, half, damage, strength, seen, source, *cells in csv.reader(file):
                values = {name: float(cell) if cell else None for name, cell in zip(MEASURES, cells, strict=True)}
                yield Row(product, group, half, damage, float(strength), float(seen), source, values)


def _measured(image: composites.Image, matte: composites.Matte | None) -> dict[str, float | None]:
    """The edge measures as the validator makes them."""
    regions = regions_of_image(image, find_border(image)) if matte is None else regions_of_matte(matte)
    if regions is None or not regions.product.any():
        return dict.fromkeys(MEASURES)
    covered = regions.product if matte is None else cv2.inRange(matte, SOLID_ALPHA, np.inf)
    outline = outline_of(image, covered, matte)
    return {
        "halo": halo(image, regions.surface, matte),
        "fringe_width": fringe_width(outline, inner_blur(image, regions.surface), max(image.shape[:2])),
        "jaggedness": jaggedness(outline),
        "leftover_translucency": leftover_translucency(image, regions.product, matte),
    }


def _difference(image: composites.Image, clean: composites.Image, matte: composites.Matte) -> float:
    """Mean ΔE00 to the clean packshot along the edge: within 3 px of a pixel that its matte covers partly."""
    size = 2 * max(1, round(3 * image.shape[0] / 2000)) + 1
    band = cv2.dilate(cv2.inRange(matte, 0.05, 0.95), np.ones((size, size), np.uint8))
    at = np.flatnonzero(band)
    if not at.size:
        return 0.0
    at = at[:: max(1, at.size // _MOST_SEEN_PX)]
    one, other = (srgb_to_lab(picture.reshape(-1, 3)[at]) for picture in (image, clean))
    return float(ciede2000(one, other).mean())


def _read_matte(path: Path) -> composites.Matte:
    matte = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if matte is None:
        raise FileNotFoundError(path)
    exact: composites.Matte = (matte / np.float32(255)).astype(np.float32)
    return exact
