"""How well products are cut out: the gateway's CutOutImage on a folder of photos, against true masks.

    python -m bench.quality --photos ../shared/bench/dev/images --masks ../shared/bench/dev/masks
    python -m bench.quality … --proposers classical,u2netp --models-dir ../shared/models --name dev-u2netp
    python -m bench.quality … --peer-python PYTHON_WITH_REMBG --peer-weights ../shared/models

A mask belongs to the photo of the same stem. Without --proposers the default install is measured. Scores are those of
bench/scoring.py; the table is markdown. With --name it goes to results/quality-NAME.md, and the ten worst (photo,
cutout on magenta, truth) to out/quality-NAME.jpg.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.peers import PEERS, Peer, PeerUnavailableError, run_peer
from bench.scoring import Score, score_matte
from packshot.cli.local import LocalStack
from packshot.client import PackshotClient
from packshot.v1.packshot_pb2 import CutOutImageResponse
from services.segmenter.settings import SegmenterSettings

_GOOD_IOU = 0.9
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_WORST = 10
_CELL_PX = 320
_RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo and the file of its true mask."""

    photo: Path
    mask: Path


@dataclass(frozen=True, slots=True)
class Result:
    """One photo's: its score, how sure the answer said it was, and a row of pictures for the contact sheet."""

    pair: Pair
    score: Score
    confidence: float
    model: str
    row: Image.Image


@dataclass(frozen=True, slots=True)
class PeerResult:
    """A peer's scores in the order of the pairs, none when it could not run; `note` is its version, or why not."""

    peer: Peer
    scores: tuple[Score, ...]
    note: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="one folder or several")
    parser.add_argument("--masks", type=Path, nargs="+", required=True, help="as many, in the same order")
    parser.add_argument("--mask-suffix", default="", help='what follows the photo\'s stem, e.g. "_a"')
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo")
    parser.add_argument("--proposers", help='e.g. "classical,u2netp"; without it those of the default install')
    parser.add_argument("--models-dir", type=Path, help="folder with the proposers' weights")
    parser.add_argument("--peers", default="rembg-u2netp", help=f"of {', '.join(PEERS)}; comma-separated, or empty")
    parser.add_argument(
        "--peer-python",
        default=os.environ.get("PEER_PYTHON", sys.executable),
        help="the Python that has the peers; without it PEER_PYTHON of the environment, or this one",
    )
    parser.add_argument("--peer-weights", type=Path, help="folder with the peers' weights; else U2NET_HOME")
    parser.add_argument("--name", help="keep the table and the ten worst under this name")
    arguments = parser.parse_args()

    if len(arguments.photos) != len(arguments.masks):
        parser.error(f"{len(arguments.photos)} folders of photos, but {len(arguments.masks)} of masks")
    pairs = []
    for photos, masks in zip(arguments.photos, arguments.masks, strict=True):
        if not (found := find_pairs(photos, masks, arguments.mask_suffix)):
            parser.error(f"no photo of {photos} has a mask of its stem in {masks}")
        pairs += found[:: arguments.every]
    if len({pair.photo.stem for pair in pairs}) < len(pairs):
        parser.error("two photos have the same name; rename one, or measure their folders apart")
    if unknown := [name for name in arguments.peers.split(",") if name and name not in PEERS]:
        parser.error(f"--peers: there is no {unknown[0]!r}; there are {', '.join(PEERS)}")
    proposers = tuple(arguments.proposers.split(",")) if arguments.proposers else SegmenterSettings().proposers
    results = _ours(pairs, proposers, arguments.models_dir)
    peers = [
        _peer(PEERS[name], pairs, arguments.peer_python, arguments.peer_weights)
        for name in arguments.peers.split(",")
        if name
    ]
    table = _table(results, peers, proposers)
    if not arguments.name:
        print(table)
        return
    heading = f"`bench.quality` on {' and '.join(map(str, arguments.photos))}, {len(pairs)} photos"
    (_RESULTS / f"quality-{arguments.name}.md").write_text(f"{heading}\n\n{table}\n")
    _draw_worst(results, Path("out") / f"quality-{arguments.name}.jpg")


def find_pairs(photos: Path, masks: Path, mask_suffix: str = "") -> list[Pair]:
    """Photos that have a mask named like them and `mask_suffix`, in order of name; both may lie in one folder."""
    by_stem = {mask.stem: mask for mask in masks.iterdir() if mask.suffix.lower() in _SUFFIXES}
    return [
        Pair(photo, mask)
        for photo in sorted(photos.iterdir())
        if photo.suffix.lower() in _SUFFIXES
        and (mask := by_stem.get(photo.stem + mask_suffix)) is not None
        and mask != photo
    ]


