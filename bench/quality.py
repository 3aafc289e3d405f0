"""How well products are cut out: the gateway's CutOutImage on a folder of photos, against true masks.

    python -m bench.quality --photos ../shared/bench/dev/images --masks ../shared/bench/dev/masks
    python -m bench.quality … --weights ../shared/models/u2netp.onnx --sheet out/worst.jpg

A mask belongs to the photo of the same stem. Scores are those of bench/scoring.py; the table is markdown.
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.scoring import Score, score_matte
from packshot.cli.local import LocalStack
from packshot.client import PackshotClient
from packshot.v1.packshot_pb2 import CutOutImageResponse

_GOOD_IOU = 0.9
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_WORST = 10
_CELL = 320


@dataclass(frozen=True, slots=True)
class Result:
    """One photo's: its score, and how sure the answer said it was."""

    photo: Path
    score: Score
    confidence: float
    model: str
    cutout: NDArray[np.uint8]
    truth: NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--mask-suffix", default="", help='what follows the photo\'s stem, e.g. "_a"')
    parser.add_argument("--weights", type=Path, help="u2netp.onnx; without it only the classical proposal runs")
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo")
    parser.add_argument("--sheet", type=Path, help="a picture of the worst: photo, cutout on magenta, truth")
    arguments = parser.parse_args()

    proposers = ("classical", "u2netp") if arguments.weights else ("classical",)
    models_dir = arguments.weights.parent if arguments.weights else None
    results = []
    print("| photo | IoU | boundary F | confidence | model |\n|---|---|---|---|---|")
    with LocalStack(proposers, models_dir) as stack, PackshotClient(stack.address, timeout_s=120) as client:
        for photo, mask in list(_pairs(arguments.photos, arguments.masks, arguments.mask_suffix))[:: arguments.every]:
            result = _result(photo, mask, client.cut_out(photo))
            results.append(result)
            print(
                f"| {photo.stem} | {result.score.iou:.3f} | {result.score.boundary_f:.3f} "
                f"| {result.confidence:.2f} | {result.model} |",
                flush=True,
            )
    _summarise(results)
    if arguments.sheet:
        _draw_worst(results, arguments.sheet)


def area_under_roc(confidences: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Chance that a good result has the higher confidence of a good and a bad one; NaN when one kind is missing."""
    better = confidences[good][:, None] - confidences[~good][None, :]
    return float(np.mean((better > 0) + 0.5 * (better == 0))) if better.size else float("nan")


def _result(photo: Path, mask: Path, answer: CutOutImageResponse) -> Result:
    cutout = np.asarray(Image.open(BytesIO(answer.png)))
    truth = np.asarray(Image.open(mask).convert("L"), np.float32) / np.float32(255)
    if truth.shape != cutout.shape[:2]:
        truth = np.asarray(cv2.resize(truth, cutout.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)
    score = score_matte(cutout[..., 3].astype(np.float32) / np.float32(255), truth)
    return Result(photo, score, answer.confidence.value, answer.segmentation.model, cutout, truth)


def _summarise(results: list[Result]) -> None:
    ious = np.array([result.score.iou for result in results])
    confidences = np.array([result.confidence for result in results])
    print(f"\n| photos | mean IoU | mean boundary F | share with IoU ≥ {_GOOD_IOU} | AUROC of confidence for it |")
    print("|---|---|---|---|---|")
    print(
        f"| {len(results)} | {ious.mean():.3f} | {statistics.mean(r.score.boundary_f for r in results):.3f} "
        f"| {(ious >= _GOOD_IOU).mean():.2f} | {area_under_roc(confidences, ious >= _GOOD_IOU):.2f} |"
    )
    print("\n| confidence | photos | mean IoU | share with IoU ≥ 0.9 |\n|---|---|---|---|")
    for low, high in ((0.0, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 1.01)):
        inside = (confidences >= low) & (confidences < high)
        if inside.any():
            share = (ious[inside] >= _GOOD_IOU).mean()
            print(f"| {low:.1f} – {min(high, 1):.1f} | {inside.sum()} | {ious[inside].mean():.3f} | {share:.2f} |")


def _draw_worst(results: list[Result], file: Path) -> None:
    worst = sorted(results, key=lambda result: result.score.iou)[:_WORST]
    sheet = Image.new("RGB", (3 * _CELL, len(worst) * _CELL), "white")
    magenta = np.array([255, 0, 255], np.float32)
    for row, result in enumerate(worst):
        alpha = result.cutout[..., 3:].astype(np.float32) / 255
        shown = (alpha * result.cutout[..., :3] + (1 - alpha) * magenta).astype(np.uint8)
        truth = (result.truth * 255).astype(np.uint8)
        for column, picture in enumerate((Image.open(result.photo), Image.fromarray(shown), Image.fromarray(truth))):
            cell = picture.convert("RGB")
            cell.thumbnail((_CELL, _CELL))
            sheet.paste(cell, (column * _CELL, row * _CELL))
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file, quality=88)


def _pairs(photos: Path, masks: Path, mask_suffix: str) -> Iterator[tuple[Path, Path]]:
    by_stem = {mask.stem: mask for mask in masks.iterdir() if mask.suffix.lower() in _SUFFIXES}
    for photo in sorted(photos.iterdir()):
        mask = by_stem.get(photo.stem + mask_suffix)
        if photo.suffix.lower() in _SUFFIXES and mask is not None and mask != photo:
            yield photo, mask


if __name__ == "__main__":
    main()
