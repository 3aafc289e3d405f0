"""Catalogue bytes to items."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from services.gateway.catalogue import shopify
from services.gateway.catalogue.checks import Rows, record_error
from services.gateway.catalogue.layout import Layout, recognise
from services.gateway.catalogue.records import Record, records
from services.gateway.catalogue.rows import (
    MAX_ROWS,
    Catalogue,
    CatalogueError,
    CatalogueErrorReason,
    CatalogueFormat,
    CatalogueRow,
)
from services.gateway.catalogue.text import encoding_of, lines

_MAX_WITH_BLANK: Final = 1_048_576


def read_catalogue(content: bytes) -> Catalogue:
    """Reads a CSV or TSV file of one of the formats in docs/catalogues.md, recognised by its header.

    Encoding (UTF-8, UTF-16, UTF-32, Windows-1252, Latin-1) and delimiter (comma, tab, semicolon, bar) are found out.
    A row that cannot become an item is a row with an error; it never fails the catalogue. It takes about a second of
    CPU for 50,000 rows, so call it off the event loop.

    Raises:
        CatalogueError: The whole cannot be read: empty, no text, needed columns missing, more than 50,000 rows.
    """
    encoding = encoding_of(content)
    layout = recognise(lines(content, encoding))
    found = records(lines(content, encoding), layout.delimiter, columns=layout.columns, quoted=layout.quoted)
    filled = _limited(itertools.islice(found, layout.first_row, None))
    if layout.format is CatalogueFormat.SHOPIFY:
        rows = tuple(shopify.rows(filled, layout))
    else:
        rows = tuple(_rows(filled, layout))
    if not rows:
        raise CatalogueError(CatalogueErrorReason.EMPTY, "the catalogue has a header but no rows")
    return Catalogue(layout.format, rows)


def _limited(found: Iterable[Record]) -> Iterator[Record]:
    """Those that are not blank. Blank ones are free up to what a spreadsheet holds: Excel likes to append many."""
    count = 0
    for total, record in enumerate(found):
        if total == _MAX_WITH_BLANK:
            raise CatalogueError(
                CatalogueErrorReason.TOO_MANY_ROWS,
                f"the catalogue has more than {_MAX_WITH_BLANK:,} lines; delete the empty ones",
            )
        if record.is_blank:
            continue
        if count == MAX_ROWS:
            raise CatalogueError(
                CatalogueErrorReason.TOO_MANY_ROWS,
                f"the catalogue has more than {MAX_ROWS:,} rows; split it and make a job of each part",
            )
        count += 1
        yield record


def _rows(found: Iterable[Record], layout: Layout) -> Iterator[CatalogueRow]:
    """One item per record."""
    checked = Rows()
    columns = [layout.at.get(role) for role in ("sku", "image_url", "category", "marketplaces")]
    for record in found:
        error = record_error(record, layout.columns, layout.delimiter)
        if error is not None:
            yield error
            continue
        cells = record.cells
        sku, image_url, category, marketplaces = (
            cells[index] if index is not None and index < len(cells) else "" for index in columns
        )
        yield checked.row(record.line, sku, image_url, category, marketplaces)
