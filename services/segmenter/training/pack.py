"""The training pack in pieces: `python -m services.segmenter.training.pack` writes them, `read_pack` reads them.

A piece is a zip of JPEGs and masks, small enough to travel to a GPU machine by itself; the trainer needs nothing else.
Inside, `cutouts/` are products with a matte, `photos/` whole photos with a mask or a teacher's vote, `grounds/`
surfaces without a product. Held-out files (split.py) lie under `held_out/`.
"""

from __future__ import annotations

import argparse
import csv
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray

from services.segmenter.masks import resize
from services.segmenter.training.consensus import consensus
from services.segmenter.training.split import is_held_out

_SIDE_PX = 560
_PIECE_BYTES = 50_000_000
_JPEG_QUALITY = 92
_LEAST_AGREEMENT = 0.85  # of a teacher with itself
_PRODUCT_SHARE = (0.02, 0.8)
_VOTE_MARK = ".vote"

# Held-out photos whose masks keep a shadow or have holes, found by looking at all 34: no truth to validate with.
_INEXACT = frozenset((
    "bag_0008", "bag_0031", "esh_0014", "rds_0015", "spr_0002", "spr_0005", "spr_0008", "spr_0014", "spr_0023",
    "spr_0041",
))  # fmt: skip

log = structlog.get_logger()

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture (H, W, 3) uint8 RGB and its matte (H, W) uint8.

    Attributes:
        touches: which sides of the frame cut the product, letters of "TBLR".
        is_vote: the matte is what voters agreed on, one half where they did not; not the truth.
    """

    name: str
    image: Image
    matte: Image
    touches: str = ""
    is_vote: bool = False


@dataclass(slots=True)
class Pack:
    """What one side of the split holds."""

    cutouts: list[Labelled] = field(default_factory=list)
    photos: list[Labelled] = field(default_factory=list)
    grounds: list[Image] = field(default_factory=list)


def read_pack(folder: Path) -> tuple[Pack, Pack]:
    """The packs to train on and to validate with.

    Raises:
        FileNotFoundError: there are no pieces in the folder.
    """
    pieces = sorted(folder.glob("piece-*.zip"))
    if not pieces:
        raise FileNotFoundError(f"no piece-*.zip in {folder}; write them with `make train-pack`")
    train, held_out = Pack(), Pack()
    for piece in pieces:
        with zipfile.ZipFile(piece) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".jpg"):
                    _read_one(archive, name, held_out if name.startswith("held_out/") else train)
    return train, held_out


def _read_one(archive: zipfile.ZipFile, name: str, pack: Pack) -> None:
    image = cv2.cvtColor(_decoded(archive.read(name), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    kind, _, stem = name.removeprefix("held_out/").removesuffix(".jpg").partition("/")
    if kind == "grounds":
        pack.grounds.append(np.asarray(image, np.uint8))
        return
    mask_name = name.removesuffix(".jpg") + ".png"
    matte = _decoded(archive.read(mask_name), cv2.IMREAD_GRAYSCALE)
    stem, _, touches = stem.partition("@")
    is_vote = stem.endswith(_VOTE_MARK)
    labelled = Labelled(stem.removesuffix(_VOTE_MARK), np.asarray(image, np.uint8), matte, touches, is_vote)
    (pack.cutouts if kind == "cutouts" else pack.photos).append(labelled)


def _decoded(data: bytes, flags: int) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flags), np.uint8)


class _Writer:
    """Starts a new piece when the last is full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._left = 0
        self._archive: zipfile.ZipFile | None = None

    def add(self, name: str, image: Image, matte: Image | None = None) -> None:
        files = {f"{name}.jpg": _encoded(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])}
        if matte is not None:
            files[f"{name}.png"] = _encoded(".png", matte, [])
        size = sum(map(len, files.values()))
        if self._archive is None or size > self._left:
            self.close()
            self._archive = zipfile.ZipFile(self._folder / f"piece-{self._count:02}.zip", "w")
            self._count, self._left = self._count + 1, _PIECE_BYTES
        for file, data in files.items():
            self._archive.writestr(file, data)
        self._left -= size

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()


def _encoded(suffix: str, pixels: NDArray[Any], options: list[int]) -> bytes:
    return bytes(cv2.imencode(suffix, pixels, options)[1])


