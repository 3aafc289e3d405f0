"""``python -m bench.scenes.staged``: render generated products on sets, with their shadows, to train on.

Writes staged-NUMBER-BACKDROP.jpg, the photo, and the same with _a.png, the exact matte (8-bit grey). Products are those
of ``bench.scenes.products`` that no light goes through, staged as the edge benchmark's scenes are, of other seeds.

Every file depends on its seed alone, and a run goes on where the last one stopped. Needs Mitsuba (``pip install
mitsuba``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator

from bench.scenes import numbered
from bench.scenes.alone import is_clear
from bench.scenes.backdrops import BACKDROPS
from bench.scenes.edge_groups import EdgeScene
from bench.scenes.kinds import draw
from bench.scenes.numbered import KINDS, Picture
from bench.scenes.scenes import Part
from bench.scenes.staging import shoot

_POLISHED: Final = 0.2  # share of the sets whose table mirrors


def _opaque(rng: Generator) -> list[Part]:
    while True:
        _, parts = draw(rng, KINDS)
        if not any(is_clear(part) for part in parts):
            return parts


def scene(seed: int) -> EdgeScene:
    """Draw the set of a seed."""
    rng = np.random.default_rng((seed, 1))
    backdrop = list(BACKDROPS)[int(rng.integers(len(BACKDROPS)))]
    low = float(rng.uniform(3, 40))
    gloss = float(rng.uniform(0.1, 0.4)) if rng.random() < _POLISHED else 0.0
    return EdgeScene(f"staged-{seed:05d}-{backdrop}", "opaque", _opaque, backdrop, seed, (low, low + 20), gloss)


def render(seed: int, side_px: int, spp: int, cache: Path) -> Picture:
    """Return the backdrop, the photo and the matte."""
    staged = scene(seed)
    shot = shoot(staged, side_px, spp, cache)
    return staged.backdrop, shot.photo, np.asarray(shot.matte / np.float32(255), np.float32)


def main(argv: list[str] | None = None) -> int:
    """Render the photos that are not there yet."""
    parser = argparse.ArgumentParser(prog="python -m bench.scenes.staged", description=__doc__)
    numbered.add_arguments(parser, count=150, side_px=480)
    arguments = numbered.parse(parser, argv, smallest_side_px=64)
    cache: Path = arguments.out / ".cache"
    cache.mkdir(parents=True, exist_ok=True)
    numbered.render_missing(arguments, "staged", lambda seed: render(seed, arguments.side, arguments.spp, cache))
    return 0


if __name__ == "__main__":
    sys.exit(main())
