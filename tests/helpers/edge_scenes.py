"""Twelve rendered product scenes with exact mattes and colours, two of each group of the edge benchmark.

They lie in ``tests/scenes``; ``bench/scenes/README.md`` says how they were made and how exact they are.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER: Final = Path(__file__).parent.parent / "scenes"


@dataclass(frozen=True)
class EdgeScene:
    """One scene and its truth.

    Attributes:
        photo: uint8 (H, W, 3) sRGB, as a camera took it.
        matte: float32 (H, W) in [0, 1].
        foreground: uint8 (H, W, 3) sRGB, the product's straight colour, continued where the matte is 0.
        white: uint8 (H, W, 3) sRGB, the product before pure white.
        group: opaque, hairy, glass, tinted, chrome or pieces.
        backdrop: white, sweep, gradient, wood, fabric or room.
    """

    photo: NDArray[np.uint8]
    matte: NDArray[np.float32]
    foreground: NDArray[np.uint8]
    white: NDArray[np.uint8]
    group: str
    backdrop: str


@cache
def _rows() -> dict[str, dict[str, str]]:
    with (FOLDER / "scenes.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def names(group: str | None = None) -> list[str]:
    """Return the scenes' names, of one group or of all."""
    return [name for name, row in _rows().items() if group in (None, row["group"])]


def load(name: str) -> EdgeScene:
    """Return the scene of that name; ``KeyError`` if there is none."""
    row = _rows()[name]
    return EdgeScene(
        _read(name, ".jpg"),
        _read(name, ".matte.png").astype(np.float32) / np.float32(255),
        _read(name, ".foreground.png"),
        _read(name, ".white.png"),
        row["group"],
        row["backdrop"],
    )


def _read(name: str, suffix: str) -> NDArray[np.uint8]:
    with Image.open(FOLDER / f"{name}{suffix}") as picture:
        return np.asarray(picture, np.uint8)
