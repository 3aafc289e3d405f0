"""Lines of text as records: CSV (RFC 4180) that survives a broken record."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Record:
    """One record.

    Attributes:
        line: The line it begins on, from 1.
        cells: As written, quotes undone; [] for an empty line or a broken record.
        broken: Its quotes do not add up, or a cell is longer than `csv.field_size_limit()` (131,072 characters).
    """

    line: int
    cells: list[str]
    broken: bool = False

    @property
    def is_blank(self) -> bool:
        return not self.broken and not any(map(str.strip, self.cells))


def records(lines: Iterable[str], delimiter: str, *, columns: int = 0, quoted: bool = True) -> Iterator[Record]:
    """The records in `lines`, empty lines included.

    A quote that is never closed would swallow the rest of the file. So quotes are read strictly, and where they do not
    add up, reading begins anew on the line after the one the record began on.

    Args:
        lines: With their ends.
        columns: How many cells a record should have; 0 if that is not known. A line with stray quotes that has as many
            is taken as it stands.
        quoted: False where quotes are ordinary characters, as in the reports Amazon writes.
    """
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=delimiter, strict=True, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    while True:
        begin = feed.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            first = feed.back_to_second()
            salvaged = _salvage(first, delimiter, columns)
            yield Record(begin, salvaged or [], broken=salvaged is None)
            continue
        feed.taken.clear()
        yield Record(begin, cells if quoted else [_unquoted(cell) for cell in cells])


class _Feed:
    """Lines for the reader, some of which can be given again."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        self.number += 1
        return line

    def back_to_second(self) -> str:
        """Gives all lines taken again but the first, and returns that."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        self.number -= len(others)
        self.taken.clear()
        return first


def _salvage(line: str, delimiter: str, columns: int) -> list[str] | None:
    """The cells of one line whose quotes do not add up, if there is a way to read it that has the right number."""
    try:
        with_quotes = next(csv.reader([line], delimiter=delimiter))
        without = next(csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE))
    except csv.Error:
        return None
    if line.count('"') % 2 == 0 and len(with_quotes) == (columns or len(with_quotes)):
        return with_quotes
    return [_unquoted(cell) for cell in without] if len(without) == columns else None


def _unquoted(cell: str) -> str:
    if len(cell) > 1 and cell.startswith('"') and cell.endswith('"'):
        return cell[1:-1].replace('""', '"')
    return cell
