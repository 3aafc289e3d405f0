"""Text, frames, checkerboards and heat colours for pictures that explain a result to people."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Level = TypeVar("Level", bound=np.generic)

_LIGHT, _DARK = 204, 153
_REGULAR, _BOLD = 500, 700


def checkerboard(height_px: int, width_px: int, tile_px: int) -> Picture:
    """The usual ground beneath transparency: (height, width, 3) uint8, two greys, light at the upper left."""
    odd = (np.arange(height_px)[:, None] // tile_px + np.arange(width_px) // tile_px) % 2
    tiles = np.where(odd, np.uint8(_DARK), np.uint8(_LIGHT))
    return np.repeat(tiles[..., None], 3, axis=2)


def heat(value: NDArray[np.float32], hottest: float) -> Picture:
    """Colours of rising heat, from dark violet over red to pale yellow (matplotlib's "inferno").

    Args:
        value: float32 (H, W), from 0; above `hottest` all is one colour.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    # The lowest quarter of the scale is too dark to be seen on anything.
    level = 64 + 191 * np.clip(value / np.float32(hottest), 0, 1)
    colours: Picture = cv2.cvtColor(cv2.applyColorMap(level.astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return colours


def enlarge(picture: Picture, factor: int) -> Picture:
    """Every pixel as a square of `factor` x `factor`: nothing is smoothed over."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def shrink_to(picture: NDArray[Level], longest_px: int) -> NDArray[Level]:
    """A picture whose longer side is at most that: averaged, or itself if it is small enough."""
    height, width = picture.shape[:2]
    if max(height, width) <= longest_px:
        return picture
    scale = longest_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small: NDArray[Level] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small


def paste(sheet: Picture, picture: Picture, top: int, left: int) -> None:
    """Lay a picture on a sheet, where it has to fit."""
    height, width = picture.shape[:2]
    sheet[top : top + height, left : left + width] = picture


def outline(sheet: Picture, top: int, left: int, bottom: int, right: int, colour: Colour, thick_px: int = 2) -> None:
    """A frame along the inside of a half-open box on the sheet."""
    box = sheet[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    inside = box[thick_px:-thick_px, thick_px:-thick_px].copy()
    box[:] = colour
    box[thick_px:-thick_px, thick_px:-thick_px] = inside


def write(
    sheet: Picture, words: str, left: int, baseline: int, size_px: int, colour: Colour, *, bold: bool = False
) -> None:
    """Words on a sheet, their first letter standing at (baseline, left)."""
    cv2.putText(sheet, words, (left, baseline), colour, cv2.FontFace("sans"), size_px, _BOLD if bold else _REGULAR)


def text_width(words: str, size_px: int, *, bold: bool = False) -> int:
    """Pixels the words take from left to right."""
    box = cv2.getTextSize((0, 0), words, (0, 0), cv2.FontFace("sans"), size_px, _BOLD if bold else _REGULAR)
    return int(box[2])
