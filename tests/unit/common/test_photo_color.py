"""Colour profiles: what is not sRGB becomes sRGB, what is stays untouched."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from services.common.photo import decode_photo
from tests.helpers import icc
from tests.helpers.photos import corners, gradients, png_chunk, raw_png, save


def decoded_color(mode: str, color: Any, file_format: str = "PNG", **options: Any) -> list[int]:
    """What a photo of one colour decodes to."""
    photo = decode_photo(save(Image.new(mode, (8, 8), color), file_format, **options))
    return [int(level) for level in photo.image[4, 4]]


# Expected values by hand from the chromaticities of SMPTE RP 431-2 and Adobe RGB (1998) and their curves.
@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((200, 100, 50), (214.9, 92.6, 31.0)),
        ((90, 160, 120), (60.7, 162.1, 116.6)),
        ((60, 80, 200), (54.3, 80.7, 207.5)),
        ((180, 190, 60), (177.6, 190.4, 0.6)),
        ((255, 255, 255), (255, 255, 255)),
        ((128, 128, 128), (128, 128, 128)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (255, 0, 0)),  # redder than sRGB can be: clipped
    ],
)
def test_display_p3(color: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(decoded_color("RGB", color, icc_profile=icc.display_p3()), expected, atol=1.5)


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((200, 100, 50), (227.1, 100.1, 42.4)),
        ((60, 80, 200), (45.6, 79.0, 204.6)),
        ((180, 190, 60), (177.3, 191.4, 39.6)),
        ((255, 255, 255), (255, 255, 255)),
    ],
)
def test_adobe_rgb(color: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(decoded_color("RGB", color, icc_profile=icc.adobe_rgb()), expected, atol=1.5)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_profiles_are_read_from_every_format(file_format: str) -> None:
    photo = decode_photo(save(corners(), file_format, quality=95, icc_profile=icc.display_p3()))
    assert photo.icc_profile == "Display P3"
    assert photo.image[4, 4, 0] > 225  # the red quarter, 220 in Display P3


def test_display_p3_of_a_png_by_code_points() -> None:
    signal = png_chunk(b"cICP", bytes([12, 13, 0, 1]))
    photo = decode_photo(raw_png(64, 40, 8, 2, gradients().tobytes(), signal))
    by_profile = decode_photo(save(gradients(), "PNG", icc_profile=icc.display_p3()))
    assert np.abs(photo.image.astype(int) - by_profile.image).max() <= 1
    assert (photo.icc_profile, photo.warnings) == ("Display P3", ())


def heic(picture: Image.Image) -> bytes:
    out = BytesIO()
    pillow_heif.from_pillow(picture).save(out, quality=95, chroma=444)
    return out.getvalue()


def avif(picture: Image.Image) -> bytes:
    return save(picture, "AVIF", quality=95, subsampling="4:4:4")


@pytest.mark.parametrize("encode", [heic, avif])
def test_display_p3_of_heic_and_avif_by_code_points(encode: Callable[[Image.Image], bytes]) -> None:
    data = encode(Image.new("RGB", (64, 64), (200, 100, 50)))
    at = data.index(b"colrnclx") + 8
    photo = decode_photo(data[:at] + (12).to_bytes(2, "big") + data[at + 2 :])
    np.testing.assert_allclose(photo.image[32, 32], (214.9, 92.6, 31.0), atol=5)


def test_high_dynamic_range_is_a_warning() -> None:
    signal = png_chunk(b"cICP", bytes([9, 16, 0, 1]))
    photo = decode_photo(raw_png(64, 40, 8, 2, gradients().tobytes(), signal))
    np.testing.assert_array_equal(photo.image, gradients())
    assert [warning.code for warning in photo.warnings] == ["COLOR_SPACE_UNSUPPORTED"]


@pytest.mark.parametrize(
    "profile",
    [icc.srgb(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()],
    ids=["by another name", "LittleCMS"],
)
def test_srgb_under_any_name_changes_no_pixel(profile: bytes) -> None:
    photo = decode_photo(save(gradients(), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(photo.image, gradients())
    assert photo.icc_profile is not None


def test_alpha_is_left_alone_by_the_profile() -> None:
    alpha = np.full((40, 64), 128, np.uint8)
    plain = decode_photo(save(gradients(), "PNG", icc_profile=icc.adobe_rgb()))
    photo = decode_photo(save(np.dstack([gradients(), alpha]), "PNG", icc_profile=icc.adobe_rgb()))
    np.testing.assert_array_equal(photo.image, plain.image)
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, np.float32(128 / 255))


def test_grey_profile() -> None:
    # 128 with gamma 1.8 is 0.289 of white's light, in sRGB level 146.7.
    np.testing.assert_allclose(decoded_color("L", 128, icc_profile=icc.grey_gamma(1.8)), 146.7, atol=1)


def test_an_rgb_profile_on_a_grey_photo_is_honoured() -> None:
    grey = decoded_color("L", 100, icc_profile=icc.adobe_rgb())
    assert grey == decoded_color("RGB", (100, 100, 100), icc_profile=icc.adobe_rgb())


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_by_its_profile(file_format: str) -> None:
    options = {"icc_profile": icc.cmyk_press(cyan_rgb=(0, 120, 200)), "quality": 100}
    for inks, expected in [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((255, 0, 0, 0), (0, 120, 200)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ]:
        np.testing.assert_allclose(decoded_color("CMYK", inks, file_format, **options), expected, atol=3)


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile(file_format: str) -> None:
    for inks, expected in [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((0, 0, 0, 128), (127, 127, 127)),
    ]:
        np.testing.assert_allclose(decoded_color("CMYK", inks, file_format), expected, atol=3)
    photo = decode_photo(save(Image.new("CMYK", (8, 8)), file_format))
    assert [warning.code for warning in photo.warnings] == ["ICC_PROFILE_MISSING"]


def test_lab_tiff() -> None:
    lab = Image.merge("LAB", [Image.new("L", (8, 8), level) for level in (128, 128, 128)])
    photo = decode_photo(save(lab, "TIFF"))
    np.testing.assert_allclose(photo.image[0, 0], 119, atol=2)  # L* 50


@pytest.mark.parametrize(
    "profile",
    [b"not a profile", icc.display_p3()[:200], icc.cmyk_press((0, 120, 200)), icc.grey_gamma(2.2), bytes(9 * 2**20)],
    ids=["junk", "cut", "CMYK", "grey", "huge"],
)
def test_a_profile_that_does_not_fit_is_a_warning_and_pixels_are_srgb(profile: bytes) -> None:
    photo = decode_photo(save(gradients(), "TIFF", icc_profile=profile))
    np.testing.assert_array_equal(photo.image, gradients())
    assert [warning.code for warning in photo.warnings] == ["ICC_PROFILE_INVALID"]


def test_threads_share_a_profile() -> None:
    data = save(gradients(256, 256), "PNG", icc_profile=icc.adobe_rgb())
    alone = decode_photo(data).image
    with ThreadPoolExecutor(4) as executor:
        for photo in executor.map(decode_photo, [data] * 16):
            np.testing.assert_array_equal(photo.image, alone)
