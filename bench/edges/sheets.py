"""Contact sheets of edges at 100 %: a row of crops for each scene, side by side with what they should be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

CROP_PX = 256
_LABEL_PX = 16
_MOST_BYTES = 400_000


@dataclass(frozen=True, slots=True)
class SheetRow:
    """Images of one scene, uint8 (H, W, 3), and the (row, col) at which their crops begin."""

    label: str
    at: tuple[int, int]
    images: tuple[NDArray[np.uint8], ...]


def draw_sheet(columns: Sequence[str], rows: Sequence[SheetRow], file: Path) -> None:
    """Write the sheet as a JPEG of less than 400 kB."""
    height_px = _LABEL_PX + CROP_PX
    sheet = Image.new("RGB", (len(columns) * CROP_PX, _LABEL_PX + len(rows) * height_px), (225, 225, 225))
    pen = ImageDraw.Draw(sheet)
    for number, column in enumerate(columns):
        pen.text((number * CROP_PX + 4, 2), column, "black")
    for number, row in enumerate(rows):
        top = _LABEL_PX + number * height_px
        pen.text((4, top + 2), row.label, "black")
        for column_number, image in enumerate(row.images):
            crop = image[row.at[0] : row.at[0] + CROP_PX, row.at[1] : row.at[1] + CROP_PX]
            sheet.paste(Image.fromarray(crop), (column_number * CROP_PX, top + _LABEL_PX))
    for quality in range(92, 40, -4):
        sheet.save(file, quality=quality, subsampling=0)
        if file.stat().st_size < _MOST_BYTES:
            break
