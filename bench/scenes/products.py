"""``python -m bench.scenes.products``: render generated products, each alone, with exact mattes to train on.

Writes NAME.jpg, the colour, and NAME_a.png, the matte (8-bit grey). The colour is decontaminated: a mixed pixel has the
product's own colour, and beyond the outline it is continued, so that the pair composites over any ground. Glass counts
as product: its matte is opaque, and through it one sees a plain backdrop. There is no ground, hence no shadow.

Every file depends on its seed alone, and a run goes on where the last one stopped. Needs Mitsuba (``pip install
mitsuba``), variant ``scalar_rgb``: at this size a compiled variant would spend longer compiling than rendering.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.scenes import numbered
from bench.scenes.alone import light_of
from bench.scenes.develop import develop
from bench.scenes.kinds import Kinds, draw
from bench.scenes.lighting import surroundings
from bench.scenes.numbered import KINDS, Picture
from bench.scenes.scenes import Development, Part
from bench.scenes.silhouette import View, coverage, framed


def _view(rng: np.random.Generator, parts: list[Part], side_px: int) -> View:
    """Draw where the camera stands: 5 to 60 degrees up, mostly upright, at times the product lies."""
    azimuth_deg = float(rng.normal(0, 35) if rng.random() < 0.75 else rng.uniform(0, 360))
    elevation_deg = float(5 + 55 * rng.beta(1.2, 2.0))
    roll_deg = float(rng.normal(0, 3) if rng.random() < 0.88 else rng.uniform(-180, 180))
    distance = float(rng.uniform(3.5, 14))
    return framed([part.mesh for part in parts], azimuth_deg, elevation_deg, roll_deg, distance, side_px)


def render(seed: int, side_px: int, spp: int, kinds: Kinds) -> Picture:
    """Return the kind, the colour, continued beyond the outline, and the matte of one product."""
    rng = np.random.default_rng(seed)
    kind, parts = draw(rng, kinds)
    view = _view(rng, parts, side_px)
    sky = surroundings(rng, view.axes[2])
    matte = coverage([part.mesh for part in parts], view)
    with tempfile.TemporaryDirectory() as cache:
        light = light_of(parts, view, sky, spp, seed, Path(cache))
    color = develop(light, Development(vignetting=0.0, noise=0.0), seed)
    return kind, color, matte


def main(argv: list[str] | None = None) -> int:
    """Render the products that are not there yet."""
    parser = argparse.ArgumentParser(prog="python -m bench.scenes.products", description=__doc__)
    numbered.add_arguments(parser, count=400, side_px=200)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="only these (default: all)")
    arguments = numbered.parse(parser, argv, smallest_side_px=16)
    kinds = {name: KINDS[name] for name in arguments.kinds}
    numbered.render_missing(arguments, "render", lambda seed: render(seed, arguments.side, arguments.spp, kinds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
