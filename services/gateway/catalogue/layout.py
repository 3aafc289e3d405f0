"""Which of the known formats a catalogue is, and where its columns are.

Columns are recognised by name, in any order; case, blanks, dashes and underscores do not matter. References:

- Shopify: help.shopify.com/en/manual/products/import-export/using-csv (both the older "Handle, Image Src" and the newer
  "URL handle, Product image URL" headers)
- Amazon reports: developer-docs.amazon.com/sp-api/docs/report-type-values-inventory (GET_MERCHANT_LISTINGS_ALL_DATA,
  GET_MERCHANT_LISTINGS_DATA)
- Amazon flat files: the templates of Seller Central; a first line of settings, labels in the seller's language, then
  the attributes' names ("item_sku"; in newer ones "contribution_sku#1.value")
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.gateway.catalogue.records import Record, records
from services.gateway.catalogue.rows import CatalogueError, CatalogueErrorReason, CatalogueFormat

_DELIMITERS: Final = (",", "\t", ";", "|")
_HEAD_LINES: Final = 40
_BEFORE_NAMES: Final = re.compile(r"\s*(TemplateType|settings)\s*=", re.IGNORECASE)
_DATA_ROW: Final = re.compile(r"\bdataRow=([0-9]{1,2})\b")
_SEPARATOR_LINE: Final = re.compile(r"\ufeff?sep=(.)\s*", re.IGNORECASE)
_NOT_NAME: Final = re.compile(r"\[[^\]]*\]|#.*|[\W_]+", re.DOTALL)
_SHOWN_COLUMNS: Final = 20
_SHOWN_CHARACTERS: Final = 40

# What a column holds, and the names it goes by, the surest first.
_COLUMNS: Final[Mapping[CatalogueFormat, Mapping[str, tuple[str, ...]]]] = {
    CatalogueFormat.GENERIC: {
        "sku": (
            *("sku", "seller sku", "item sku", "merchant sku", "product sku", "variant sku", "stock keeping unit"),
            *("article number", "item number", "product code", "product id", "item id", "id"),
        ),
        "image_url": (
            *("image url", "main image url", "image link", "main image", "image src", "image", "img url", "img"),
            *("photo url", "photo", "picture url", "picture", "product image url", "product image", "images", "url"),
        ),
        "category": ("category",),
        "marketplaces": ("marketplaces", "marketplace"),
    },
    CatalogueFormat.SHOPIFY: {
        "handle": ("url handle", "handle"),
        "title": ("title",),
        "sku": ("variant sku", "sku"),
        "image_url": ("image src", "product image url"),
        "position": ("image position",),
        "variant_image": ("variant image", "variant image url"),
        "option": ("option1 value",),
        "price": ("variant price", "price"),
    },
    CatalogueFormat.AMAZON_FLAT_FILE: {
        "sku": ("item sku", "contribution sku", "sku"),
        "image_url": ("main image url", "main product image locator"),
    },
    CatalogueFormat.AMAZON_LISTING_REPORT: {
        "sku": ("seller sku",),
        "image_url": ("image url",),
    },
}
# What a seller would call the column that is missing.
_REQUIRED: Final[Mapping[CatalogueFormat, Mapping[str, str]]] = {
    CatalogueFormat.GENERIC: {"sku": "sku", "image_url": "image_url"},
    CatalogueFormat.SHOPIFY: {"handle": "Handle", "image_url": "Image Src"},
    CatalogueFormat.AMAZON_FLAT_FILE: {"sku": "item_sku", "image_url": "main_image_url"},
    CatalogueFormat.AMAZON_LISTING_REPORT: {"sku": "seller-sku", "image_url": "image-url"},
}
_SHOPIFY_ONLY: Final = {"variantsku", "imagesrc", "imageposition", "productimageurl", "option1name", "bodyhtml"}
_REPORT_ONLY: Final = {"asin1", "listingid", "itemismarketplace"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where to find what.

    Attributes:
        columns: How many the header has.
        first_row: How many records, empty ones counted, stand before the first row.
        at: Index of the column by what it holds.
    """

    format: CatalogueFormat
    delimiter: str
    columns: int
    first_row: int
    at: Mapping[str, int]

    @property
    def quoted(self) -> bool:
        """Amazon writes its reports without quoting: a quote there is an inch, or part of a title."""
        return not (self.format is CatalogueFormat.AMAZON_LISTING_REPORT and self.delimiter == "\t")


