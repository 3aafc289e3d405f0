"""What clean and deliberately damaged packshots measure: the ground for the rule packs' own thresholds.

Products with known mattes are laid on white, damaged or not, encoded like seller's files are (500 to 2000 px, JPEG
quality 75 to 95, with and without chroma subsampling), and measured from the bytes alone and with the matte.

python -m bench.rule_thresholds [--scenes 24] [--output bench/results/rule_thresholds.md]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.validator.measure import measure
from tests.helpers import composites

DAMAGES = (
    "clean",
    "background 254",
    "background 245",
    "soft shadow",
    "dark fringe",
    "colour fringe",
    "white rim",
    "blur",
    "enlarged 4x",
)
SHOWN = (
    "background_purity",
    "background_purity_clear",
    "background_purity_tolerant",
    "fill_ratio",
    "sharpness",
    "halo",
)
PERCENTILES = (2, 50, 98)
FILL = 0.87


def packshot(seed: int, damage: str) -> tuple[bytes, composites.Matte, float]:
    """One scene: JPEG bytes, exact matte and exact fill ratio."""
    rng = np.random.default_rng(seed)
    side = int(rng.choice([500, 800, 1200, 2000]))
    matte, foreground = _product(rng, side)
    background = composites.solid(side, side, (255, 255, 255))
    if damage.startswith("background"):
        background[:] = int(damage.rpartition(" ")[2])
    elif damage == "soft shadow":
        background = _shadow(matte, background)
    shown_matte = matte
    if damage in ("dark fringe", "colour fringe", "white rim"):
        fringe = {"dark fringe": (40, 40, 40), "colour fringe": (60, 150, 60), "white rim": (255, 255, 255)}[damage]
        rim_px = max(1.0, 2.5 * side / 2000)
        shrunk = _shrink(matte, rim_px)
        foreground = composites.mix(foreground, composites.solid(side, side, fringe), shrunk)
    elif damage == "blur":
        foreground = cv2.GaussianBlur(foreground, (0, 0), 3.5 * side / 1000)
    elif damage == "enlarged 4x":
        small = cv2.resize(foreground, (side // 8, side // 8), interpolation=cv2.INTER_AREA)
        foreground = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    image = composites.mix(foreground, background, shown_matte)
    quality = int(rng.choice([75, 85, 95]))
    subsampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if rng.random() < 0.5 else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    _, data = cv2.imencode(
        ".jpg",
        image[..., ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, subsampling],
    )
    rows, cols = np.nonzero(matte > 0.05)
    fill = max(np.ptp(rows) + 1, np.ptp(cols) + 1) / side
    return data.tobytes(), matte, float(fill)


def _product(rng: np.random.Generator, side: int) -> tuple[composites.Matte, composites.Image]:
    centre = (side / 2, side / 2)
    half = FILL * side / 2
    shape = int(rng.integers(5))
    draw = (
        composites.disc(half, centre),
        composites.ring(half, half * 0.6, centre),
        composites.rectangle(centre[0] - half, centre[1] - half * 0.7, centre[0] + half, centre[1] + half * 0.7),
        composites.star(half, half * 0.55, 7, centre),
        composites.hairs(half * 0.7, half * 0.3, 60, 2.0, centre, int(rng.integers(1000))),
    )[shape]
    matte = composites.draw_matte(side, side, draw, blur_px=0.5)
    red, green, blue = (int(c) for c in rng.integers(15, 235, 3))
    foreground = composites.texture(
        side, side, (red, green, blue), float(rng.uniform(4, 25)), side / 400, int(rng.integers(1000))
    )
    # Print, seams and the like: sharp detail inside the product.
    for _ in range(12):
        start, end = rng.uniform(0.25, 0.75, (2, 2)) * side
        ink = tuple(int(c) for c in rng.integers(0, 255, 3))
        cv2.line(
            foreground, start.astype(int).tolist(), end.astype(int).tolist(), ink, max(1, side // 250), cv2.LINE_AA
        )
    light = np.linspace(1.0, float(rng.uniform(0.6, 0.95)), side)[None, :, None]
    return matte, np.clip(foreground * light, 0, 255).astype(np.uint8)


def _shadow(matte: composites.Matte, background: composites.Image) -> composites.Image:
    side = matte.shape[0]
    moved = np.roll(matte, (side // 40, side // 40), (0, 1))
    soft = cv2.GaussianBlur(moved, (0, 0), side / 50)
    shaded: composites.Image = np.rint(background * (1 - 0.35 * soft[..., None])).astype(np.uint8)
    return shaded


def _shrink(matte: composites.Matte, by_px: float) -> NDArray[np.float32]:
    distance = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    inner: NDArray[np.float32] = np.clip(distance - by_px + 0.5, 0, 1).astype(np.float32)
    return inner


def table(scenes: int) -> str:
    """Markdown: for every damage the 2nd, 50th and 98th percentile of each measurement, bytes alone and with matte."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    missed: dict[tuple[str, str, str], int] = defaultdict(int)
    for damage in DAMAGES:
        for seed in range(scenes):
            data, matte, fill = packshot(seed, damage)
            for source, hint in (("bytes", None), ("matte", matte)):
                measurements = measure(data, matte=hint)
                for name in SHOWN:
                    value = measurements[name].value
                    if isinstance(value, float):
                        found[damage, source, name].append(value - fill if name == "fill_ratio" else value)
                    else:
                        missed[damage, source, name] += 1
    lines = [f"| damage | from | {' | '.join(SHOWN)} |".replace("fill_ratio", "fill_ratio error")]
    lines.append(f"|{'---|' * (len(SHOWN) + 2)}")
    for damage in DAMAGES:
        for source in ("bytes", "matte"):
            cells = []
            for name in SHOWN:
                values = found[damage, source, name]
                text = " / ".join(f"{value:.4g}" for value in np.percentile(values, PERCENTILES)) if values else "–"
                absent = missed[damage, source, name]
                cells.append(f"{text} ({absent} none)" if absent else text)
            lines.append(f"| {damage} | {source} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    text = table(arguments.scenes)
    print(text)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
