"""Pictures to train on, one for each number: the part that their commands have in common. Needs Mitsuba.

Every picture depends on its number alone, and a run goes on where the last one stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import mitsuba as mi
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.scenes import kinds, plants
from bench.scenes.develop import save_matte

KINDS = kinds.KINDS | plants.KINDS
"""All that is trained on."""
Picture = tuple[str, NDArray[np.uint8], NDArray[np.float32]]
"""What it shows, in a word, the colour (H, W, 3) sRGB and the matte (H, W) in [0, 1]."""


def add_arguments(parser: argparse.ArgumentParser, *, count: int, side_px: int) -> None:
    """Add what can be said of any of these commands; ``count`` and ``side_px`` hold where nothing is said."""
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.jpg and NAME_a.png")
    parser.add_argument("--count", type=int, default=count, help="how many pictures (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default: %(default)s)")
    parser.add_argument("--side", type=int, default=side_px, help="the longer side, px (default: %(default)s)")
    parser.add_argument("--spp", type=int, default=6, help="samples a pixel (default: %(default)s)")


def parse(parser: argparse.ArgumentParser, argv: list[str] | None, *, smallest_side_px: int) -> argparse.Namespace:
    """Parse and check what ``add_arguments`` added; ends the program on a bad value, naming it and its limits."""
    arguments = parser.parse_args(argv)
    limits = {"count": (1, 1_000_000), "first": (0, 1 << 31), "side": (smallest_side_px, 4096), "spp": (1, 4096)}
    for name, (low, high) in limits.items():
        if not low <= getattr(arguments, name) <= high:
            parser.error(f"--{name} must be between {low} and {high}, got {getattr(arguments, name)}")
    return arguments


def render_missing(arguments: argparse.Namespace, prefix: str, render: Callable[[int], Picture]) -> None:
    """Write PREFIX-NUMBER-KIND.jpg and its matte, the same with _a.png, for every number that is not there yet."""
    mi.set_variant("scalar_rgb")
    mi.set_log_level(mi.LogLevel.Error)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    start, made = time.monotonic(), 0
    for number in range(arguments.first, arguments.first + arguments.count):
        if any(out.glob(f"{prefix}-{number:05d}-*_a.png")):
            continue
        kind, color, matte = render(number)
        name = f"{prefix}-{number:05d}-{kind}"
        Image.fromarray(color).save(out / f"{name}.jpg", quality=93, subsampling="4:4:4")
        # Last and at once: a matte in its place says that the pair is whole.
        unfinished = out / f".{name}.png"
        save_matte(matte, unfinished)
        unfinished.replace(out / f"{name}_a.png")
        made += 1
        done = number - arguments.first + 1
        print(f"{done}/{arguments.count} {name} {time.monotonic() - start:.0f} s", flush=True)
    print(f"{made} rendered, {arguments.count - made} were there")