def area_under_roc(confidences: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Chance that a good result has the higher confidence of a good and a bad one; NaN when one kind is missing."""
    better = confidences[good][:, None] - confidences[~good][None, :]
    return float(np.mean((better > 0) + 0.5 * (better == 0))) if better.size else float("nan")


def _ours(pairs: Sequence[Pair], proposers: Sequence[str], models_dir: Path | None) -> list[Result]:
    results = []
    with LocalStack(proposers, models_dir) as stack, PackshotClient(stack.address, timeout_s=120) as client:
        for number, pair in enumerate(pairs, 1):
            results.append(_result(pair, client.cut_out(pair.photo)))
            print(f"{number}/{len(pairs)} {pair.photo.stem} {results[-1].score.iou:.3f}", file=sys.stderr, flush=True)
    return results


def _result(pair: Pair, answer: CutOutImageResponse) -> Result:
    cutout = np.asarray(Image.open(BytesIO(answer.png)))
    matte = cutout[..., 3].astype(np.float32) / np.float32(255)
    truth = _truth(pair.mask, matte.shape)
    score = score_matte(matte, truth)
    return Result(pair, score, answer.confidence.value, answer.segmentation.model, _row(pair.photo, cutout, truth))


def _matte(file: Path) -> NDArray[np.float32]:
    """A grey picture as a matte (H, W) in [0, 1]."""
    return np.asarray(Image.open(file).convert("L"), np.float32) / np.float32(255)


def _truth(mask: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The true matte (H, W) in [0, 1], brought to the shape of what it is compared with."""
    truth = _matte(mask)
    if truth.shape != shape:
        truth = np.asarray(cv2.resize(truth, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    return truth


def _peer(peer: Peer, pairs: Sequence[Pair], python: str, weights: Path | None) -> PeerResult:
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = run_peer(peer, [pair.photo for pair in pairs], Path(folder), python=python, weights=weights)
        except PeerUnavailableError as error:
            return PeerResult(peer, (), str(error))
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{peer.label} failed:\n{error.stderr}") from error
        cutouts = [Image.open(Path(folder) / f"{pair.photo.stem}.png") for pair in pairs]
        mattes = [np.asarray(cutout.getchannel("A"), np.float32) / np.float32(255) for cutout in cutouts]
    scores = [score_matte(matte, _truth(pair.mask, matte.shape)) for matte, pair in zip(mattes, pairs, strict=True)]
    return PeerResult(peer, tuple(scores), run.version)


def _table(results: Sequence[Result], peers: Sequence[PeerResult], proposers: Sequence[str]) -> str:
    ious = np.array([result.score.iou for result in results])
    confidences = np.array([result.confidence for result in results])
    lines = [
        "| | photos | mean IoU | MAE | boundary F | weighted F | S-measure | share with IoU ≥ 0.9 |",
        "|---|---|---|---|---|---|---|---|",
        _means(f"Packshot ({' + '.join(proposers)})", [result.score for result in results]),
    ]
    for measured in peers:
        if measured.scores:
            lines.append(_means(f"{measured.peer.label} ({measured.note})", measured.scores))
        else:
            lines.append(f"| {measured.peer.label} | {measured.note} | | | | | | |")
    auroc = area_under_roc(confidences, ious >= _GOOD_IOU)
    lines += ["", f"AUROC of the confidence for IoU ≥ {_GOOD_IOU}: {auroc:.2f}", ""]
    lines += ["| confidence | photos | mean IoU | share with IoU ≥ 0.9 |", "|---|---|---|---|"]
    for low, high in ((0.0, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 1.01)):
        inside = (confidences >= low) & (confidences < high)
        if inside.any():
            mean, share = ious[inside].mean(), (ious[inside] >= _GOOD_IOU).mean()
            lines.append(f"| {low:.1f} – {min(high, 1):.1f} | {inside.sum()} | {mean:.3f} | {share:.2f} |")
    ran = [measured for measured in peers if measured.scores]
    lines += [
        "",
        "| photo | IoU | MAE | boundary F | weighted F | S-measure | confidence | model |"
        + "".join(f" {measured.peer.label}: IoU |" for measured in ran),
        "|---|---|---|---|---|---|---|---|" + "---|" * len(ran),
    ]
    for index, result in enumerate(results):
        beside = "".join(f" {measured.scores[index].iou:.3f} |" for measured in ran)
        ours = f"{_numbers(result.score)} | {result.confidence:.2f} | {result.model}"
        lines.append(f"| {result.pair.photo.stem} | {ours} |{beside}")
    return "\n".join(lines)


def _means(label: str, scores: Sequence[Score]) -> str:
    mean = Score(
        iou=float(np.mean([score.iou for score in scores])),
        mae=float(np.mean([score.mae for score in scores])),
        boundary_f=float(np.mean([score.boundary_f for score in scores])),
        weighted_f=float(np.mean([score.weighted_f for score in scores])),
        s_measure=float(np.mean([score.s_measure for score in scores])),
    )
    share = np.mean([score.iou >= _GOOD_IOU for score in scores])
    return f"| {label} | {len(scores)} | {_numbers(mean)} | {share:.2f} |"


def _numbers(score: Score) -> str:
    return " | ".join(
        f"{number:.3f}" for number in (score.iou, score.mae, score.boundary_f, score.weighted_f, score.s_measure)
    )


def _row(photo: Path, cutout: NDArray[np.uint8], truth: NDArray[np.float32]) -> Image.Image:
    alpha = cutout[..., 3:].astype(np.float32) / 255
    on_magenta = (alpha * cutout[..., :3] + (1 - alpha) * np.array([255, 0, 255], np.float32)).astype(np.uint8)
    row = Image.new("RGB", (3 * _CELL_PX, _CELL_PX), "white")
    pictures = (Image.open(photo), Image.fromarray(on_magenta), Image.fromarray((truth * 255).astype(np.uint8)))
    for column, picture in enumerate(pictures):
        cell = picture.convert("RGB")
        cell.thumbnail((_CELL_PX, _CELL_PX))
        row.paste(cell, (column * _CELL_PX, 0))
    return row


def _draw_worst(results: Sequence[Result], file: Path) -> None:
    worst = sorted(results, key=lambda result: result.score.iou)[:_WORST]
    sheet = Image.new("RGB", (3 * _CELL_PX, len(worst) * _CELL_PX), "white")
    for number, result in enumerate(worst):
        sheet.paste(result.row, (0, number * _CELL_PX))
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file, quality=88)


if __name__ == "__main__":
    main()
