"""The compositor by itself: how good its edges are on simple shapes, and how white its backgrounds.

    python -m bench.compose

Products of real shapes, other tools, time and memory: `bench.edges`. Quality is measured on generated scenes whose
matte and foreground are exact (tests/helpers/composites.py), from mattes as segmenters give them. ΔE00 is CIEDE2000
between the packshot and what the camera would have seen in front of a white wall, averaged over the band that the given
matte leaves open.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from bench.edges.scores import beyond_touched_blocks
from services.common.color import ciede2000, srgb_to_lab
from services.common.photo import encode_jpeg
from services.compositor.compose import place, prepare_product
from services.compositor.foreground import estimate_foreground
from services.compositor.layout import CanvasSpec
from services.compositor.refine import refine_matte
from services.compositor.trimap import UNKNOWN, make_trimap
from tests.helpers.composites import (
    Composite,
    Image,
    Matte,
    coarse,
    compose,
    disc,
    draw_matte,
    frame,
    gradient,
    hairs,
    mix,
    ring,
    star,
    stripes,
    texture,
)

_ROOT = Path(__file__).parent.parent
_SIDE = 768
_GIVEN: dict[str, Callable[[Matte], Matte]] = {
    "enlarged from 240 px": lambda matte: coarse(matte, 240),
    "enlarged, 2 px off": lambda matte: coarse(np.roll(matte, (2, -2), (0, 1)), 240),
    "binary": lambda matte: (matte >= 0.5).astype(np.float32),
    "exact": lambda matte: matte,
}


def main() -> None:
    made = dict(scenes())
    _refinement(made)
    _blending(made)
    _purity()


def scenes() -> Iterator[tuple[str, Composite]]:
    """Products of six shapes in three colourings, photographed with noise."""
    n, centre, radius = _SIDE, (_SIDE / 2 + 0.3, _SIDE / 2 - 0.2), _SIDE * 0.36
    shapes = {
        "disc": draw_matte(n, n, disc(radius, centre), blur_px=0.7),
        "ring": draw_matte(n, n, ring(radius, radius * 0.55, centre), blur_px=0.7),
        "star": draw_matte(n, n, star(radius * 1.1, radius * 0.5, 9, centre), blur_px=0.6),
        "grille": draw_matte(n, n, frame((n * 0.15, n * 0.2, n * 0.85, n * 0.8), n * 0.012, 9), blur_px=0.6),
        "hairs": draw_matte(n, n, hairs(radius * 0.7, radius * 0.5, 220, 1.6, centre), blur_px=0.5),
        "out of focus": draw_matte(n, n, disc(radius, centre), blur_px=5),
    }
    colourings = [
        (texture(n, n, (170, 50, 40), 14, 6, 1), gradient(n, n, (240, 240, 240), (222, 222, 224))),
        (texture(n, n, (45, 45, 50), 8, 3, 2), texture(n, n, (150, 110, 75), 18, 5, 4)),
        (stripes(n, n, (200, 170, 60), (40, 60, 140), 40), gradient(n, n, (120, 125, 130), (90, 92, 96))),
    ]
    for shape, matte in shapes.items():
        for number, (foreground, background) in enumerate(colourings):
            yield f"{shape} {number}", compose(matte, foreground, background, noise=2, seed=number)


def _refinement(made: dict[str, Composite]) -> None:
    print("Mean over three colourings: alpha MSE × 10³ and ΔE00 on white in the open band, given → refined.\n")
    shapes = list(dict.fromkeys(name.rsplit(" ", 1)[0] for name in made))
    print("| given matte | " + " | ".join(shapes) + " |")
    print("|---|" + "---|" * len(shapes))
    for kind, degrade in _GIVEN.items():
        cells = []
        for shape in shapes:
            rows = [_quality(scene, degrade(scene.matte)) for name, scene in made.items() if name.startswith(shape)]
            mse, mse_refined, delta, delta_refined = np.mean(rows, axis=0)
            cells.append(f"{mse:.1f} → {mse_refined:.1f}, ΔE {delta:.1f} → {delta_refined:.1f}")
        print(f"| {kind} | " + " | ".join(cells) + " |")
    print()


def _quality(scene: Composite, given: Matte) -> tuple[float, float, float, float]:
    refined = refine_matte(scene.photo, given)
    band = (make_trimap(given) == UNKNOWN) | ((refined > 0) & (refined < 1))
    results = []
    for matte, foreground in ((given, scene.photo), (refined, estimate_foreground(scene.photo, refined))):
        results.append(
            (_mse(matte, scene.matte, band), _delta(_laid_on_white(foreground, matte), scene.on_white(), band))
        )
    (mse, delta), (mse_refined, delta_refined) = results
    return mse, mse_refined, delta, delta_refined


def _blending(made: dict[str, Composite]) -> None:
    print("Laying the refined product on white in linear light or in sRGB, and whose colours: ΔE00 in soft pixels.\n")
    print("| colours | linear light | sRGB |\n|---|---|---|")
    rows: dict[str, list[tuple[float, float]]] = {"the photo's": [], "estimated": [], "true": []}
    for scene in made.values():
        matte = refine_matte(scene.photo, coarse(scene.matte, 240))
        soft = ((matte > 0) & (matte < 1)) | ((scene.matte > 0) & (scene.matte < 1))
        colours = (scene.photo, estimate_foreground(scene.photo, matte), scene.foreground)
        for name, foreground in zip(rows, colours, strict=True):
            encoded = np.rint(255 - matte[..., None] * (255 - foreground.astype(np.float32))).astype(np.uint8)
            truth = scene.on_white()
            rows[name].append((_delta(_laid_on_white(foreground, matte), truth, soft), _delta(encoded, truth, soft)))
    for name, pairs in rows.items():
        linear, srgb = np.mean(pairs, axis=0)
        print(f"| {name} | {linear:.2f} | {srgb:.2f} |")
    print()


def _purity() -> None:
    print("JPEG, quality 95, 4:4:4. Background is where alpha is 0; touched are 8×8 blocks with any product in them.\n")
    print("| photo | exactly white | so in untouched blocks | so in touched blocks | darkest background | kB |")
    print("|---|---|---|---|---|---|")
    for path in sorted((_ROOT / "examples").glob("*.jpg")):
        image, exact = _example(path.stem)
        _, packshot = place(prepare_product(image, coarse(exact)), CanvasSpec())
        content = encode_jpeg(packshot.image, 95)
        decoded = np.asarray(PillowImage.open(io.BytesIO(content)).convert("RGB"))
        product = packshot.alpha > 0
        beyond = beyond_touched_blocks(product)
        white = np.all(decoded == 255, axis=2)
        shares = white[~product].mean(), white[beyond].mean(), white[~beyond & ~product].mean()
        cells = " | ".join(f"{share:.2%}" for share in shares)
        print(f"| {path.stem} | {cells} | {decoded[~product].min()} | {len(content) / 1024:.0f} |", flush=True)
    print()


def _example(name: str) -> tuple[Image, Matte]:
    """One of examples/ with its exact matte."""
    photo = ImageOps.exif_transpose(PillowImage.open(_ROOT / "examples" / f"{name}.jpg")).convert("RGB")
    exact = PillowImage.open(_ROOT / "bench/scenes/mattes" / f"{name}.png").convert("L")
    return np.asarray(photo), np.asarray(exact).astype(np.float32) / np.float32(255)


def _laid_on_white(foreground: Image, matte: Matte) -> Image:
    return mix(foreground, np.full_like(foreground, 255), matte)


def _mse(matte: Matte, truth: Matte, band: NDArray[np.bool_]) -> float:
    return float(((matte - truth)[band] ** 2).mean() * 1e3)


def _delta(image: Image, truth: Image, band: NDArray[np.bool_]) -> float:
    return float(ciede2000(srgb_to_lab(image[band]), srgb_to_lab(truth[band])).mean())


if __name__ == "__main__":
    main()
