"""One method's score on one case, and the tables of all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.edges.cases import Case, Cases, read
from bench.edges.methods import FROM_PHOTO, FROM_TRIMAP, Run
from bench.edges.scores import EdgeErrors, Image, colour_difference, edge_errors, on_white_in_linear_light
from bench.edges.sheets import CROP_PX

# Issue 4, "Must hold": ΔE00 given the exact trimap.
_MOST_DIFFERENCE = {"opaque": 2, "hairy": 4, "glass": 6, "tinted": 6, "chrome": 3}
_HEADER = (
    "MSE ×10³ mean / median | SAD k | gradient k | connectivity k | ΔE00 mean / median | ΔE00 as drawn | colour ΔE00 "
    "| s | peak MB | refused |\n" + "|---" * 11 + "|"
)


@dataclass(frozen=True, slots=True)
class Score:
    """One cutout's.

    difference: mean ΔE00 in the band, both on white as the truth was laid there.
    drawn: the same with the cutout laid on white as its own tool does it.
    colour: mean ΔE00 of the cutout's colours in the band, weighed by true alpha.
    worst, worst_at: the highest mean of `drawn` in a crop of the contact sheet, and where that begins.
    """

    errors: EdgeErrors
    difference: float
    drawn: float
    colour: float
    worst: float
    worst_at: tuple[int, int]


def score_case(case: Case, run: Run, on_white: Callable[[Image], Image]) -> Score:
    """Hold a run's cutout of a case against the truth, which lies on white as `on_white` does it."""
    trimap, truth = read(case.trimap, "L"), read(case.matte, "L").astype(np.float32) / np.float32(255)
    band = (trimap > 0) & (trimap < 255)
    cutout, white = cutout_of(case, run), read(case.white, "RGB")
    difference = colour_difference(on_white(cutout), white, band)
    drawn = difference if run.on_white is on_white else colour_difference(run.on_white(cutout), white, band)
    weight = np.where(band, truth, 0)
    colour = colour_difference(np.ascontiguousarray(cutout[..., :3]), read(case.colour, "RGB"), weight > 0)
    worst, worst_at = _worst_crop(drawn)
    return Score(
        errors=edge_errors(cutout[..., 3].astype(np.float32) / np.float32(255), truth, band),
        difference=float(difference[band].mean()),
        drawn=float(drawn[band].mean()),
        colour=float((colour * weight).sum() / weight.sum()) if weight.any() else 0.0,
        worst=worst,
        worst_at=worst_at,
    )


def cutout_of(case: Case, run: Run) -> Image:
    """A run's cutout (H, W, 4); an empty one where it refused the case."""
    if case.name in run.refused:
        return np.zeros((*read(case.matte, "L").shape, 4), np.uint8)
    return read(run.folder / f"{case.name}.png", "RGBA")


def tables(given: Cases, runs: Sequence[Run], scores: dict[str, dict[str, Score]]) -> str:
    """Markdown of scores by method and name of case: all, each group, the bars, every case."""
    names = [case.name for case in given.cases]
    groups = {group: [c.name for c in given.cases if c.group == group] for group in (c.group for c in given.cases)}
    lines = [f"| {len(names)} {given.title} | {_HEADER}", *(_line(run, scores[run.method], names) for run in runs), ""]
    for group, members in groups.items():
        if group:
            lines += [f"| {group}, {len(members)} | {_HEADER}"]
            lines += [*(_line(run, scores[run.method], members) for run in runs), ""]
    # Bars stand for what a buyer sees, except on photos: their truth is defined, not seen, and so is how it is laid.
    seen = given.on_white is on_white_in_linear_light
    difference = _drawn if seen else _as_truth
    lines += [*_bars(runs, scores, groups, difference), ""]
    columns = ["ΔE00 as drawn" if seen else "ΔE00", *(run.method for run in runs), "exactly white"]
    lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name in names:
        differences = " | ".join(f"{difference(scores[run.method][name]):.1f}" for run in runs)
        white = next((run.exactly_white[name] for run in runs if name in run.exactly_white), None)
        lines.append(f"| {name} | {differences} | {'–' if white is None else f'{white:.3%}'} |")
    lines += [f"\n{run.method} refused {name}: {why}" for run in runs for name, why in run.refused.items()]
    return "\n".join(lines)


def _as_truth(score: Score) -> float:
    return score.difference


def _drawn(score: Score) -> float:
    return score.drawn


