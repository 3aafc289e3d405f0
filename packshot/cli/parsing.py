"""Values of options that are more than a word or a number."""

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import typer

from packshot.client import Region

MIN_SIDE_PX: Final = 64
MAX_SIDE_PX: Final = 10_000
_MAX_COORDINATE_PX: Final = 65_535


class Size(NamedTuple):
    """Of a canvas."""

    width_px: int
    height_px: int


def parse_region(text: str) -> Region:
    """ "X,Y,WIDTH,HEIGHT" in pixels of the upright photo.

    Raises:
        typer.BadParameter: Not of this form, or out of range.
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not X,Y,WIDTH,HEIGHT in pixels, e.g. 120,80,1600,1400")
    region = Region(*map(int, match.groups()))
    if region.width < 1 or region.height < 1:
        raise typer.BadParameter(f"{text!r}: width and height must be at least 1 px")
    if max(region) > _MAX_COORDINATE_PX:
        raise typer.BadParameter(f"{text!r}: no value may be above {_MAX_COORDINATE_PX} px")
    return region


def parse_point(text: str) -> tuple[int, int]:
    """ "X,Y" in pixels of the upright photo.

    Raises:
        typer.BadParameter: Not of this form, or out of range.
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not X,Y in pixels, e.g. 120,80")
    point = (int(match[1]), int(match[2]))
    if max(point) > _MAX_COORDINATE_PX:
        raise typer.BadParameter(f"{text!r}: no value may be above {_MAX_COORDINATE_PX} px")
    return point


def parse_size(text: str) -> Size:
    """Width and height from "2000x1500", or from "2000" for a square.

    Raises:
        typer.BadParameter: Not of this form, or a side is not in [64, 10000] px.
    """
    match = re.fullmatch(r"\s*(\d{1,9})(?:\s*[xX×]\s*(\d{1,9}))?\s*", text, re.ASCII)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not WIDTHxHEIGHT in pixels, e.g. 2000x2000")
    size = Size(int(match[1]), int(match[2] or match[1]))
    if min(size) < MIN_SIDE_PX or max(size) > MAX_SIDE_PX:
        raise typer.BadParameter(f"{text!r}: each side must be {MIN_SIDE_PX} to {MAX_SIDE_PX} px")
    return size


def parse_word(words: Sequence[str]) -> Callable[[str], str]:
    """A parser of one of these words; unlike an enum it is the word itself that comes out."""

    def parse(text: str) -> str:
        if text not in words:
            raise typer.BadParameter(f"{text!r} is none of {', '.join(words)}")
        return text

    return parse


def parse_date(text: str) -> datetime.date:
    """A day as YYYY-MM-DD.

    Raises:
        typer.BadParameter: Not of this form, or no such day.
    """
    try:
        day = datetime.date.fromisoformat(text.strip())
    except ValueError:
        day = None
    if day is None or day.isoformat() != text.strip():
        raise typer.BadParameter(f"{text!r} is not a date like 2026-11-20")
    return day