def recognise(lines: Iterable[str]) -> Layout:
    """The layout of a catalogue from its beginning.

    The delimiter is the one under which most of the columns looked for are there.

    Raises:
        CatalogueError: COLUMNS_MISSING, naming those missing and those found.
    """
    head = list(itertools.islice(lines, _HEAD_LINES))
    separator = _SEPARATOR_LINE.fullmatch(head[0]) if head else None
    delimiters = [separator[1]] if separator and separator[1] in _DELIMITERS else _DELIMITERS
    headers = [_header(list(records(head, delimiter)), delimiter, bool(separator)) for delimiter in delimiters]
    header = max(headers, key=lambda header: (not header.missing, len(header.at), len(header.names)))
    if header.missing:
        raise CatalogueError(CatalogueErrorReason.COLUMNS_MISSING, header.complaint())
    return Layout(header.format, header.delimiter, len(header.names), header.first_row, header.at)


@dataclass(frozen=True, slots=True)
class _Header:
    format: CatalogueFormat
    delimiter: str
    names: Sequence[str]
    first_row: int
    at: Mapping[str, int]

    @property
    def missing(self) -> list[str]:
        return [name for role, name in _REQUIRED[self.format].items() if role not in self.at]

    def complaint(self) -> str:
        found = [" ".join(name.split())[:_SHOWN_CHARACTERS] for name in self.names if name.strip()]
        shown = ", ".join(f'"{name}"' for name in found[:_SHOWN_COLUMNS]) or "none"
        more = f" and {len(found) - _SHOWN_COLUMNS} more" if len(found) > _SHOWN_COLUMNS else ""
        if self.format is CatalogueFormat.GENERIC:
            cure = "the first line must name the columns, at least sku and image_url"
        else:
            cure = f"the file was read as {self.format}, export it with these columns"
        return f"the catalogue has no column {' and no column '.join(self.missing)}; found: {shown}{more}; {cure}"


def _header(head: Sequence[Record], delimiter: str, after_separator: bool) -> _Header:
    start = 1 if after_separator else 0
    first = next((index for index in range(start, len(head)) if not head[index].is_blank), None)
    if first is None:
        return _Header(CatalogueFormat.GENERIC, delimiter, (), len(head), {})
    cells = head[first].cells
    if any(_BEFORE_NAMES.match(cell) for cell in cells[:8]):
        return _flat_file_header(head, first, delimiter)
    format_ = _format_of({_plain(cell) for cell in cells})
    return _Header(format_, delimiter, cells, first + 1, _columns(format_, cells))


def _flat_file_header(head: Sequence[Record], first: int, delimiter: str) -> _Header:
    """The names stand in a line below the settings, above them labels; the settings may say where rows begin."""
    format_ = CatalogueFormat.AMAZON_FLAT_FILE
    best = _Header(format_, delimiter, head[first].cells, first + 1, {})
    for index in range(first + 1, len(head)):
        at = _columns(format_, head[index].cells)
        if len(at) > len(best.at):
            best = _Header(format_, delimiter, head[index].cells, index + 1, at)
    said = _DATA_ROW.search(" ".join(head[first].cells))
    first_row = max(best.first_row, int(said[1]) - 1) if said else best.first_row
    return _Header(format_, delimiter, best.names, first_row, best.at)


def _format_of(names: set[str]) -> CatalogueFormat:
    if names & {"handle", "urlhandle"} and names & _SHOPIFY_ONLY:
        return CatalogueFormat.SHOPIFY
    if "sellersku" in names and names & _REPORT_ONLY:
        return CatalogueFormat.AMAZON_LISTING_REPORT
    if "contributionsku" in names or {"itemsku", "mainimageurl"} <= names:
        return CatalogueFormat.AMAZON_FLAT_FILE
    return CatalogueFormat.GENERIC


def _columns(format_: CatalogueFormat, cells: Sequence[str]) -> dict[str, int]:
    by_name: dict[str, int] = {}
    for index, cell in enumerate(cells):
        by_name.setdefault(_plain(cell), index)
    found = {
        role: next((by_name[_plain(name)] for name in names if _plain(name) in by_name), None)
        for role, names in _COLUMNS[format_].items()
    }
    return {role: index for role, index in found.items() if index is not None}


def _plain(name: str) -> str:
    """ "Item-SKU" and "item_sku" are one name, as are "contribution_sku#1.value" and "contribution_sku"."""
    return _NOT_NAME.sub("", name).casefold()
