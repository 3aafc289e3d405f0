"""``python -m bench.scenes.staged``: render generated products on sets, with their shadows, to train on.

Writes staged-NUMBER-BACKDROP.jpg, the photo, and the same with _a.png, the exact matte (8-bit grey). Products are those
of ``bench.scenes.products`` that no light goes through, staged as the edge benchmark's scenes are, of other seeds.

Every file depends on its seed alone, and a run goes on where the last one stopped. Needs Mitsuba (``pip install
mitsuba``).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

import mitsuba as mi
import numpy as np
from numpy.random import Generator
from PIL import Image

from bench.scenes.alone import is_clear
from bench.scenes.backdrops import BACKDROPS
from bench.scenes.edge_groups import EdgeScene
from bench.scenes.kinds import KINDS, draw
from bench.scenes.plants import KINDS as PLANTS
from bench.scenes.scenes import Part
from bench.scenes.staging import shoot

_POLISHED: Final = 0.2  # share of the sets whose table mirrors


def _opaque(rng: Generator) -> list[Part]:
    while True:
        _, parts = draw(rng, KINDS | PLANTS)
        if not any(is_clear(part) for part in parts):
            return parts


def scene(seed: int) -> EdgeScene:
    """Draw the set of a seed."""
    rng = np.random.default_rng((seed, 1))
    backdrop = list(BACKDROPS)[int(rng.integers(len(BACKDROPS)))]
    low = float(rng.uniform(3, 40))
    gloss = float(rng.uniform(0.1, 0.4)) if rng.random() < _POLISHED else 0.0
    return EdgeScene(f"staged-{seed:05d}-{backdrop}", "opaque", _opaque, backdrop, seed, (low, low + 20), gloss)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scenes.staged", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.jpg and NAME_a.png")
    parser.add_argument("--count", type=int, default=150, help="how many photos (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first (default: %(default)s)")
    parser.add_argument("--side", type=int, default=480, help="the photo's longer side, px (default: %(default)s)")
    parser.add_argument("--spp", type=int, default=6, help="samples a pixel (default: %(default)s)")
    arguments = parser.parse_args(argv)
    for name, low, high in (("count", 1, 1_000_000), ("first", 0, 1 << 31), ("side", 64, 4096), ("spp", 1, 4096)):
        if not low <= getattr(arguments, name) <= high:
            parser.error(f"--{name} must be between {low} and {high}, got {getattr(arguments, name)}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Render the photos that are not there yet."""
    arguments = _arguments(argv)
    mi.set_variant("scalar_rgb")
    mi.set_log_level(mi.LogLevel.Error)
    out: Path = arguments.out
    cache = out / ".cache"
    cache.mkdir(parents=True, exist_ok=True)
    start, made = time.monotonic(), 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        staged = scene(seed)
        if (out / f"{staged.name}_a.png").exists():
            continue
        shot = shoot(staged, arguments.side, arguments.spp, cache)
        Image.fromarray(shot.photo).save(out / f"{staged.name}.jpg", quality=93, subsampling="4:4:4")
        # Last and at once: a matte in its place says that the pair is whole.
        unfinished = out / f".{staged.name}.png"
        Image.fromarray(shot.matte).save(unfinished, optimize=True)
        unfinished.replace(out / f"{staged.name}_a.png")
        made += 1
        done = seed - arguments.first + 1
        print(f"{done}/{arguments.count} {staged.name} {time.monotonic() - start:.0f} s", flush=True)
    print(f"{made} rendered, {arguments.count - made} were there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
