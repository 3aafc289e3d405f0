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
import time
from pathlib import Path

import mitsuba as mi
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.scenes import plants
from bench.scenes.alone import Linear, light_of
from bench.scenes.develop import develop, save_matte
from bench.scenes.kinds import KINDS, Kinds, draw
from bench.scenes.lighting import surroundings
from bench.scenes.scenes import Development, Part
from bench.scenes.silhouette import View, coverage, framed

_KINDS = KINDS | plants.KINDS


def _view(rng: np.random.Generator, parts: list[Part], side_px: int) -> View:
    """Draw where the camera stands: 5 to 60 degrees up, mostly upright, at times the product lies."""
    azimuth_deg = float(rng.normal(0, 35) if rng.random() < 0.75 else rng.uniform(0, 360))
    elevation_deg = float(5 + 55 * rng.beta(1.2, 2.0))
    roll_deg = float(rng.normal(0, 3) if rng.random() < 0.88 else rng.uniform(-180, 180))
    distance = float(rng.uniform(3.5, 14))
    return framed([part.mesh for part in parts], azimuth_deg, elevation_deg, roll_deg, distance, side_px)


def render(
    seed: int, side_px: int, spp: int, cache: Path, kinds: Kinds = _KINDS
) -> tuple[str, NDArray[np.uint8], Linear]:
    """Return the kind, the colour (uint8 (H, W, 3) sRGB, continued beyond the outline) and the matte of one product."""
    rng = np.random.default_rng(seed)
    kind, parts = draw(rng, kinds)
    view = _view(rng, parts, side_px)
    sky = surroundings(rng, view.axes[2])
    matte = coverage([part.mesh for part in parts], view)
    light = light_of(parts, view, sky, spp, seed, cache)
    color = develop(light, Development(vignetting=0.0, noise=0.0), seed)
    return kind, color, matte


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scenes.products", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.jpg and NAME_a.png")
    parser.add_argument("--count", type=int, default=400, help="how many products (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first (default: %(default)s)")
    parser.add_argument("--side", type=int, default=200, help="the product's longer side, px (default: %(default)s)")
    parser.add_argument("--spp", type=int, default=6, help="samples a pixel (default: %(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=list(_KINDS), help="only these (default: all)")
    arguments = parser.parse_args(argv)
    for name, low, high in (("count", 1, 1_000_000), ("first", 0, 1 << 31), ("side", 16, 4096), ("spp", 1, 4096)):
        if not low <= getattr(arguments, name) <= high:
            parser.error(f"--{name} must be between {low} and {high}, got {getattr(arguments, name)}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Render the products that are not there yet."""
    arguments = _arguments(argv)
    mi.set_variant("scalar_rgb")
    mi.set_log_level(mi.LogLevel.Error)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    kinds = {name: _KINDS[name] for name in arguments.kinds}
    start, made = time.monotonic(), 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        if any(out.glob(f"render-{seed:05d}-*_a.png")):
            continue
        with tempfile.TemporaryDirectory() as cache:
            kind, color, matte = render(seed, arguments.side, arguments.spp, Path(cache), kinds)
        name = f"render-{seed:05d}-{kind}"
        Image.fromarray(color).save(out / f"{name}.jpg", quality=93, subsampling="4:4:4")
        # Last and at once: a matte in its place says that the pair is whole.
        unfinished = out / f".{name}.png"
        save_matte(matte, unfinished)
        unfinished.replace(out / f"{name}_a.png")
        made += 1
        done = seed - arguments.first + 1
        print(f"{done}/{arguments.count} {name} {time.monotonic() - start:.0f} s", flush=True)
    print(f"{made} rendered, {arguments.count - made} were there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
