"""``python -m bench.scenes.edges``: render the edge benchmark, sixty product scenes with exact matte and colour.

Writes NAME.jpg (the photo), NAME.matte.png, NAME.foreground.png, NAME.white.png and scenes.csv. A scene that is there
at the size asked for is not rendered again. Needs Mitsuba (``pip install mitsuba``).
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path
from typing import Final

import mitsuba as mi
from PIL import Image

from bench.scenes.edge_groups import GROUPS, SCENES, SUBSET
from bench.scenes.staging import Shot, shoot

_VARIANTS: Final = ("scalar_rgb", "llvm_ad_rgb")
_SUFFIXES: Final = (".jpg", ".matte.png", ".foreground.png", ".white.png")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scenes.edges", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/edges"), help="folder (default: %(default)s)")
    parser.add_argument("--scene", action="append", choices=list(SCENES), help="only this scene; may be repeated")
    parser.add_argument("--group", action="append", choices=GROUPS, help="only this group; may be repeated")
    parser.add_argument("--subset", type=Path, metavar="OUT", help="render the tests' twelve scenes there instead")
    parser.add_argument("--side", type=int, default=1024, help="the photo's longer side, px (default: %(default)s)")
    parser.add_argument(
        "--spp",
        type=int,
        default=10,
        help="samples a pixel; two to three times as many for hair, glass and pieces (default: %(default)s)",
    )
    parser.add_argument("--variant", default="scalar_rgb", choices=_VARIANTS, help="of Mitsuba (default: %(default)s)")
    arguments = parser.parse_args(argv)
    for name, low, high in (("side", 64, 4096), ("spp", 1, 4096)):
        if not low <= getattr(arguments, name) <= high:
            parser.error(f"--{name} must be between {low} and {high}, got {getattr(arguments, name)}")
    return arguments


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def _is_there(out: Path, name: str, side_px: int) -> bool:
    if not all((out / f"{name}{suffix}").exists() for suffix in _SUFFIXES):
        return False
    with Image.open(out / f"{name}.jpg") as photo:
        return max(photo.size) == side_px


def _save(shot: Shot, out: Path, name: str) -> None:
    for suffix, picture in zip(_SUFFIXES, (shot.photo, shot.matte, shot.foreground, shot.white), strict=True):
        # At once, so that a stopped run leaves no torn file.
        unfinished = out / f".{name}{suffix}"
        options = (
            {"quality": 95, "subsampling": "4:4:4"} if suffix == ".jpg" else {"optimize": max(picture.shape) < 512}
        )
        Image.fromarray(picture).save(unfinished, **options)
        unfinished.replace(out / f"{name}{suffix}")


def _list(out: Path) -> None:
    """Write scenes.csv: what is in the folder, in the benchmark's order."""
    unfinished = out / ".scenes.csv"
    with unfinished.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "group", "backdrop", "seed", "width_px", "height_px"])
        for scene in SCENES.values():
            if all((out / f"{scene.name}{suffix}").exists() for suffix in _SUFFIXES):
                with Image.open(out / f"{scene.name}.jpg") as photo:
                    writer.writerow([scene.name, scene.group, scene.backdrop, scene.seed, *photo.size])
    unfinished.replace(out / "scenes.csv")


def main(argv: list[str] | None = None) -> int:
    """Render the chosen scenes that are not there yet."""
    arguments = _arguments(argv)
    mi.set_variant(arguments.variant)
    mi.set_log_level(mi.LogLevel.Error)
    out: Path = arguments.subset or arguments.out
    cache = arguments.out / ".cache"
    for folder in (out, cache):
        folder.mkdir(parents=True, exist_ok=True)
    chosen = [
        scene
        for scene in SCENES.values()
        if (not arguments.subset or scene.name in SUBSET)
        and (not arguments.scene or scene.name in arguments.scene)
        and (not arguments.group or scene.group in arguments.group)
    ]
    chosen.sort(key=lambda scene: scene.seed % 1000)  # first of each group first: half a run serves, too
    start, made = time.monotonic(), 0
    for index, scene in enumerate(chosen, start=1):
        if _is_there(out, scene.name, arguments.side):
            continue
        began = _cpu_s()
        _save(shoot(scene, arguments.side, arguments.spp, cache), out, scene.name)
        _list(out)
        made += 1
        spent = _cpu_s() - began
        print(
            f"{index}/{len(chosen)} {scene.name}: {spent:.0f} s of CPU, {time.monotonic() - start:.0f} s in all",
            flush=True,
        )
    _list(out)
    print(f"{made} rendered, {len(chosen) - made} were there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