def _pictures(folder: Path) -> Iterator[tuple[Path, Image]]:
    for file in sorted(folder.glob("*.jpg")):
        yield file, np.asarray(cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def _shrunk(image: Image, side_px: int = _SIDE_PX) -> Image:
    scale = side_px / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _cropped(image: Image, matte: Image) -> tuple[Image, Image]:
    rows, cols = np.nonzero((matte > 8).any(axis=1))[0], np.nonzero((matte > 8).any(axis=0))[0]
    box = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    return image[box], matte[box]


def write_pack(source: Path, votes: Path, renders: Path, staged: Path, out: Path, grades: set[str]) -> None:
    """Replace the pieces in `out` by those of a source folder.

    Args:
        source: SOURCES.csv (file, grade, note; "touches_" and letters of "TBLR" in a note name the sides of the frame
            that cut the product), products `NAME.jpg` with mattes `NAME_a.png` in foregrounds_*, photos_masked and
            emoji, surfaces in backgrounds, and photos without a mask in unlabelled.
        votes: MODEL/FOLDER/NAME.npz, what votes.py made of photos in unlabelled and photos_masked. A mask that has no
            vote beside it is taken as it is, otherwise as one more vote; photos without a label that all agree on are
            left out.
        renders: `render-NUMBER-KIND.jpg` with `_a.png`, as bench.scenes.products makes them; none are held out, as
            new ones can be made at any time.
        staged: `staged-NUMBER-BACKDROP.jpg` with `_a.png`, as bench.scenes.staged makes them: photos with exact masks.
        grades: of SOURCES.csv, to take.
    """
    with (source / "SOURCES.csv").open(newline="") as table:
        rows = {row["file"]: row for row in csv.DictReader(table) if row["grade"] in grades}
    out.mkdir(parents=True, exist_ok=True)
    for piece in out.glob("piece-*.zip"):
        piece.unlink()
    writer = _Writer(out)
    counts: dict[str, int] = {}

    def add(kind: str, file: Path, image: Image, matte: Image | None = None, mark: str = "") -> None:
        side = "held_out/" if is_held_out(file) else ""
        writer.add(f"{side}{kind}/{file.parent.name}-{file.stem}{mark}", image, matte)
        counts[side + kind] = counts.get(side + kind, 0) + 1

    for folder in ("foregrounds_white", "foregrounds_white_truncated", "foregrounds_alpha", "photos_masked", "emoji"):
        for file, image in _pictures(source / folder):
            row = rows.get(f"{folder}/{file.name}")
            if row is None or not _matte_file(file).exists():
                continue
            matte = _matte_of(file)
            if (matte > 128).mean() < 0.002:  # nothing to learn from
                continue
            if folder == "photos_masked":
                if is_held_out(file):
                    if file.stem in _INEXACT:
                        continue
                    add("photos", file, _shrunk(image), _shrunk(matte))
                elif opinions := _votes(votes, file, matte.shape):
                    agreed = consensus(image, [*opinions, matte.astype(np.float32) / np.float32(255)])
                    if agreed is None:
                        continue
                    matte = np.asarray(np.rint(agreed * 255), np.uint8)
                    add("photos", file, _shrunk(image), _shrunk(matte), _VOTE_MARK)
                    if (agreed == 0.5).any():  # no cutout while it is open what belongs to it
                        continue
                else:
                    add("photos", file, _shrunk(image), _shrunk(matte))
            touched = re.search(r"touches_([TBLR]+)", row["note"])
            small, small_matte = (_shrunk(part) for part in _cropped(image, matte))
            add("cutouts", file, small, small_matte, f"@{touched[1]}" if touched else "")
    for file, image in _pictures(renders):
        _, number, kind = file.stem.split("-", 2)
        writer.add(f"cutouts/renders-{kind}_{number}", *_cropped(image, _matte_of(file)))
        counts["renders"] = counts.get("renders", 0) + 1
    for file, image in _pictures(staged):
        _, number, backdrop = file.stem.split("-", 2)
        writer.add(f"photos/staged-{backdrop}_{number}", image, _matte_of(file))
        counts["staged"] = counts.get("staged", 0) + 1
    for file, image in _pictures(source / "backgrounds"):
        if f"backgrounds/{file.name}" in rows:
            add("grounds", file, _shrunk(image))
    for file, image in _pictures(source / "unlabelled"):
        if f"unlabelled/{file.name}" not in rows:
            continue
        small = _shrunk(image)
        opinions = _votes(votes, file, small.shape[:2])
        agreed = consensus(small, opinions) if opinions else None
        if agreed is not None and _PRODUCT_SHARE[0] < (agreed > 0.5).mean() < _PRODUCT_SHARE[1]:
            add("photos", file, small, np.asarray(np.rint(agreed * 255), np.uint8), _VOTE_MARK)
    writer.close()
    log.info("written", folder=str(out), **counts)


def _matte_file(photo: Path) -> Path:
    return photo.with_name(f"{photo.stem}_a.png")


def _matte_of(photo: Path) -> Image:
    return np.asarray(cv2.imread(str(_matte_file(photo)), cv2.IMREAD_GRAYSCALE), np.uint8)


def _votes(votes: Path, photo: Path, size: tuple[int, ...]) -> list[NDArray[np.float32]]:
    """What the models made of a photo, float32 (H, W) in [0, 1] at the size given; none when one contradicts itself."""
    opinions = []
    for file in sorted(votes.glob(f"*/{photo.parent.name}/{photo.stem}.npz")):
        vote = np.load(file)
        if vote["agreement"] < _LEAST_AGREEMENT:
            return []
        opinions.append(resize(vote["matte"].astype(np.float32) / np.float32(255), *size))
    return opinions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=Path("../shared/train"))
    parser.add_argument("--votes", type=Path, default=Path(".training/votes"))
    parser.add_argument("--renders", type=Path, default=Path(".training/renders"))
    parser.add_argument("--staged", type=Path, default=Path(".training/staged"))
    parser.add_argument("--out", type=Path, default=Path(".training/pack"))
    parser.add_argument("--grades", default="AB", help='"A": the licensors\' own images only')
    args = parser.parse_args()
    write_pack(args.source, args.votes, args.renders, args.staged, args.out, set(args.grades))


if __name__ == "__main__":
    main()
