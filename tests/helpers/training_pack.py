"""Training packs small enough to reason about: every product has one pure colour, everything else is grey."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.training.pack import Labelled, Pack
from services.segmenter.training.split import is_held_out

Image = NDArray[np.uint8]

MAGENTA = (255, 0, 255)
CYAN = (0, 255, 255)
ORANGE = (255, 128, 0)
GREY = (90, 90, 90)


def even(height: int, width: int, colour: tuple[int, int, int]) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def disc(side: int, radius: int) -> Image:
    """A matte (side, side): a disc in the middle, its edge antialiased."""
    matte = np.zeros((side, side), np.uint8)
    cv2.circle(matte, (side // 2, side // 2), radius, 255, -1, cv2.LINE_AA)
    return matte


def product_on(ground: Image, colour: tuple[int, int, int], matte: Image) -> Image:
    alpha = matte[..., None] / 255
    return np.asarray(np.rint(alpha * np.array(colour) + (1 - alpha) * ground), np.uint8)


def cutout(name: str, colour: tuple[int, int, int], touches: str = "") -> Labelled:
    return Labelled(name, even(40, 40, colour), disc(40, 19), touches)


def photo(name: str, *, is_vote: bool = False) -> Labelled:
    """An orange disc on grey."""
    matte = disc(60, 18)
    return Labelled(name, product_on(even(60, 60, GREY), ORANGE, matte), matte, is_vote=is_vote)


def grounds() -> list[Image]:
    grain = np.random.default_rng(0).integers(60, 180, (2, 50, 70, 1), np.uint8)
    return [np.repeat(one, 3, axis=2) for one in grain]


def tiny_pack() -> Pack:
    """The magenta cutout is only ever a product; the cyan ones are distractors too."""
    return Pack(
        cutouts=[cutout("emoji-u1", MAGENTA), cutout("white-a_0001", CYAN), cutout("white-a_0002", CYAN)],
        photos=[photo("photos-b_0001"), photo("photos-b_0002", is_vote=True)],
        grounds=grounds(),
    )


def names(folder: str, number: int, *, held_out: bool) -> list[str]:
    """File names that fall on one side of the split."""
    every = (f"{folder}/a_{i:04}.jpg" for i in count(1))
    return list(islice((name for name in every if is_held_out(Path(name)) is held_out), number))


@dataclass(slots=True)
class Source:
    """A folder as pack.write_pack reads it."""

    folder: Path
    _rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, file: str, image: Image, matte: Image | None = None, *, grade: str = "A", note: str = "") -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        if matte is not None:
            cv2.imwrite(str(path.with_name(f"{path.stem}_a.png")), matte)
        self._rows.append({"file": file, "grade": grade, "note": note})
        with (self.folder / "SOURCES.csv").open("w", newline="") as table:
            writer = csv.DictWriter(table, ["file", "grade", "note"])
            writer.writeheader()
            writer.writerows(self._rows)


def whole_source(folder: Path) -> Source:
    """Two files of each kind that training needs, on both sides of the split."""
    source = Source(folder)
    white, matte = even(48, 48, (255, 255, 255)), disc(48, 16)
    for held_out in (False, True):
        for name in names("foregrounds_white", 2, held_out=held_out):
            source.add(name, product_on(white, CYAN, matte), matte)
        for name in names("photos_masked", 2, held_out=held_out):
            source.add(name, product_on(even(48, 48, GREY), ORANGE, matte), matte)
        for name, ground in zip(names("backgrounds", 2, held_out=held_out), grounds(), strict=True):
            source.add(name, ground)
    return source
