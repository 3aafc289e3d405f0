"""Every format and pixel layout a photo may have."""

import struct
from io import BytesIO
from typing import Literal

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.common.photo import decode_photo
from tests.helpers.photos import corners, gradients, png_chunk, raw_png, save

ByteOrder = Literal["<", ">"]
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # PNG colour types


def heic(picture: Image.Image, **options: object) -> bytes:
    out = BytesIO()
    pillow_heif.from_pillow(picture).save(out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_lossless_formats_keep_every_pixel(file_format: str, options: dict[str, object]) -> None:
    photo = decode_photo(save(gradients(), file_format, **options))
    np.testing.assert_array_equal(photo.image, gradients())
    assert photo.format == file_format
    assert (photo.color_mode, photo.alpha, photo.has_alpha_channel) == ("RGB", None, False)
    assert (photo.icc_profile, photo.is_animated, photo.warnings) == (None, False, ())


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("WEBP", {"quality": 95}),
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
    ],
)
def test_lossy_formats_keep_the_picture(file_format: str, options: dict[str, object]) -> None:
    photo = decode_photo(save(gradients(), file_format, **options))
    error = np.abs(photo.image.astype(int) - gradients())
    assert photo.format == file_format
    assert error.mean() < 3


def test_heic() -> None:
    photo = decode_photo(heic(Image.fromarray(gradients()), quality=95, chroma=444))
    assert photo.format == "HEIC"
    assert np.abs(photo.image.astype(int) - gradients()).mean() < 3


def test_heic_of_10_bits() -> None:
    out = BytesIO()
    samples = gradients().astype(np.uint16) * 257
    pillow_heif.from_bytes("RGB;16", (64, 40), samples.tobytes()).save(out, quality=95, chroma=444)
    assert np.abs(decode_photo(out.getvalue()).image.astype(int) - gradients()).mean() < 3


def test_image_is_contiguous_read_only_and_uint8() -> None:
    image = decode_photo(save(gradients(), "PNG")).image
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert not image.flags.writeable


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_png_of_few_bits_spans_black_to_white(bits: int) -> None:
    width_px = 16 // bits
    photo = decode_photo(raw_png(width_px, 2, bits, GREY, b"\x00\x00\xff\xff"))
    np.testing.assert_array_equal(photo.image, np.repeat([[[0, 0, 0]], [[255, 255, 255]]], width_px, axis=1))


