"""How good the cutouts are: every photo's matte against a true mask.

    python -m bench.quality --photos ../shared/bench/dev/images --masks ../shared/bench/dev/masks
    python -m bench.quality … --proposers classical,u2netp --weights ../shared/models/u2netp.onnx

Prints one row per photo and the means; writes a contact sheet of the worst ones (photo, matte, mask, cutout on white).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.scoring import Score, score_matte
from services.common.photo import decode_photo
from services.segmenter.classical import ClassicalProposer
from services.segmenter.onnx_model import OnnxProposer
from services.segmenter.proposal import Proposer
from services.segmenter.registry import model_spec
from services.segmenter.segmentation import Segmentation, segment

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_TILE_PX = 256


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    score: Score
    segmentation: Segmentation
    seconds: float
    tiles: NDArray[np.uint8]


def main() -> None:
    arguments = _parse()
    proposers = _proposers(arguments.proposers.split(","), arguments.weights)
    rows = [
        _measure(photo, _mask_of(photo, arguments.masks), proposers)
        for photo in sorted(p for p in arguments.photos.iterdir() if p.suffix.lower() in _SUFFIXES)
    ]
    if not rows:
        raise SystemExit(f"no photos in {arguments.photos}")
    _print(rows)
    worst = sorted(rows, key=lambda row: row.score.iou)[: arguments.worst]
    arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.sheet), np.vstack([row.tiles for row in worst])[..., ::-1])
    print(f"worst {len(worst)}: {arguments.sheet}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--masks", type=Path, required=True, help="folder of grey PNG masks with the photos' names")
    parser.add_argument("--proposers", default="classical", help="comma separated: classical and names of models")
    parser.add_argument("--weights", type=Path, help="ONNX file of the learned proposer")
    parser.add_argument("--worst", type=int, default=6, help="photos on the contact sheet")
    parser.add_argument("--sheet", type=Path, default=Path("out/quality-worst.png"), help="where the sheet goes")
    return parser.parse_args()


def _proposers(names: Sequence[str], weights: Path | None) -> list[Proposer]:
    chosen: list[Proposer] = []
    for name in names:
        if name == ClassicalProposer.name:
            chosen.append(ClassicalProposer())
        elif weights is None:
            raise SystemExit(f"--weights is needed for {name}")
        else:
            chosen.append(OnnxProposer(model_spec(name), weights))
    return chosen


def _mask_of(photo: Path, masks: Path) -> NDArray[np.float32]:
    path = masks / f"{photo.stem}.png"
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise SystemExit(f"no readable mask {path}")
    return mask.astype(np.float32) / 255


def _measure(photo: Path, mask: NDArray[np.float32], proposers: Sequence[Proposer]) -> Row:
    image = decode_photo(photo.read_bytes()).image
    begin = time.perf_counter()
    segmentation = segment(image, proposers=proposers)
    seconds = time.perf_counter() - begin
    score = score_matte(segmentation.matte, mask)
    return Row(photo.stem, score, segmentation, seconds, _tiles(image, segmentation.matte, mask))


def _tiles(image: NDArray[np.uint8], matte: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = [cv2.cvtColor((m * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB) for m in (matte, mask)]
    on_white = image * matte[..., None] + 255 * (1 - matte[..., None])
    pictures = [image, *grey, on_white.astype(np.uint8)]
    return np.hstack([_tile(picture) for picture in pictures])


def _tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _TILE_PX / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((_TILE_PX, _TILE_PX, 3), 128, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:_TILE_PX, :_TILE_PX]
    return tile


def _print(rows: Sequence[Row]) -> None:
    table = Table("photo", "IoU", "BF", "agreement", "background", "traits", "seconds")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.score.iou:.3f}",
            f"{row.score.boundary_f:.3f}",
            f"{row.segmentation.agreement:.2f}",
            row.segmentation.background.kind.value,
            " ".join(sorted(trait.value for trait in row.segmentation.traits)),
            f"{row.seconds:.2f}",
        )
    console = Console(width=120)
    console.print(table)
    ious = np.array([row.score.iou for row in rows])
    console.print(
        f"{len(rows)} photos: mean IoU {ious.mean():.3f}, boundary F "
        f"{np.mean([row.score.boundary_f for row in rows]):.3f}, IoU ≥ 0.9 on {np.mean(ious >= 0.9):.0%}, "
        f"median {np.median([row.seconds for row in rows]):.2f} s"
    )


if __name__ == "__main__":
    main()
