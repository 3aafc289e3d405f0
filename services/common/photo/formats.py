"""What a file's structure says besides its pixels: whether it ends early, and which colours it means."""

from io import BytesIO
from typing import Final, Literal

from PIL.TiffImagePlugin import TiffImageFile

_ISO_MEDIA_HEADER_BYTES: Final = 2**16
# Tags of strip offsets and byte counts, tile offsets and byte counts.
_TIFF_PARTS: Final = ((273, 279), (324, 325))


def ends_early(data: bytes, file_format: str) -> bool:
    """Whether the file's own structure says that bytes are missing at its end."""
    match file_format:
        case "JPEG":
            return b"\xff\xd9" not in data
        case "PNG":
            return b"IEND" not in data
        case "GIF":
            return not data.rstrip(b"\0").endswith(b";")
        case "WEBP":
            return len(data) < 8 + int.from_bytes(data[4:8], "little")
        case "BMP":
            return len(data) < int.from_bytes(data[2:6], "little")
        case "HEIC" | "AVIF":
            return _iso_media_ends_early(data)
        case "TIFF":
            return _tiff_ends_early(data)
    return False


def coding_points(data: bytes, file_format: str) -> tuple[int, int] | None:
    """Colour primaries and transfer by code point, as PNG, HEIC and AVIF may state them beside or without ICC.

    Returns:
        The two code points (ITU-T H.273, tables 2 and 3), None where the file states none.
    """
    if file_format == "PNG":
        at = data.find(b"cICP", 0, data.find(b"IDAT"))
        return None if at < 0 else (data[at + 4], data[at + 5])
    if file_format in ("HEIC", "AVIF"):
        at = data.find(b"colrnclx", 0, _ISO_MEDIA_HEADER_BYTES) + 8
        if at >= 8 and at + 4 <= len(data):
            return int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _iso_media_ends_early(data: bytes) -> bool:
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:  # 0: the box reaches to the end; others are no sizes
            return False
        position += size
    return position != len(data)


def _tiff_ends_early(data: bytes) -> bool:
    """Whether the directory, strips or tiles of the first page reach beyond the file (TIFF 6.0, section 2)."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    is_big = 43 in data[2:4]
    start, count_bytes, entry_bytes = (8, 8, 20) if is_big else (4, 2, 12)
    directory = int.from_bytes(data[start : 2 * start], order)
    entries = int.from_bytes(data[directory : directory + count_bytes], order)
    if directory + count_bytes + entries * entry_bytes > len(data):
        return True
    try:
        tags = TiffImageFile(BytesIO(data)).tag_v2
        for offsets, counts in _TIFF_PARTS:
            parts = zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
            if any(offset + count > len(data) for offset, count in parts):
                return True
    except Exception:  # a damaged directory says nothing about the end
        return False
    return False
