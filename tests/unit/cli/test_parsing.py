import datetime
import re

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from packshot.cli.parsing import parse_date, parse_region, parse_size
from packshot.client import Region

COORDINATES = st.integers(0, 65_535)
LENGTHS = st.integers(1, 65_535)
SIDES = st.integers(64, 10_000)


@given(COORDINATES, COORDINATES, LENGTHS, LENGTHS)
def test_a_region_reads_back(x: int, y: int, width: int, height: int) -> None:
    assert parse_region(f"{x},{y},{width},{height}") == Region(x, y, width, height)
    assert parse_region(f" {x} , {y} , {width} , {height} ") == Region(x, y, width, height)


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "-1,0,5,5", "1.5,0,5,5", "0,0,0,5", "0,0,5,0", "0,0,5,65536", "٣,0,1,1"],
)
def test_what_is_no_region(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=re.escape(repr(text))):
        parse_region(text)


@given(st.text(max_size=30))
def test_any_text_is_a_region_or_refused(text: str) -> None:
    try:
        region = parse_region(text)
    except typer.BadParameter:
        return
    assert [int(number) for number in text.split(",")] == list(region)


@given(SIDES, SIDES)
def test_a_size_reads_back(width: int, height: int) -> None:
    for cross in "xX×":
        assert parse_size(f"{width}{cross}{height}") == (width, height)
    assert parse_size(str(width)) == (width, width)


@pytest.mark.parametrize("text", ["", "x", "2000x", "x2000", "63x2000", "2000x10001", "2000*2000", "2e3", "20x20x20"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=re.escape(repr(text))):
        parse_size(text)


@given(st.dates())
def test_a_date_reads_back(day: datetime.date) -> None:
    assert parse_date(day.isoformat()) == day


@pytest.mark.parametrize("text", ["", "today", "20.11.2026", "2026-11-31", "20261120", "2026-W47-5", "2026-1-2"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="not a date"):
        parse_date(text)
