"""One cutout held against a truth that is made by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.edges.cases import Case, Cases
from bench.edges.methods import FROM_PHOTO, FROM_TRIMAP, Run
from bench.edges.scores import on_white_in_linear_light, on_white_in_srgb
from bench.edges.tables import Score, score_case, tables

SIDE = 300
BLACK = np.zeros((SIDE, SIDE, 4), np.uint8)
EXACT = BLACK.copy()
EXACT[100:200, 100:200, 3] = 255
FAINT = BLACK.copy()
FAINT[100:200, 100:200, 3] = 128


def save(file: Path, pixels: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return file


def black_square(folder: Path, group: str = "opaque") -> Case:
    """On a grey ground; the trimap's band is 8 px around its outline."""
    trimap = np.zeros((SIDE, SIDE), np.uint8)
    trimap[96:204, 96:204] = 128
    trimap[104:196, 104:196] = 255
    return Case(
        name="square",
        group=group,
        photo=save(folder / "square.jpg", np.full((SIDE, SIDE, 3), 128, np.uint8)),
        trimap=save(folder / "square.trimap.png", trimap),
        matte=save(folder / "square.matte.png", EXACT[..., 3]),
        colour=save(folder / "square.foreground.png", EXACT[..., :3]),
        white=save(folder / "square.white.png", on_white_in_linear_light(EXACT)),
    )


def run(folder: Path, cutout: np.ndarray | None, method: str = FROM_TRIMAP, given_trimap: bool = True) -> Run:
    if cutout is not None:
        save(folder / method / "square.png", cutout)
    seconds, refused = ({"square": 0.5}, {}) if cutout is not None else ({}, {"square": "it is square"})
    return Run(method, given_trimap, on_white_in_srgb, folder / method, seconds, refused, 100.0, {})


def scored(folder: Path, cutout: np.ndarray | None) -> Score:
    return score_case(black_square(folder), run(folder, cutout), on_white_in_linear_light)


def test_the_exact_cutout_has_no_errors(tmp_path: Path) -> None:
    score = scored(tmp_path, EXACT)
    assert (score.errors.sad, score.difference, score.drawn, score.colour) == (0, 0, 0, 0)


def test_what_is_refused_counts_as_empty(tmp_path: Path) -> None:
    """In the band the square has 100² - 92² px; black on white is a difference of 100."""
    product, band = 100**2 - 92**2, 108**2 - 92**2
    score = scored(tmp_path, None)
    assert score.errors.sad == pytest.approx(product / 1e3)
    assert score.errors.mse == pytest.approx(1e3 * product / band)
    assert score.difference == pytest.approx(100 * product / band, abs=0.01)


def test_how_a_tool_lays_a_cutout_on_white_counts_apart(tmp_path: Path) -> None:
    """Half of black is darker when sRGB values are mixed, so nearer to black; its colour is right."""
    score = scored(tmp_path, FAINT)
    assert 0 < score.drawn < score.difference
    assert score.colour == 0


def test_the_worst_crop_holds_the_worst_edge(tmp_path: Path) -> None:
    low = EXACT.copy()
    low[180:200, 180:200, 3] = 0
    row, col = scored(tmp_path, low).worst_at
    assert 0 <= row <= SIDE - 256
    assert 0 <= col <= SIDE - 256
    assert scored(tmp_path, low).worst == pytest.approx(100 * (20 * 20 - 16 * 16) / 256**2, rel=0.01)


def test_the_table_says_who_refused_what_and_what_was_asked(tmp_path: Path) -> None:
    case = black_square(tmp_path)
    given = Cases("scenes", on_white_in_linear_light, (case,))
    runs = [
        run(tmp_path, EXACT, FROM_PHOTO, given_trimap=False),
        run(tmp_path, FAINT, "a peer", given_trimap=False),
        run(tmp_path, EXACT, FROM_TRIMAP),
        run(tmp_path, None, "another peer"),
    ]
    table = tables(given, runs, {r.method: {"square": score_case(case, r, given.on_white)} for r in runs})
    assert "another peer refused square: it is square" in table
    assert "| MSE given the trimap, over another peer | ≤ 0.90 | 0.00 |" in table
    assert "| opaque, ΔE00 as drawn given the trimap (peer: 48.00) | ≤ 2.00 | 0.00 |" in table
