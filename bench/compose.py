"""The compositor by itself: how good its edges are, how fast it is and how much memory it takes.

    python -m bench.compose                                     all tables but the last
    python -m bench.compose --edges ../shared/bench/edges       photos with true alpha, given their trimaps

Quality is measured on generated scenes whose matte and foreground are exact (tests/helpers/composites.py), from
mattes as segmenters give them. ΔE00 is CIEDE2000 between the packshot and what the camera would have seen in front of
a white wall, averaged over the band that the given matte leaves open.
"""

import argparse
import io
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from services.common.color import ciede2000, srgb_to_lab
from services.common.photo import encode_jpeg
from services.compositor.canvas import render_canvas
from services.compositor.compose import place, prepare_product
from services.compositor.foreground import estimate_foreground
from services.compositor.layout import CanvasSpec, bounding_box, fringe_box, plan_layout
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--edges", type=Path, help="folder with images/, alpha/ and trimap/; only this is measured then"
    )
    parser.add_argument("--runs", type=int, default=5, help="timed runs of every photo")
    arguments = parser.parse_args()
    if arguments.edges:
        _edges(arguments.edges)
        return
    made = dict(scenes())
    _refinement(made)
    _blending(made)
    _purity()
    _speed(arguments.runs)


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
        touched = product.reshape(250, 8, 250, 8).any(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1)
        white = np.all(decoded == 255, axis=2)
        shares = white[~product].mean(), white[~touched].mean(), white[touched & ~product].mean()
        cells = " | ".join(f"{share:.2%}" for share in shares)
        print(f"| {path.stem} | {cells} | {decoded[~product].min()} | {len(content) / 1024:.0f} |", flush=True)
    print()


def _speed(runs: int) -> None:
    print("Warm medians in ms of wall time, the processor time of all steps (all threads; other work on the machine")
    print("inflates the former more), and how far resident memory rises while they run.")
    print("The matte is the exact one, averaged down to 320 px and enlarged.\n")
    print("| photo | size | refine | foreground | layout and canvas | together | processor | memory MB |")
    print("|---|---|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for side in (2048, 4900):
        for path in sorted((_ROOT / "examples").glob("*.jpg")):
            with context.Pool(1) as pool:
                steps, processor, memory = pool.apply(_timed, (path.stem, side, runs))
            cells = " | ".join(f"{1000 * step:.0f}" for step in (*steps, sum(steps), processor))
            print(f"| {path.stem} | {side}² | {cells} | {memory:.0f} |", flush=True)


def _timed(name: str, side: int, runs: int) -> tuple[list[float], float, float]:
    image, given = _squared(*_example(name), side)
    canvas = CanvasSpec()
    timings, processor = [], []
    with _MemoryWatch() as memory:
        for _ in range(runs + 1):
            busy = time.process_time()
            marks = [time.perf_counter()]
            matte = refine_matte(image, given)
            marks.append(time.perf_counter())
            foreground = estimate_foreground(image, matte)
            marks.append(time.perf_counter())
            layout = plan_layout(bounding_box(matte), matte.shape, canvas, fringe=fringe_box(matte))
            render_canvas(foreground, matte, layout, canvas)
            marks.append(time.perf_counter())
            timings.append(np.diff(marks))
            processor.append(time.process_time() - busy)
    steps = [statistics.median(step) for step in zip(*timings[1:], strict=True)]
    return steps, statistics.median(processor[1:]), memory.rise_mb


class _MemoryWatch:
    """Looks at this process's resident memory every few milliseconds."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._before = self._process.memory_info().rss
        self._most = self._before

    @property
    def rise_mb(self) -> float:
        return (self._most - self._before) / 2**20

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self._most = max(self._most, self._process.memory_info().rss)


def _example(name: str) -> tuple[Image, Matte]:
    """One of examples/ with its exact matte."""
    photo = ImageOps.exif_transpose(PillowImage.open(_ROOT / "examples" / f"{name}.jpg")).convert("RGB")
    exact = PillowImage.open(_ROOT / "bench/scenes/mattes" / f"{name}.png").convert("L")
    return np.asarray(photo), np.asarray(exact).astype(np.float32) / np.float32(255)


def _squared(image: Image, exact: Matte, side: int) -> tuple[Image, Matte]:
    """The middle square of a photo at another size, with a matte as a 320 px network would give it."""
    photo = ImageOps.fit(PillowImage.fromarray(image), (side, side))
    matte: Matte = np.asarray(ImageOps.fit(PillowImage.fromarray(exact), (side, side)))
    return np.asarray(photo), coarse(np.clip(matte, 0, 1))


def _edges(folder: Path) -> None:
    print("| photo | band MSE × 10³ | ΔE00 on white | s |\n|---|---|---|---|")
    rows = []
    for path in sorted((folder / "images").glob("*.png")):
        image: Image = np.asarray(PillowImage.open(path).convert("RGB"))
        truth = np.asarray(PillowImage.open(folder / "alpha" / path.name).convert("L")).astype(np.float32) / np.float32(
            255
        )
        trimap = np.asarray(PillowImage.open(folder / "trimap" / path.name).convert("L"))
        unknown = (trimap > 0) & (trimap < 255)
        started = time.perf_counter()
        matte = refine_matte(image, _between(trimap))
        foreground = estimate_foreground(image, matte)
        elapsed = time.perf_counter() - started
        expected = _laid_on_white(estimate_foreground(image, truth), truth)
        rows.append(
            (_mse(matte, truth, unknown), _delta(_laid_on_white(foreground, matte), expected, unknown), elapsed)
        )
        print(f"| {path.stem} | {rows[-1][0]:.1f} | {rows[-1][1]:.1f} | {rows[-1][2]:.2f} |", flush=True)
    for label, value in (("mean", np.mean(rows, axis=0)), ("median", np.median(rows, axis=0))):
        print(f"| {label} | {value[0]:.1f} | {value[1]:.1f} | {value[2]:.2f} |")


def _between(trimap: NDArray[np.uint8]) -> Matte:
    """A matte from a trimap: rising across the unknown band by the distances to both sides."""
    from_background = cv2.distanceTransform((trimap > 0).view(np.uint8), cv2.DIST_L2, 5)
    from_product = cv2.distanceTransform((trimap < 255).view(np.uint8), cv2.DIST_L2, 5)
    matte: Matte = (from_background / np.maximum(from_background + from_product, 1e-6)).astype(np.float32)
    return matte


def _laid_on_white(foreground: Image, matte: Matte) -> Image:
    return mix(foreground, np.full_like(foreground, 255), matte)


def _mse(matte: Matte, truth: Matte, band: NDArray[np.bool_]) -> float:
    return float(((matte - truth)[band] ** 2).mean() * 1e3)


def _delta(image: Image, truth: Image, band: NDArray[np.bool_]) -> float:
    return float(ciede2000(srgb_to_lab(image[band]), srgb_to_lab(truth[band])).mean())


if __name__ == "__main__":
    main()
