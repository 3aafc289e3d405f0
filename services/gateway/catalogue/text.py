"""A catalogue's bytes as lines of text, whatever the encoding."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Final

from services.gateway.catalogue.rows import CatalogueError, CatalogueErrorReason

LONGEST_LINE: Final = 1 << 20
"""In characters; what is beyond is cut off, so that a file without line breaks is not held twice."""

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT: Final = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
)
_CHUNK: Final = 1 << 20
_SAMPLE: Final = 4096


def encoding_of(content: bytes) -> str:
    """The name of the encoding `content` is in.

    A byte order mark decides. Without one it is UTF-16 when every other byte of the beginning is zero, else UTF-8 when
    all of it is valid UTF-8, else Windows-1252, and Latin-1 when it holds bytes that Windows-1252 does not know.

    Raises:
        CatalogueError: It is empty or no text, e.g. an Excel workbook.
    """
    if len(content) <= _SAMPLE and not content.strip(b"\0\t\r\n \xef\xbb\xbf\xff\xfe"):
        raise CatalogueError(CatalogueErrorReason.EMPTY, "the catalogue is empty")
    for magic, what in _NOT_TEXT:
        if content.startswith(magic):
            raise _not_text(what)
    if content[:_SAMPLE].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise _not_text("a web page: link to the file itself")
    for mark, name in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return name
    sample = content[:_SAMPLE]
    even, odd = sample[0::2], sample[1::2]
    if even.count(0) * 10 > len(even) * 4 and not odd.count(0):
        return "utf-16-be"
    if odd.count(0) * 10 > len(odd) * 4 and not even.count(0):
        return "utf-16-le"
    return next(name for name in ("utf-8", "cp1252", "latin-1") if _is_valid(content, name))


def lines(content: bytes, encoding: str) -> Iterator[str]:
    """Lines with their ends (LF, CRLF or CR), decoded as they are asked for.

    NUL characters are left out; bytes that break the encoding become U+FFFD and spoil only the cell they stand in.
    """
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors="replace", newline="")
    while line := text.readline(LONGEST_LINE):
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(("\n", "\r")):
            rest = text.readline(LONGEST_LINE)
        yield line.replace("\0", "") if "\0" in line else line


def _is_valid(content: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    view = memoryview(content)
    try:
        for start in range(0, len(content), _CHUNK):
            decoder.decode(view[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _not_text(what: str) -> CatalogueError:
    return CatalogueError(
        CatalogueErrorReason.NOT_TEXT,
        f"the catalogue is not a CSV or TSV file but looks like {what}; in a spreadsheet, save it as CSV UTF-8",
    )
