"""``python -m bench.scenes``: render the example photos and their exact mattes."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mitsuba as mi

from bench.scenes.denoise import clean_outline, denoise
from bench.scenes.develop import develop, save_matte, save_photo
from bench.scenes.render import render_guides, render_light, render_matte
from bench.scenes.scenes import SCENES

VARIANTS = ("llvm_ad_rgb", "scalar_rgb")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scenes", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the photos, NAME.jpg")
    parser.add_argument("--mattes", type=Path, help="folder for the mattes, NAME.png (default: OUT/mattes)")
    parser.add_argument("--cache", type=Path, help="folder for meshes and unfinished renders (default: OUT/.cache)")
    parser.add_argument("--scene", action="append", choices=list(SCENES), help="only this scene; may be repeated")
    parser.add_argument("--spp", type=int, default=24, help="samples a pixel of the photo (default: %(default)s)")
    parser.add_argument("--matte-spp", type=int, default=48, help="samples a pixel of the matte (default: %(default)s)")
    parser.add_argument("--width", type=int, help="width in pixels; height follows (default: each scene's own)")
    parser.add_argument(
        "--variant", default="scalar_rgb", choices=VARIANTS, help="Mitsuba variant (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    for name in ("spp", "matte_spp", "width"):
        value = getattr(arguments, name)
        if value is not None and not 1 <= value <= 8192:
            parser.error(f"--{name.replace('_', '-')} must be between 1 and 8192, got {value}")
    return arguments


def _progress(label: str) -> Callable[[int, int], None]:
    start = time.monotonic()

    def show(done: int, passes: int) -> None:
        print(f"{label}: {done}/{passes} passes, {time.monotonic() - start:.0f} s", flush=True)

    return show


def main(argv: list[str] | None = None) -> int:
    """Render the chosen scenes; what is already in the cache is not rendered again."""
    arguments = _arguments(argv)
    mi.set_variant(arguments.variant)
    mi.set_log_level(mi.LogLevel.Error)

    out: Path = arguments.out
    mattes: Path = arguments.mattes or out / "mattes"
    cache: Path = arguments.cache or out / ".cache"
    for folder in (out, mattes, cache):
        folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(SCENES):
        if arguments.scene and name not in arguments.scene:
            continue
        scene = SCENES[name]()
        width_px = arguments.width or scene.width_px
        height_px = round(width_px * scene.height_px / scene.width_px)
        matte = render_matte(scene, width_px, height_px, arguments.matte_spp, cache, _progress(f"{name} matte"))
        save_matte(matte, mattes / f"{name}.png")
        albedo, normals = render_guides(scene, width_px, height_px, cache, _progress(f"{name} guides"))
        light = render_light(scene, width_px, height_px, arguments.spp, cache, _progress(f"{name} photo"))
        linear = clean_outline(denoise(light, albedo, normals), matte)
        photo = develop(linear, scene.development, seed)
        save_photo(photo, out / f"{name}.jpg", scene.development)
    return 0


if __name__ == "__main__":
    sys.exit(main())
