"""What a catalogue says: items, and rows that could not become one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_ROWS: Final = 50_000

_NOT_IN_KEYS: Final = re.compile(r"[^A-Za-z0-9._]+")
_LONGEST_KEY: Final = 256


class CatalogueFormat(StrEnum):
    """Recognised by the header; the names `Job.catalogue_format` uses."""

    GENERIC = "generic"
    SHOPIFY = "shopify"
    AMAZON_FLAT_FILE = "amazon-flat-file"
    AMAZON_LISTING_REPORT = "amazon-listing-report"


class RowError(StrEnum):
    """Why a row is no item. Each stands in docs/catalogues.md with its cure."""

    QUOTES = "ROW_QUOTES"
    COLUMNS = "ROW_COLUMNS"
    SKU_MISSING = "ROW_SKU_MISSING"
    SKU_INVALID = "ROW_SKU_INVALID"
    URL_MISSING = "ROW_URL_MISSING"
    URL_INVALID = "ROW_URL_INVALID"
    CATEGORY_INVALID = "ROW_CATEGORY_INVALID"
    MARKETPLACE_INVALID = "ROW_MARKETPLACE_INVALID"
    DUPLICATE = "ROW_DUPLICATE"


class CatalogueErrorReason(StrEnum):
    """Why a catalogue could not be read at all."""

    EMPTY = "CATALOGUE_EMPTY"
    NOT_TEXT = "CATALOGUE_NOT_TEXT"
    COLUMNS_MISSING = "CATALOGUE_COLUMNS_MISSING"
    TOO_MANY_ROWS = "CATALOGUE_TOO_MANY_ROWS"


class CatalogueError(Exception):
    """The whole catalogue cannot be read; the message says what to do about it."""

    def __init__(self, reason: CatalogueErrorReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """An item, or a row that could not become one: then `error_reason` is set.

    Attributes:
        row_number: The line of the file, from 1, on which the row begins, as an editor counts: the header, empty lines
            and line breaks within quotes are counted. Unique within a catalogue.
        sku: At most 256 characters; may be empty only with an error.
        image_url: As it was given, at most 4,096 characters; may be empty or wrong only with an error.
        category: Empty means the job's.
        marketplaces: Empty means the job's.
        error_reason: A `RowError`, or empty.
    """

    row_number: int
    sku: str
    image_url: str
    category: str = ""
    marketplaces: tuple[str, ...] = ()
    error_reason: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Rows in the order of the file."""

    format: CatalogueFormat
    rows: tuple[CatalogueRow, ...]


def item_key(row: CatalogueRow) -> str:
    """The row's name within its job: row number and SKU, e.g. "2-MUG-01".

    Unique within a catalogue, the same each time the catalogue is read, and safe as a file's name.
    """
    sku = _NOT_IN_KEYS.sub("-", row.sku)
    return f"{row.row_number}-{sku}"[:_LONGEST_KEY].rstrip("-.")
