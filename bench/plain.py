"""Photos of products on plain backgrounds with exact mattes: training cutouts that no training saw, on new grounds.

    python -m bench.plain --out out/plain --sheet out/plain.jpg
    python -m bench.quality --photos out/plain/images --masks out/plain/masks

Every held-out cutout (services/segmenter/training/split.py) that is whole, that is, does not touch its frame, stands on
each of three kinds of ground: solid, gradient, paper sweep. Everything drawn at random is seeded by the cutout's name
and the kind, so the same photos come out everywhere. The source's own background cannot show: the outermost pixel of
the cutout is dropped and the next two take the colour of what lies inside; and cutouts whose masks keep patches of
the source's ground or shadow, found by looking at all of them, are left out by name.

Composites whose outline cannot be seen, white on white above all, are no test of a plain background. They go to
`low_contrast/` beside the others, to be scored apart: those in which more than a fifth of the outline differs by less
than 6 (CIE76) from the ground under it.
"""

import argparse
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.scoring import nearest_inside
from services.segmenter.training.split import is_held_out

KINDS = ("solid", "gradient", "sweep")
FOLDERS = ("foregrounds_white", "foregrounds_alpha")

# Masks that keep white between shoes, blades or chair slats, a contact shadow, or are torn: not exact, so no truth.
_INEXACT = frozenset((
    "bag_0001", "esh_0012", "maho_0012", "maho_0028", "maho_0039", "maho_0046", "maho_0069", "oro_0029", "oro_0038",
    "rds_0003", "rds_0011", "sol_0003", "sol_0008", "tail_0010", "tail_0013", "tail_0023", "tail_0040", "tb_0048",
    "tb_0090", "tb_0101", "tb_0157", "tb_0169",
))  # fmt: skip
_LONG_PX, _SHORT_PX = 800, 640
_FRINGE_PX = 2.5
_SEEN_DELTA_E = 6.0
_UNSEEN_SHARE = 0.2
_TOUCHES = 8 / 255
_LARGEST_ZOOM = 1.3
_CELL_PX = 200

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cutout:
    """A product without its surroundings: straight colour (H, W, 3) RGB in [0, 255] and alpha (H, W) in [0, 1]."""

    name: str
    color: Floats
    alpha: Floats


@dataclass(frozen=True, slots=True)
class Composite:
    """A finished photo (H, W, 3) uint8 RGB, before JPEG, its matte (H, W) in [0, 1] and whether its outline shows."""

    image: NDArray[np.uint8]
    matte: Floats
    is_outline_seen: bool
    jpeg_quality: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutouts", type=Path, default=Path("../shared/train"), help=f"holds {' and '.join(FOLDERS)}")
    parser.add_argument("--out", type=Path, default=Path("out/plain"), help="its images, masks, low_contrast go first")
    parser.add_argument("--sheet", type=Path, help="a picture of them all")
    arguments = parser.parse_args()

    for stale in ("images", "masks", "low_contrast"):
        shutil.rmtree(arguments.out / stale, ignore_errors=True)
    counts: Counter[tuple[str, bool]] = Counter()
    cells = []
    for cutout in held_out_cutouts(arguments.cutouts):
        for kind in KINDS:
            made = compose(cutout, kind)
            folder = arguments.out if made.is_outline_seen else arguments.out / "low_contrast"
            cells.append(_save(made, folder, f"{cutout.name.replace('/', '_')}_{kind}"))
            counts[kind, made.is_outline_seen] += 1
    print("| ground | composites | low contrast, apart |\n|---|---|---|")
    for kind in KINDS:
        print(f"| {kind} | {counts[kind, True]} | {counts[kind, False]} |")
    print(f"| all | {sum(counts[kind, True] for kind in KINDS)} | {sum(counts[kind, False] for kind in KINDS)} |")
    if arguments.sheet:
        _draw_sheet(cells, arguments.sheet)