def nearest_level(samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return np.floor(samples / 257 + 0.5).astype(np.uint8)


@pytest.mark.parametrize(("color_type", "channels"), [(GREY, 1), (RGB, 3), (RGBA, 4)])
def test_16_bit_png_is_rounded_to_the_nearest_level(color_type: int, channels: int) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    samples = np.stack([np.roll(values, 1000 * channel) for channel in range(channels)], axis=-1)
    height, width, _ = samples.shape
    photo = decode_photo(raw_png(width, height, 16, color_type, samples.astype(">u2").tobytes()))
    expected = nearest_level(samples)
    np.testing.assert_array_equal(photo.image, np.broadcast_to(expected[..., :3], (height, width, 3)))
    if channels == 4:
        assert photo.alpha is not None
        np.testing.assert_allclose(photo.alpha, expected[..., 3] / 255, atol=1e-6)


def test_16_bit_grey_with_alpha_is_at_most_one_level_off() -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(128, 256, 2)
    photo = decode_photo(raw_png(256, 128, 16, GREY_ALPHA, samples.astype(">u2").tobytes()))
    assert np.abs(photo.image[..., 0].astype(int) - nearest_level(samples[..., 0])).max() <= 1
    assert photo.has_alpha_channel


def tiff(
    samples: NDArray[np.generic], photometric: int, byte_order: ByteOrder = "<", extra_samples: int | None = None
) -> bytes:
    """An uncompressed TIFF of one strip; samples are uint8 or uint16 (H, W, C)."""
    height, width, channels = samples.shape
    bits = samples.dtype.itemsize * 8
    pixels: bytes = samples.astype(samples.dtype.newbyteorder(byte_order)).tobytes()
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, channels, bits),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 0),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    if extra_samples is not None:
        entries.append((338, 3, 1, extra_samples))
    bits_at = 8 + 2 + 12 * len(entries) + 4
    pixels_at = bits_at + 2 * channels
    directory = struct.pack(byte_order + "H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(byte_order + "HHI", tag, kind, count)
        if tag == 258 and count > 2:
            directory += struct.pack(byte_order + "I", bits_at)
        elif tag == 273:
            directory += struct.pack(byte_order + "I", pixels_at)
        elif kind == 3:
            directory += struct.pack(byte_order + "H", value) * min(count, 2) + b"\0\0" * (2 - min(count, 2))
        else:
            directory += struct.pack(byte_order + "I", value)
    start = b"II*\0" if byte_order == "<" else b"MM\0*"
    depths = struct.pack(byte_order + "H", bits) * channels
    return b"".join([start, struct.pack(byte_order + "I", 8), directory, bytes(4), depths, pixels])


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize(("photometric", "channels"), [(1, 1), (2, 3)])
def test_16_bit_tiff_is_rounded_to_the_nearest_level(photometric: int, channels: int, byte_order: ByteOrder) -> None:
    samples = np.arange(0, 65280, 5, dtype=np.uint16).reshape(16, -1, channels)
    photo = decode_photo(tiff(samples, photometric, byte_order))
    np.testing.assert_array_equal(photo.image, np.broadcast_to(nearest_level(samples), photo.image.shape))


def test_16_bit_compressed_tiff() -> None:
    samples = (np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64)
    photo = decode_photo(save(samples, "TIFF", compression="tiff_lzw"))
    np.testing.assert_array_equal(photo.image[..., 1], nearest_level(samples))
    assert photo.color_mode == "I;16"


def test_16_bit_tiff_where_zero_is_white() -> None:
    samples = np.array([0, 65535, 257, 0], np.uint16).reshape(2, 2, 1)
    photo = decode_photo(tiff(samples, photometric=0))
    assert photo.image[..., 0].tolist() == [[255, 0], [254, 255]]


def test_tiff_with_alpha() -> None:
    samples = np.dstack([gradients(), np.full((40, 64), 51, np.uint8)])
    photo = decode_photo(tiff(samples, photometric=2, extra_samples=2))
    np.testing.assert_array_equal(photo.image, gradients())
    assert photo.alpha is not None
    np.testing.assert_allclose(photo.alpha, 0.2, atol=1e-6)


def test_premultiplied_tiff_comes_out_straight() -> None:
    straight = np.array([200, 100, 50])
    samples = np.tile(np.array([*(straight * 128 // 255), 128], np.uint8), (4, 4, 1))
    photo = decode_photo(tiff(samples, photometric=2, extra_samples=1))
    assert np.abs(photo.image - straight).max() <= 2


def test_grey_comes_out_as_three_equal_channels() -> None:
    grey = gradients()[..., 0]
    photo = decode_photo(save(grey, "JPEG", quality=100))
    assert photo.color_mode == "L"
    assert np.abs(photo.image.astype(int) - grey[..., None]).max() <= 2


def test_alpha_is_straight_and_colour_under_it_stays() -> None:
    alpha = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (40, 1))
    photo = decode_photo(save(np.dstack([gradients(), alpha]), "PNG"))
    assert photo.alpha is not None
    assert photo.alpha.dtype == np.float32
    np.testing.assert_array_equal(photo.image, gradients())
    np.testing.assert_allclose(photo.alpha, alpha / 255, atol=1e-6)
    assert (photo.alpha.min(), photo.alpha.max()) == (0.0, 1.0)


def test_opaque_alpha_is_no_alpha() -> None:
    photo = decode_photo(save(np.dstack([gradients(), np.full((40, 64), 255, np.uint8)]), "PNG"))
    assert (photo.alpha, photo.has_alpha_channel, photo.color_mode) == (None, True, "RGBA")


def test_grey_with_alpha() -> None:
    photo = decode_photo(save(Image.new("LA", (4, 4), (90, 102)), "PNG"))
    assert photo.image[0, 0].tolist() == [90, 90, 90]
    assert photo.alpha is not None
    np.testing.assert_allclose(photo.alpha, 0.4, atol=1e-6)


@pytest.mark.parametrize("file_format", ["WEBP", "AVIF"])
def test_alpha_of_lossy_formats(file_format: str) -> None:
    alpha = np.where(np.arange(64) < 32, 0, 255).astype(np.uint8)
    photo = decode_photo(save(np.dstack([gradients(), np.tile(alpha, (40, 1))]), file_format, quality=95))
    assert photo.alpha is not None
    np.testing.assert_allclose(photo.alpha[:, [5, 58]], [[0, 1]] * 40, atol=0.02)


def test_palette() -> None:
    photo = decode_photo(save(Image.fromarray(corners()).quantize(4), "PNG"))
    assert photo.color_mode == "P"
    assert np.abs(photo.image.astype(int) - corners()).max() <= 3


def test_palette_with_alpha_per_entry() -> None:
    palette = png_chunk(b"PLTE", bytes([200, 0, 0, 0, 200, 0, 0, 0, 200]))
    alpha = png_chunk(b"tRNS", bytes([0, 51]))
    photo = decode_photo(raw_png(3, 2, 8, PALETTE, bytes([0, 1, 2] * 2), palette, alpha))
    assert photo.image[0].tolist() == [[200, 0, 0], [0, 200, 0], [0, 0, 200]]
    assert photo.alpha is not None
    np.testing.assert_allclose(photo.alpha[0], [0, 0.2, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("bit_depth", "color_type", "key", "rows"),
    [
        (8, GREY, (7,), bytes([7, 8] * 2)),
        (4, GREY, (5,), bytes([0x56] * 2)),
        (16, GREY, (300,), struct.pack(">2H", 300, 301) * 2),
        (8, RGB, (1, 2, 3), bytes([1, 2, 3, 1, 2, 4] * 2)),
        (16, RGB, (1, 2, 300), struct.pack(">6H", 1, 2, 300, 1, 2, 301) * 2),
    ],
)
def test_the_transparent_colour_of_a_png(bit_depth: int, color_type: int, key: tuple[int, ...], rows: bytes) -> None:
    transparent = png_chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    photo = decode_photo(raw_png(2, 2, bit_depth, color_type, rows, transparent))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 1], [0, 1]]


def test_gif_with_a_transparent_colour() -> None:
    picture = Image.fromarray(corners()).quantize(4)
    index = picture.getpixel((0, 0))
    photo = decode_photo(save(picture, "GIF", transparency=index))
    assert photo.alpha is not None
    assert (photo.alpha[0, 0], photo.alpha[0, -1]) == (0, 1)


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_of_an_animation_the_first_frame_is_used_with_a_warning(file_format: str) -> None:
    frames = [Image.new("RGB", (32, 24), color) for color in ("red", "green", "blue")]
    photo = decode_photo(save(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100))
    assert photo.is_animated
    assert [warning.code for warning in photo.warnings] == ["PHOTO_ANIMATED"]
    assert np.abs(photo.image[12, 16].astype(int) - (255, 0, 0)).max() <= 4


def test_of_several_pages_the_first_is_used_with_a_warning() -> None:
    pages = [Image.new("RGB", (32, 24), color) for color in ("red", "green")]
    photo = decode_photo(save(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert not photo.is_animated
    assert [warning.code for warning in photo.warnings] == ["PHOTO_MULTIPAGE"]
    assert photo.image[0, 0].tolist() == [255, 0, 0]


def test_a_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    preview = Image.fromarray(corners())
    data = save(gradients(), "MPO", save_all=True, append_images=[preview], quality=95)
    photo = decode_photo(data)
    assert (photo.format, photo.is_animated, photo.warnings) == ("JPEG", False, ())
    assert photo.image.shape == (40, 64, 3)
