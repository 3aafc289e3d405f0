"""Encoders: what went in comes out, the same bytes every time, and sRGB says so."""

import subprocess
import sys
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageCms

from services.common.photo import decode_matte, decode_photo, encode_jpeg, encode_matte, encode_png
from tests.helpers.photos import gradients

RGBA = np.dstack([gradients(), gradients()[..., 1]])


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@given(hnp.arrays(np.uint8, st.tuples(st.integers(2, 9), st.integers(2, 9), st.sampled_from([3, 4]))))
@settings(max_examples=60, deadline=None)
def test_png_returns_every_pixel(image: NDArray[Any]) -> None:
    photo = decode_photo(encode_png(image))
    np.testing.assert_array_equal(photo.image, image[..., :3])
    if image.shape[2] == 4:
        alpha = np.float32(1) if photo.alpha is None else photo.alpha
        np.testing.assert_array_equal(np.broadcast_to(alpha, image.shape[:2]), image[..., 3] / np.float32(255))


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
@settings(max_examples=60, deadline=None)
def test_a_matte_of_256_levels_returns_exactly(levels: NDArray[Any]) -> None:
    matte = np.divide(levels, 255, dtype=np.float32)
    decoded = decode_matte(encode_matte(matte))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, matte)


def test_a_matte_is_rounded_to_the_nearest_level_and_clipped() -> None:
    matte = np.array([[-0.5, 0.4 / 255, 0.6 / 255, 1.5]], np.float32)
    np.testing.assert_array_equal(decode_matte(encode_matte(matte)) * 255, [[0, 0, 1, 255]])


def test_a_matte_file_is_an_8_bit_grey_png() -> None:
    picture = opened(encode_matte(np.zeros((3, 5), np.float32)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (5, 3))


def test_jpeg_is_close_and_has_full_colour_resolution() -> None:
    data = encode_jpeg(gradients(), quality=95)
    picture = opened(data)
    assert [component[1:3] for component in picture.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
    assert np.abs(decode_photo(data).image.astype(int) - gradients()).mean() < 1.5


def test_white_stays_exactly_white_in_jpeg() -> None:
    assert decode_photo(encode_jpeg(np.full((40, 40, 3), 255, np.uint8))).image.min() == 255


def test_quality_costs_bytes() -> None:
    assert len(encode_jpeg(gradients(), quality=60)) < len(encode_jpeg(gradients(), quality=95))


@pytest.mark.parametrize("data", [encode_jpeg(gradients()), encode_png(gradients()), encode_png(RGBA)])
def test_the_profile_is_srgb_and_nothing_else_is_embedded(data: bytes) -> None:
    picture = opened(data)
    profile = ImageCms.ImageCmsProfile(BytesIO(picture.info.pop("icc_profile")))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not picture.getexif()
    np.testing.assert_array_equal(decode_photo(encode_png(gradients())).image, gradients())


def test_another_process_writes_the_same_bytes() -> None:
    code = """
import sys, zlib, numpy as np
from services.common.photo import encode_jpeg, encode_matte, encode_png
image = np.arange(24 * 32 * 4, dtype=np.uint16).reshape(24, 32, 4).astype(np.uint8)
data = encode_jpeg(image[..., :3].copy()) + encode_png(image) + encode_matte(image[..., 0] / np.float32(255))
sys.stdout.write(str(zlib.crc32(data)))
"""
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_pixels_of_another_shape_or_type_are_refused(image: NDArray[Any]) -> None:
    for encode in (encode_jpeg, encode_png):
        with pytest.raises(ValueError, match="an image is uint8"):
            encode(image)


def test_jpeg_takes_no_alpha() -> None:
    with pytest.raises(ValueError, match="an image is uint8"):
        encode_jpeg(RGBA)


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_out_of_range(quality: int) -> None:
    with pytest.raises(ValueError, match="quality"):
        encode_jpeg(gradients(), quality)


@pytest.mark.parametrize(
    "matte", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 1), np.float32), np.full((2, 2), np.nan, np.float32)]
)
def test_a_matte_of_another_shape_or_type_is_refused(matte: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="matte"):
        encode_matte(matte)
