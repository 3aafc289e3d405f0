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
from typing import Any, Final

import cv2
import mitsuba as mi
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.scenes.denoise import denoise
from bench.scenes.develop import develop, save_matte
from bench.scenes.kinds import draw
from bench.scenes.lighting import Radiance, surroundings
from bench.scenes.render import resolve, shape
from bench.scenes.scenes import Development, Part
from bench.scenes.silhouette import View, coverage, framed

Linear = NDArray[np.float32]

_GUIDE_SPP: Final = 2
_LAYERS: Final = "albedo:albedo,normal:sh_normal"


def _view(rng: np.random.Generator, parts: list[Part], side_px: int) -> View:
    """Draw where the camera stands: 5 to 60 degrees up, mostly upright, at times the product lies."""
    azimuth_deg = float(rng.normal(0, 35) if rng.random() < 0.75 else rng.uniform(0, 360))
    elevation_deg = float(5 + 55 * rng.beta(1.2, 2.0))
    roll_deg = float(rng.normal(0, 3) if rng.random() < 0.88 else rng.uniform(-180, 180))
    distance = float(rng.uniform(3.5, 14))
    return framed([part.mesh for part in parts], azimuth_deg, elevation_deg, roll_deg, distance, side_px)


def _sensor(view: View) -> dict[str, Any]:
    """Return the view as Mitsuba's camera: a frame centred on the principal point, cropped."""
    right, bottom = view.left_px + view.width_px, view.top_px + view.height_px
    half_x, half_y = max(abs(view.left_px), abs(right)), max(abs(view.top_px), abs(bottom))
    place = np.eye(4)
    place[:3, 0], place[:3, 1], place[:3, 2], place[:3, 3] = -view.axes[0], view.axes[1], view.axes[2], view.position
    return {
        "type": "perspective",
        "fov": float(np.degrees(2 * np.arctan(half_x / view.focal_px))),
        "fov_axis": "x",
        "near_clip": 0.1,
        "far_clip": 1e4,
        "to_world": mi.ScalarTransform4f(place.tolist()),
        "film": {
            "type": "hdrfilm",
            "width": 2 * half_x,
            "height": 2 * half_y,
            "crop_offset_x": view.left_px + half_x,
            "crop_offset_y": view.top_px + half_y,
            "crop_width": view.width_px,
            "crop_height": view.height_px,
            "pixel_format": "rgba",
            "component_format": "float32",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "multijitter"},
    }


def _continued(color: NDArray[np.floating[Any]], known: NDArray[np.bool_]) -> Linear:
    """Return colour (H, W, 3) with each unknown pixel taken from the nearest known one, softened with distance."""
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    palette = np.zeros((int(nearest.max()) + 1, 3), np.float32)
    palette[nearest[known]] = color[known]
    spread = palette[nearest]
    return np.asarray(np.where(known[..., None], color, cv2.GaussianBlur(spread, (0, 0), 2)), np.float32)


def _light(parts: list[Part], view: View, sky: Radiance, spp: int, seed: int, cache: Path) -> Linear:
    """Return the product's linear light, float32 (H, W, 3), of pure and of continued pixels."""
    clear = any(part.material["type"] in ("dielectric", "roughdielectric") for part in parts)
    path = {"type": "path", "max_depth": 14 if clear else 4, "rr_depth": 14, "hide_emitters": True}
    described: dict[str, Any] = {
        "type": "scene",
        "integrator": path,
        "sensor": _sensor(view),
        "sky": {
            "type": "envmap",
            "bitmap": mi.Bitmap(sky),
            "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], 90),
        },
    }
    for index, part in enumerate(parts):
        described[f"part_{index}"] = shape(part, cache, resolve(part.material))
    scene = mi.load_dict(described)
    lit = np.array(mi.render(scene, spp=spp, seed=seed), np.float32)
    guides = np.array(
        mi.render(scene, spp=_GUIDE_SPP, seed=seed, integrator=mi.load_dict({"type": "aov", "aovs": _LAYERS})),
        np.float32,
    )
    share = np.maximum(lit[..., 3:], 1e-3)
    # A mixed pixel has few samples of the product: it takes a pure neighbour's colour, or its own where it has none, as
    # in hair and wire.
    pure = lit[..., 3] > 0.99
    known = pure | ((lit[..., 3] > 0.2) & (cv2.dilate(pure.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0))
    color = _continued(lit[..., :3] / share, known)
    sampled = np.linalg.norm(guides[..., 3:6], axis=2) > 0.6
    albedo, normals = (_continued(guides[..., layer : layer + 3], sampled) for layer in (0, 3))
    # Where two surfaces meet the filter finds no kin: a median takes off the grains it leaves there, print untouched.
    base = np.maximum(albedo, np.float32(0.04))
    return np.asarray(cv2.medianBlur(denoise(color, albedo, normals, strength=0.5) / base, 3) * base, np.float32)


def render(seed: int, side_px: int, spp: int, cache: Path) -> tuple[str, NDArray[np.uint8], Linear]:
    """Return the kind, the colour (uint8 (H, W, 3) sRGB, continued beyond the outline) and the matte of one product."""
    rng = np.random.default_rng(seed)
    kind, parts = draw(rng)
    view = _view(rng, parts, side_px)
    sky = surroundings(rng, view.axes[2])
    matte = coverage([part.mesh for part in parts], view)
    light = _light(parts, view, sky, spp, seed, cache)
    color = develop(light, Development(vignetting=0.0, noise=0.0), seed)
    return kind, color, matte


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scenes.products", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.jpg and NAME_a.png")
    parser.add_argument("--count", type=int, default=400, help="how many products (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first (default: %(default)s)")
    parser.add_argument("--side", type=int, default=200, help="the product's longer side, px (default: %(default)s)")
    parser.add_argument("--spp", type=int, default=6, help="samples a pixel (default: %(default)s)")
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
    start, made = time.monotonic(), 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        if any(out.glob(f"render-{seed:05d}-*_a.png")):
            continue
        with tempfile.TemporaryDirectory() as cache:
            kind, color, matte = render(seed, arguments.side, arguments.spp, Path(cache))
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
