"""Which picture format some bytes are, by their signature, and whether the file ends early."""

from io import BytesIO
from typing import Final, Literal

from PIL.TiffImagePlugin import TiffImageFile

from services.common.photo.types import PhotoError

_SIGNATURES: Final = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
_KNOWN_BUT_UNSUPPORTED: Final = (
    (b"%PDF-", "PDF"),
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (b"8BPS", "Photoshop PSD"),
    (b"gimp xcf", "GIMP XCF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "DirectDraw Surface"),
    (b"\0\0\1\0", "Windows icon"),
    (b"\0\0\2\0", "Windows cursor or Targa"),
    (b"icns", "Apple icon"),
    (b"qoif", "QOI"),
    (b"FUJIFILMCCD-RAW", "Fujifilm camera raw"),
    (b"IIU\0", "Panasonic camera raw"),
    (b"IIRO", "Olympus camera raw"),
    (b"FOVb", "Sigma camera raw"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\xd7\xcd\xc6\x9a", "Windows metafile"),
    (b"farbfeld", "farbfeld"),
    (b"SIMPLE  =", "FITS"),
    (b"AT&TFORM", "DjVu"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
    *((b"P%d" % kind + space, "Netpbm") for kind in range(1, 8) for space in (b"\n", b" ", b"\t", b"\r")),
)
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_IMAGE_CONTAINER_BRANDS: Final = frozenset({b"mif1", b"msf1", b"mif2", b"miaf", b"MiHE", b"MiHB"})

_ISO_MEDIA_HEADER_BYTES: Final = 2**16
# Tags of strip offsets and byte counts, tile offsets and byte counts.
_TIFF_PARTS: Final = ((273, 279), (324, 325))


def identify(data: bytes) -> str:
    """Name the format of a photo from its first bytes.

    Returns:
        "JPEG", "PNG", "WEBP", "TIFF", "HEIC", "AVIF", "GIF" or "BMP".

    Raises:
        PhotoError: PHOTO_UNSUPPORTED naming what the bytes are, or PHOTO_NOT_AN_IMAGE.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _identify_iso_media(data)
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    for signature, name in _KNOWN_BUT_UNSUPPORTED:
        if data.startswith(signature):
            raise unsupported(name)
    if b"<svg" in data[:1024].lower():
        raise unsupported("SVG")
    raise PhotoError(
        "PHOTO_NOT_AN_IMAGE", "The bytes are not a picture; send JPEG, PNG, WebP, TIFF, HEIC, AVIF, GIF or BMP."
    )


def unsupported(name: str) -> PhotoError:
    """PHOTO_UNSUPPORTED for a picture of a kind that is recognised and not decoded."""
    return PhotoError(
        "PHOTO_UNSUPPORTED",
        f"{name} is not supported; send JPEG, PNG, WebP, TIFF, HEIC, AVIF, GIF or BMP.",
        {"found": name},
    )


def _identify_iso_media(data: bytes) -> str:
    """Tell HEIC, AVIF and what else sits in an ISO base media file (ISO/IEC 14496-12, 23008-12) by brand."""
    box_end = min(int.from_bytes(data[:4], "big"), 256)
    major = data[8:12]
    brands = [major, *(data[start : start + 4] for start in range(16, box_end, 4))]
    if major in _HEIF_BRANDS or major in _AVIF_BRANDS or major in _IMAGE_CONTAINER_BRANDS:
        for brand in brands:
            if brand in _AVIF_BRANDS:
                return "AVIF"
            if brand in _HEIF_BRANDS:
                return "HEIC"
        return "HEIC"
    if major == b"crx ":
        raise unsupported("Canon camera raw")
    if major == b"jp2 ":
        raise unsupported("JPEG 2000")
    raise unsupported("Video")


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