def _line(run: Run, scores: dict[str, Score], names: Sequence[str]) -> str:
    def of(what: Callable[[Score], float]) -> list[float]:
        return [what(scores[name]) for name in names]

    mse, difference = of(lambda score: score.errors.mse), of(lambda score: score.difference)
    seconds = [run.seconds[name] for name in names if name in run.seconds]
    cells = (
        run.method,
        f"{np.mean(mse):.1f} / {np.median(mse):.1f}",
        f"{np.mean(of(lambda score: score.errors.sad)):.2f}",
        f"{np.mean(of(lambda score: score.errors.gradient)):.2f}",
        f"{np.mean(of(lambda score: score.errors.connectivity)):.2f}",
        f"{np.mean(difference):.2f} / {np.median(difference):.2f}",
        f"{np.mean(of(lambda score: score.drawn)):.2f}",
        f"{np.mean(of(lambda score: score.colour)):.2f}",
        f"{np.mean(seconds):.2f}" if seconds else "–",
        f"{run.peak_mb:.0f}",
        f"{sum(name in run.refused for name in names)}",
    )
    return f"| {' | '.join(cells)} |"


def _bars(
    runs: Sequence[Run],
    scores: dict[str, dict[str, Score]],
    groups: dict[str, list[str]],
    difference: Callable[[Score], float],
) -> list[str]:
    """What the issue asks for, beside what was measured."""
    names = [name for members in groups.values() for name in members]

    def mean(run: Run, what: Callable[[Score], float], members: Sequence[str] = names) -> float:
        return float(np.mean([what(scores[run.method][name]) for name in members]))

    (ours_photo,) = (run for run in runs if run.method == FROM_PHOTO)
    (ours_trimap,) = (run for run in runs if run.method == FROM_TRIMAP)
    peers_photo = [run for run in runs if not run.given_trimap and run is not ours_photo]
    (peer_trimap,) = (run for run in runs if run.given_trimap and run is not ours_trimap)
    mse = mean(ours_trimap, lambda s: s.errors.mse) / mean(peer_trimap, lambda s: s.errors.mse)
    both = [name for name in names if name in peer_trimap.seconds]
    speed = sum(peer_trimap.seconds[n] for n in both) / max(sum(ours_trimap.seconds[n] for n in both), 1e-9)
    white = ours_photo.exactly_white.values()
    how = " as drawn" if difference is _drawn else ""
    lines = [
        "| bar | asked | measured |",
        "|---|---|---|",
        f"| MSE given the trimap, over {peer_trimap.method} | ≤ 0.90 | {mse:.2f} |",
        f"| times its speed | ≥ 3 | {speed:.1f} |",
    ]

    def by_both(run: Run) -> str:
        return f"{mean(run, difference):.2f}, {mean(run, lambda s: s.errors.sad):.2f}"

    lines += [
        f"| photo alone, ΔE00{how} and SAD, against {peer.method} | < {by_both(peer)} | {by_both(ours_photo)} |"
        for peer in peers_photo
    ]
    for group, members in groups.items():
        if group:
            title = f"{group}, ΔE00 as drawn"
            by_peer = mean(peer_trimap, difference, members)
            asked = f"≤ {min(_MOST_DIFFERENCE.get(group, np.inf), by_peer):.2f}"
            measured = mean(ours_trimap, difference, members)
            lines.append(f"| {title} given the trimap (peer: {by_peer:.2f}) | {asked} | {measured:.2f} |")
            best = min(mean(peer, difference, members) for peer in peers_photo)
            measured = mean(ours_photo, difference, members)
            lines.append(f"| {title} from the photo, best peer | ≤ {best:.2f} | {measured:.2f} |")
    if white:
        exact = sum(share == 1 for share in white)
        lines.append(f"| photos whose background is exactly white | {len(white)} | {exact}, worst {min(white):.4%} |")
    return lines


def _worst_crop(difference: NDArray[np.float32]) -> tuple[float, tuple[int, int]]:
    """The highest mean of a crop of the contact sheet, and the (row, col) at which that crop begins."""
    mean = cv2.boxFilter(difference, -1, (CROP_PX, CROP_PX), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    height, width = difference.shape
    inside = mean[: max(1, height - CROP_PX + 1), : max(1, width - CROP_PX + 1)]
    row, col = np.unravel_index(int(inside.argmax()), inside.shape)
    return float(inside[row, col]), (int(row), int(col))
