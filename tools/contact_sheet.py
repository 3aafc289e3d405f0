"""Before/after contact sheets: pictures where people would rather look than read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

_CELL = 560
_GAP = 24
_CAPTION = 64
_PAPER = (238, 238, 236)
_INK = (40, 40, 44)
_COLOURS = {"publish": (28, 122, 62), "review": (170, 110, 0), "reject": (178, 38, 38)}


@dataclass(frozen=True, slots=True)
class Row:
    """A photo, its packshot (None if there is none) and what is said about it."""

    photo: Path
    packshot: Path | None
    verdict: str
    caption: str


def draw(rows: Sequence[Row], columns: int = 2) -> Image.Image:
    """The sheet: `columns` before/after pairs side by side, the verdict below each."""
    pair = 2 * _CELL + _GAP
    lines = -(-len(rows) // columns)
    size = (columns * pair + (columns + 1) * _GAP * 2, lines * (_CELL + _CAPTION) + (lines + 1) * _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    drawing = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=24)
    for index, row in enumerate(rows):
        left = _GAP * 2 + (index % columns) * (pair + _GAP * 2)
        top = _GAP + (index // columns) * (_CELL + _CAPTION + _GAP)
        sheet.paste(_fitted(row.photo, _PAPER), (left, top))
        if row.packshot is not None:
            sheet.paste(_fitted(row.packshot, (255, 255, 255)), (left + _CELL + _GAP, top))
        y = top + _CELL + 16
        colour = _COLOURS.get(row.verdict, _INK)
        drawing.ellipse((left, y + 5, left + 18, y + 23), fill=colour)
        drawing.text((left + 30, y), f"{row.photo.stem}: {row.verdict}, {row.caption}", font=font, fill=_INK)
    return sheet


def _fitted(file: Path, paper: tuple[int, int, int]) -> Image.Image:
    with Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    return ImageOps.pad(upright, (_CELL, _CELL), method=Image.Resampling.LANCZOS, color=paper)
