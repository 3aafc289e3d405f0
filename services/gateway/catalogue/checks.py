"""Whether what a row says can become an item."""

from __future__ import annotations

import re
from typing import Final

from services.gateway.catalogue.records import Record
from services.gateway.catalogue.rows import CatalogueRow, RowError

_LONGEST_SKU: Final = 256
_LONGEST_URL: Final = 4096
_LONGEST_WORD: Final = 64
_MOST_MARKETPLACES: Final = 16
_SHOWN: Final = 60

_EXCEL_TEXT: Final = re.compile(r'="(.*)"', re.DOTALL)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_URL: Final = re.compile(r"https?://[^\s/?#\\]+([/?#]\S*)?|(s3|gs)://[^\s/]+/.*", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_BETWEEN_WORDS: Final = re.compile(r"[\s_]+")
_BETWEEN_MARKETPLACES: Final = re.compile(r"[,;|\s]+")


class Rows:
    """Makes rows and remembers them, to find those given twice."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, str, frozenset[str]], int] = {}

    def row(
        self, row_number: int, sku: str, image_url: str, category: str = "", marketplaces: str = ""
    ) -> CatalogueRow:
        """The row of these cells, with the first error found in them."""
        sku, image_url = sku.strip(), image_url.strip()
        if excel := _EXCEL_TEXT.fullmatch(sku):  # ="007" keeps the zeros in a spreadsheet
            sku = excel[1].strip()
        word = _BETWEEN_WORDS.sub("-", category.strip().lower())
        places = tuple(
            dict.fromkeys(
                place.replace("_", "-") for place in _BETWEEN_MARKETPLACES.split(marketplaces.strip().lower()) if place
            )
        )
        error = _sku_error(sku) or _url_error(image_url) or _category_error(word) or _marketplaces_error(places)
        if error is None:
            same = self._numbers.setdefault((sku, image_url, word, frozenset(places)), row_number)
            if same == row_number:
                return CatalogueRow(row_number, sku, image_url, word, places)
            error = (RowError.DUPLICATE, f"says the same as line {same}, where it is worked on")
        reason, message = error
        return CatalogueRow(
            row_number,
            _CONTROL.sub(" ", sku)[:_LONGEST_SKU],
            _CONTROL.sub(" ", image_url)[:_LONGEST_URL],
            error_reason=reason.value,
            error_message=message,
        )


def record_error(record: Record, columns: int, delimiter: str) -> CatalogueRow | None:
    """The row of a record whose cells cannot be told apart; None when they can."""
    if record.broken:
        return CatalogueRow(
            record.line,
            "",
            "",
            error_reason=RowError.QUOTES.value,
            error_message='a double quote is not closed, or a cell is longer than 131,072 characters; write "" for a '
            "double quote within a quoted cell",
        )
    if len(record.cells) > columns and any(map(str.strip, record.cells[columns:])):
        shown = "tab" if delimiter == "\t" else delimiter
        return CatalogueRow(
            record.line,
            "",
            "",
            error_reason=RowError.COLUMNS.value,
            error_message=f"has {len(record.cells)} columns, the header {columns}; put cells that hold a {shown} in "
            "double quotes",
        )
    return None


def _sku_error(sku: str) -> tuple[RowError, str] | None:
    if not sku:
        return RowError.SKU_MISSING, "the SKU is empty"
    if len(sku) > _LONGEST_SKU:
        return RowError.SKU_INVALID, f"the SKU has {len(sku):,} characters; at most {_LONGEST_SKU} are allowed"
    if _CONTROL.search(sku):
        return RowError.SKU_INVALID, "the SKU holds a line break or another invisible character; remove it"
    return None


def _url_error(url: str) -> tuple[RowError, str] | None:
    if not url:
        return RowError.URL_MISSING, "there is no image URL"
    if len(url) > _LONGEST_URL:
        return RowError.URL_INVALID, f"the image URL has {len(url):,} characters; at most {_LONGEST_URL:,} are allowed"
    if url.count("://") > 1 and re.search(r"[\s,;|]\s*(https?|s3|gs)://", url, re.IGNORECASE):
        return RowError.URL_INVALID, "there is more than one image URL; keep the main image's"
    if _URL.fullmatch(url) and url.isprintable():
        return None
    if re.match(r"(https?|s3|gs)://", url, re.IGNORECASE) and re.search(r"\s", url):
        return RowError.URL_INVALID, f"{_quoted(url)} holds a blank or line break; write %20 for a blank"
    return RowError.URL_INVALID, f"{_quoted(url)} is no URL of an image; it should begin with https://, s3:// or gs://"


def _category_error(category: str) -> tuple[RowError, str] | None:
    if not category or (_WORD.fullmatch(category) and len(category) <= _LONGEST_WORD):
        return None
    return (
        RowError.CATEGORY_INVALID,
        f"{_quoted(category)} is no category; write one like home-kitchen, or leave it empty",
    )


def _marketplaces_error(marketplaces: tuple[str, ...]) -> tuple[RowError, str] | None:
    if len(marketplaces) > _MOST_MARKETPLACES:
        return (
            RowError.MARKETPLACE_INVALID,
            f"names {len(marketplaces)} marketplaces; at most {_MOST_MARKETPLACES} are allowed",
        )
    for place in marketplaces:
        if not _WORD.fullmatch(place) or len(place) > _LONGEST_WORD:
            return (
                RowError.MARKETPLACE_INVALID,
                f"{_quoted(place)} is no marketplace; write e.g. amazon-us, several with ; between them",
            )
    return None


def _quoted(text: str) -> str:
    text = _CONTROL.sub(" ", text)
    return f'"{text if len(text) <= _SHOWN else text[:_SHOWN] + "…"}"'
