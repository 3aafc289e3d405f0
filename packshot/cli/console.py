"""The terminal: results on stdout, everything else on stderr. Colours end where NO_COLOR or a pipe says so."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")

_WIDTH_IN_PIPES: Final = 160
"""A table in a file or a pipe is not cut to a terminal nobody sees."""


def stdout() -> Console:
    """For results. Made anew for each use, so that it follows redirections and the environment of the moment."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_IN_PIPES)


def stderr() -> Console:
    """For progress and problems."""
    return Console(highlight=False, stderr=True, width=None if sys.stderr.isatty() else _WIDTH_IN_PIPES)


def print_table(table: Table, nothing: str) -> None:
    """The table on stdout, or what to say when it has no rows."""
    stdout().print(table if table.row_count else nothing)


def print_json(document: dict[str, Any]) -> None:
    """One document on stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))  # noqa: T201


def print_json_line(document: dict[str, Any]) -> None:
    """One of many documents, on a line of its own; it goes out at once."""
    print(json.dumps(document, ensure_ascii=False, allow_nan=False), flush=True)  # noqa: T201


def plural(count: int, noun: str) -> str:
    """ "1 photo", "2 photos"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def with_progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Hands the items on and shows how many have come, when somebody watches and there is more than one."""
    console = stderr()
    if not console.is_terminal:
        yield from items
        return
    if total == 1:
        with console.status(f"{what} …"):
            yield from items
        return
    bar = Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    with bar:
        yield from bar.track(items, total=total)
