"""Which picture format some bytes are, by their signature. Needs no decoder: the gateway has none."""

from typing import Final

from services.common.photo_error import PhotoError

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
