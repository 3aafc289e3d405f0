"""Everything that is no usable photo gets a typed error; nothing else ever comes out."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.common.photo import PhotoError, PhotoLimits, decode_matte, decode_photo, encode_matte
from tests.helpers import icc
from tests.helpers.photos import exif_orientation, gradients, png_chunk, raw_png, save

GREY, RGB = 0, 2  # PNG colour types


def reason(data: bytes, limits: PhotoLimits = PhotoLimits()) -> str:  # noqa: B008 - frozen
    with pytest.raises(PhotoError) as caught:
        decode_photo(data, limits)
    assert str(caught.value) == caught.value.message != ""
    return caught.value.reason


def heic() -> bytes:
    out = BytesIO()
    pillow_heif.from_pillow(Image.fromarray(gradients())).save(out)
    return out.getvalue()


PHOTOS = {
    "JPEG": save(gradients(), "JPEG", exif=exif_orientation(6), icc_profile=icc.adobe_rgb()),
    "progressive JPEG": save(gradients(), "JPEG", progressive=True),
    "CMYK JPEG": save(Image.fromarray(gradients()).convert("CMYK"), "JPEG"),
    "PNG": save(gradients(), "PNG", exif=exif_orientation(6), icc_profile=icc.adobe_rgb()),
    "palette PNG": save(Image.fromarray(gradients()).quantize(16), "PNG", transparency=bytes(range(16))),
    "16-bit PNG": raw_png(8, 40, 16, RGB, np.random.default_rng(1).bytes(8 * 6 * 40)),
    "WEBP": save(gradients(), "WEBP"),
    "TIFF": save(gradients(), "TIFF", tiffinfo={274: 6}),
    "LZW TIFF": save(gradients(), "TIFF", compression="tiff_lzw"),
    "HEIC": heic(),
    "AVIF": save(gradients(), "AVIF"),
    "GIF": save(Image.fromarray(gradients()).quantize(16), "GIF"),
    "BMP": save(gradients(), "BMP"),
}


def test_empty() -> None:
    assert reason(b"") == "PHOTO_EMPTY"


@pytest.mark.parametrize("data", [b"Hello, I am a text file.", bytes(1000), b"\xff", b"<html></html>"])
def test_not_an_image(data: bytes) -> None:
    assert reason(data) == "PHOTO_NOT_AN_IMAGE"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
        (b"8BPS\0\1", "PSD"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "Video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "camera raw"),
        (b"P6\n2 2\n255\n", "Netpbm"),
        (save(Image.new("F", (4, 4)), "TIFF"), "floating-point"),
        (save(Image.new("RGB", (4, 4)), "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "DNG"),
    ],
)
def test_other_formats_are_refused_by_name(data: bytes, name: str) -> None:
    with pytest.raises(PhotoError, match=name) as caught:
        decode_photo(data)
    assert caught.value.reason == "PHOTO_UNSUPPORTED"
    assert name in caught.value.metadata["found"]


@pytest.mark.parametrize("share", [0.4, 0.9])
@pytest.mark.parametrize("name", PHOTOS)
def test_truncated(name: str, share: float) -> None:
    data = PHOTOS[name]
    assert reason(data[: int(len(data) * share)]) == "PHOTO_TRUNCATED"


def test_a_png_without_its_end_is_usable() -> None:
    photo = decode_photo(save(gradients(), "PNG")[:-12])
    np.testing.assert_array_equal(photo.image, gradients())
    assert [warning.code for warning in photo.warnings] == ["PHOTO_TRUNCATED_TAIL"]


def test_damaged() -> None:
    data = bytearray(save(gradients(), "PNG"))
    data[60:80] = bytes(20)
    assert reason(bytes(data)) == "PHOTO_CORRUPT"


@pytest.mark.parametrize(("width_px", "height_px"), [(1, 1), (1, 50), (50, 1)])
def test_too_small(width_px: int, height_px: int) -> None:
    with pytest.raises(PhotoError) as caught:
        decode_photo(save(Image.new("RGB", (width_px, height_px)), "PNG"))
    assert caught.value.reason == "PHOTO_TOO_SMALL"
    assert caught.value.metadata == {
        "width_px": str(width_px),
        "height_px": str(height_px),
        "min_side_px": "2",
    }


def test_too_many_bytes() -> None:
    with pytest.raises(PhotoError) as caught:
        decode_photo(bytes(101), PhotoLimits(max_bytes=100))
    assert caught.value.reason == "PHOTO_TOO_LARGE"
    assert caught.value.metadata == {"size_bytes": "101", "max_bytes": "100"}


def jpeg_claiming(width_px: int, height_px: int) -> bytes:
    data = save(gradients(), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height_px, width_px) + data[at + 4 :]


def webp_claiming(width_px: int, height_px: int) -> bytes:
    canvas = struct.pack("<I", width_px - 1)[:3] + struct.pack("<I", height_px - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I4x", 10) + canvas + save(gradients(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_claiming(width_px: int, height_px: int) -> bytes:
    return PHOTOS["GIF"][:6] + struct.pack("<HH", width_px, height_px) + PHOTOS["GIF"][10:]


@pytest.mark.parametrize(
    "data",
    [
        raw_png(20_000, 20_000, 8, GREY, b""),
        raw_png(2**31 - 1, 2**31 - 1, 8, RGB, b""),
        jpeg_claiming(12_000, 9_000),
        jpeg_claiming(65_500, 65_500),
        webp_claiming(16_000, 16_000),
        gif_claiming(65_535, 65_535),
    ],
    ids=["PNG", "PNG beyond counting", "JPEG", "larger JPEG", "WEBP", "GIF"],
)
def test_bombs_are_refused_by_their_header(data: bytes) -> None:
    assert reason(data) == "PHOTO_TOO_MANY_PIXELS"


def test_the_pixel_limit_is_the_caller_s() -> None:
    data = save(gradients(40, 64), "PNG")
    assert decode_photo(data, PhotoLimits(max_pixels=40 * 64)).image.shape == (40, 64, 3)
    with pytest.raises(PhotoError) as caught:
        decode_photo(data, PhotoLimits(max_pixels=40 * 64 - 1))
    assert caught.value.reason == "PHOTO_TOO_MANY_PIXELS"
    assert caught.value.metadata["pixels"] == "2560"
    assert caught.value.metadata["max_pixels"] == "2559"


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_text_that_expands_without_end(kind: bytes) -> None:
    bomb = png_chunk(kind, b"Comment\0\0" + zlib.compress(bytes(20 * 2**20)))
    assert reason(raw_png(2, 2, 8, GREY, bytes(4), bomb)) == "PHOTO_METADATA_TOO_LARGE"


def only_typed(data: bytes) -> None:
    try:
        photo = decode_photo(data, PhotoLimits(max_pixels=100_000))
    except PhotoError:
        return
    assert photo.image.dtype == np.uint8
    assert photo.alpha is None or photo.alpha.shape == photo.image.shape[:2]


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_random_bytes(data: bytes) -> None:
    only_typed(data)


@pytest.mark.filterwarnings("ignore")  # Pillow's remarks on damaged metadata
@pytest.mark.parametrize("name", PHOTOS)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6),
    keep=st.one_of(st.none(), st.integers(0, 3000)),
)
@settings(max_examples=60, deadline=None)
def test_photos_with_bytes_changed(name: str, changes: list[tuple[int, int]], keep: int | None) -> None:
    data = bytearray(PHOTOS[name])
    for position, value in changes:
        data[position % len(data)] = value
    only_typed(bytes(data[:keep]))


@pytest.mark.filterwarnings("ignore")
@given(
    st.sampled_from([b"tRNS", b"iCCP", b"eXIf", b"PLTE", b"acTL", b"fcTL", b"gAMA", b"cHRM"]), st.binary(max_size=60)
)
@settings(max_examples=150, deadline=None)
def test_png_chunks_of_any_content(kind: bytes, content: bytes) -> None:
    for color_type in (0, 2, 3):
        only_typed(raw_png(2, 2, 8, color_type, bytes(12 if color_type == 2 else 4), png_chunk(kind, content)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "MATTE_EMPTY"),
        (b"text", "MATTE_NOT_AN_IMAGE"),
        (PHOTOS["JPEG"], "MATTE_NOT_GREY"),
        (PHOTOS["PNG"], "MATTE_NOT_GREY"),
        (raw_png(2, 2, 16, GREY, bytes(8)), "MATTE_NOT_GREY"),
        (raw_png(20_000, 20_000, 8, GREY, b""), "MATTE_TOO_MANY_PIXELS"),
        (encode_matte(np.random.default_rng(1).random((30, 30), np.float32))[:-300], "MATTE_TRUNCATED"),
    ],
    ids=["empty", "text", "JPEG", "colour", "16 bits", "bomb", "truncated"],
)
def test_mattes_that_are_none(data: bytes, expected: str) -> None:
    with pytest.raises(PhotoError, match=r"^matte: ") as caught:
        decode_matte(data)
    assert caught.value.reason == expected


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_random_bytes_as_matte(data: bytes) -> None:
    with pytest.raises(PhotoError):
        decode_matte(b"\x89PNG\r\n\x1a\n" + data)