def held_out_cutouts(root: Path) -> Iterator[Cutout]:
    """The held-out cutouts of `root` that are whole (no part of the matte on the frame) and whose masks are exact."""
    for folder in FOLDERS:
        for mask in sorted((root / folder).glob("*_a.png")):
            photo = mask.with_name(f"{mask.stem.removesuffix('_a')}.jpg")
            if not is_held_out(photo) or photo.stem in _INEXACT:
                continue
            alpha = np.asarray(Image.open(mask).convert("L"), np.float32) / np.float32(255)
            if max(alpha[0].max(), alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max()) > _TOUCHES:
                continue
            yield without_fringe(f"{folder}/{photo.stem}", np.asarray(Image.open(photo).convert("RGB")), alpha)


def without_fringe(name: str, image: NDArray[np.uint8], alpha: Floats) -> Cutout:
    """Drops the outermost pixel of a cutout, and gives those next to it, and all outside, the nearest inner colour.

    Args:
        image: (H, W, 3) uint8 RGB as photographed, the old background in it.
        alpha: (H, W) in [0, 1].
    """
    alpha = np.asarray(cv2.erode(alpha, np.ones((3, 3), np.uint8)), np.float32)
    inner = cv2.distanceTransform((alpha >= 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > _FRINGE_PX
    # A wire has no inside; it keeps its colour rather than that of the nearest thick part.
    inner |= (alpha >= 0.5) & (cv2.dilate(inner.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0)
    _, rows, cols = nearest_inside(np.asarray(inner))
    return Cutout(name, image[rows, cols].astype(np.float32), alpha)


def compose(cutout: Cutout, kind: str) -> Composite:
    """Stands a cutout on a ground of the kind given, lights and photographs it."""
    rng = _random(f"{cutout.name}/{kind}")
    color, alpha = _placed(cutout, kind, rng)
    ground = {"solid": _solid, "gradient": _gradient, "sweep": _sweep}[kind](alpha, rng)
    photo = alpha[..., None] * color + (1 - alpha[..., None]) * ground
    blur_sigma_px = rng.uniform(0.3, 0.7)
    photo, matte = (np.asarray(cv2.GaussianBlur(part, (0, 0), blur_sigma_px)) for part in (photo, alpha))
    photo *= rng.uniform(0.97, 1.03, 3)  # a white balance that is a little off
    grain = cv2.GaussianBlur(rng.normal(0, 1, photo.shape).astype(np.float32), (0, 0), 0.6)
    photo += grain * rng.uniform(1.0, 5.0)
    return Composite(
        image=np.clip(np.rint(photo), 0, 255).astype(np.uint8),
        matte=np.asarray(np.clip(matte, 0, 1), np.float32),
        is_outline_seen=is_outline_seen(color, ground, alpha),
        jpeg_quality=int(rng.integers(84, 96)),
    )


def is_outline_seen(color: Floats, ground: Floats, alpha: Floats) -> bool:
    """Whether at most a fifth of a product's outermost 3 px have the colour of the ground they hide."""
    product = (alpha >= 0.5).astype(np.uint8)
    outline = (product == 1) & (cv2.erode(product, np.ones((7, 7), np.uint8)) == 0)
    product_lab, ground_lab = (
        cv2.cvtColor(np.clip(rgb / np.float32(255), 0, 1), cv2.COLOR_RGB2LAB)[outline] for rgb in (color, ground)
    )
    unseen = np.linalg.norm(product_lab - ground_lab, axis=-1) < _SEEN_DELTA_E
    return float(unseen.mean()) <= _UNSEEN_SHARE


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def _placed(cutout: Cutout, kind: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Colour and alpha on a canvas: scaled, shifted, perhaps mirrored; on a sweep it stands low."""
    rows, cols = (np.nonzero((cutout.alpha > 0).any(axis=axis))[0] for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    color, alpha = cutout.color[box], cutout.alpha[box]
    if rng.random() < 0.5:
        color, alpha = color[:, ::-1], alpha[:, ::-1]
    ratio = alpha.shape[1] / alpha.shape[0]
    size = (_LONG_PX, _SHORT_PX) if ratio < 0.7 else (_SHORT_PX, _LONG_PX) if ratio > 1.4 else (_LONG_PX, _LONG_PX)
    fill = rng.uniform(0.55, 0.85) * min(size[0] / alpha.shape[0], size[1] / alpha.shape[1])
    zoom = min(fill, _LARGEST_ZOOM)
    height, width = max(1, round(alpha.shape[0] * zoom)), max(1, round(alpha.shape[1] * zoom))
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    free_rows, free_cols = size[0] - height, size[1] - width
    top = round(free_rows * (rng.uniform(0.6, 0.8) if kind == "sweep" else rng.uniform(0.4, 0.6)))
    left = round(free_cols * rng.uniform(0.4, 0.6))
    place = slice(top, top + height), slice(left, left + width)
    placed_color, placed_alpha = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
    placed_color[place] = cv2.resize(np.ascontiguousarray(color), (width, height), interpolation=interpolation)
    placed_alpha[place] = cv2.resize(np.ascontiguousarray(alpha), (width, height), interpolation=interpolation)
    return placed_color, placed_alpha


def _tone(rng: np.random.Generator) -> Floats:
    """A colour (3,) backgrounds have: white, grey, pastel or dark."""
    style = rng.choice(["white", "grey", "pastel", "dark"], p=[0.3, 0.25, 0.25, 0.2])
    if style == "white":
        return np.full(3, rng.uniform(244, 255), np.float32)
    if style == "grey":
        return (rng.uniform(120, 225) * rng.uniform(0.98, 1.02, 3)).astype(np.float32)
    saturation, value = (
        (rng.uniform(0.1, 0.35), rng.uniform(0.8, 0.97))
        if style == "pastel"
        else (rng.uniform(0.0, 0.6), rng.uniform(0.08, 0.3))
    )
    hsv = np.array([[[rng.uniform(0, 360), saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255, np.float32)


def _solid(alpha: Floats, rng: np.random.Generator) -> Floats:
    return np.broadcast_to(_tone(rng), (*alpha.shape, 3)).astype(np.float32)


def _gradient(alpha: Floats, rng: np.random.Generator) -> Floats:
    """From a tone to a darker or lighter one, along a line or around a point; half with a soft shadow all around."""
    rows, cols = np.mgrid[0 : alpha.shape[0], 0 : alpha.shape[1]].astype(np.float32)
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        way = rows * np.float32(np.sin(angle)) + cols * np.float32(np.cos(angle))
    else:
        centre = rng.uniform(0.3, 0.7, 2) * alpha.shape
        way = np.hypot(rows - np.float32(centre[0]), cols - np.float32(centre[1]))
    way = (way - way.min()) / np.float32(np.ptp(way))
    tone = _tone(rng)
    other = np.clip(tone * rng.uniform(0.6, 0.9), 0, 255).astype(np.float32)
    ground = tone + way[..., None] * (other - tone)
    if rng.random() < 0.5:
        sigma_px, depth = rng.uniform(8, 25), rng.uniform(0.15, 0.35)
        shift = np.array([[1, 0, rng.uniform(-10, 10)], [0, 1, rng.uniform(4, 16)]], np.float32)
        shadow = cv2.GaussianBlur(cv2.warpAffine(alpha, shift, alpha.shape[::-1]), (0, 0), sigma_px)
        ground *= 1 - np.float32(depth) * shadow[..., None]
    return np.asarray(ground, np.float32)


def _sweep(alpha: Floats, rng: np.random.Generator) -> Floats:
    """Paper that bends from table to wall, lit from the side, darker in the corners, under the product's shadow."""
    height, width = alpha.shape
    rows, cols = np.mgrid[0:height, 0:width].astype(np.float32)
    base_row = int(np.nonzero((alpha >= 0.5).any(axis=1))[0][-1])
    bend_row = base_row - rng.uniform(0.12, 0.3) * height
    floor = 1 / (1 + np.exp(-(rows - np.float32(bend_row)) / np.float32(rng.uniform(0.02, 0.06) * height)))
    light = 1 + np.float32(rng.uniform(-0.12, 0.12)) * floor
    light += np.float32(rng.uniform(-0.08, 0.08)) * (cols / width - np.float32(0.5))
    off_centre = np.hypot(rows / height - np.float32(0.5), cols / width - np.float32(0.5))
    light *= 1 - np.float32(rng.uniform(0.05, 0.3)) * off_centre**2
    fibres = cv2.GaussianBlur(rng.normal(0, 1, alpha.shape).astype(np.float32), (0, 0), rng.uniform(0.8, 2))
    light *= 1 + np.float32(rng.uniform(0, 0.02)) * fibres
    light *= 1 - _standing_shadow(alpha, rng)
    tone = _tone(rng)
    return np.asarray(np.clip(np.maximum(tone, 45) * light[..., None], 0, 255), np.float32)


def _standing_shadow(alpha: Floats, rng: np.random.Generator) -> Floats:
    """How much light (H, W) the pieces take: each a cast shadow, a pool under it, a dark line where it stands."""
    lean, squash = rng.uniform(-0.7, 0.7), rng.uniform(0.12, 0.3)
    cast_depth, pool_depth, contact_depth = rng.uniform(0.08, 0.25), rng.uniform(0.1, 0.25), rng.uniform(0.3, 0.55)
    shadow = np.zeros_like(alpha)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha >= 0.5).astype(np.uint8))
    for label in range(1, count):
        piece_px = int(stats[label, cv2.CC_STAT_AREA])
        if piece_px < 100:
            continue
        piece_height = int(stats[label, cv2.CC_STAT_HEIGHT])
        base_row = int(stats[label, cv2.CC_STAT_TOP]) + piece_height
        piece = (labels == label).astype(np.float32)
        foot = piece.copy()
        foot[: base_row - max(4, round(0.06 * piece_height))] = 0
        reach_px = np.sqrt(piece_px)
        for shape, shape_lean, sigma_px, depth in (
            (piece, lean, 0.05 * reach_px, cast_depth),
            (foot, 0.0, 0.08 * reach_px, pool_depth),
            (foot, 0.0, 0.012 * reach_px, contact_depth),
        ):
            # Upright things fall back onto the table: rows shrink towards the base, columns lean with height. The
            # table is seen from above, so the shadow begins a little before the product does.
            base = base_row + 0.7 * sigma_px
            fall = np.array(
                [[1, -shape_lean, shape_lean * base_row], [0, squash, base - squash * base_row]], np.float32
            )
            fallen = cv2.warpAffine(shape, fall, alpha.shape[::-1])
            soft = cv2.GaussianBlur(fallen, (0, 0), max(1.0, sigma_px))
            shadow = 1 - (1 - shadow) * (1 - np.float32(depth) * soft)
    return np.asarray(shadow, np.float32)


def _save(made: Composite, folder: Path, stem: str) -> NDArray[np.uint8]:
    """Writes photo and mask; returns the photo's thumbnail for the sheet."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    photo = Image.fromarray(made.image)
    photo.save(folder / "images" / f"{stem}.jpg", quality=made.jpeg_quality)
    Image.fromarray(np.rint(made.matte * 255).astype(np.uint8)).save(folder / "masks" / f"{stem}.png")
    photo.thumbnail((_CELL_PX, _CELL_PX))
    cell = np.full((_CELL_PX, _CELL_PX, 3), 0 if made.is_outline_seen else 255, np.uint8)
    cell[: photo.height, : photo.width] = np.asarray(photo)
    return cell


def _draw_sheet(cells: list[NDArray[np.uint8]], file: Path) -> None:
    across = 12
    cells = cells + [np.zeros_like(cells[0])] * (-len(cells) % across)
    rows = [np.hstack(cells[start : start + across]) for start in range(0, len(cells), across)]
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(rows)).save(file, quality=90)


if __name__ == "__main__":
    main()
