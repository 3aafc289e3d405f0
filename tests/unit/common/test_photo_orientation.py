"""Every photo comes out upright, once."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray

from services.common.photo import decode_photo
from tests.helpers.photos import corners, exif_orientation, save

# From upright to how the sensor stored it, by EXIF orientation (TIFF 6.0, tag 274).
STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: np.rot90,
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image, 3),
}


def assert_upright(image: NDArray[np.uint8]) -> None:
    assert image.shape == (32, 48, 3)
    assert np.abs(image.astype(int) - corners()).mean() < 4


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied(file_format: str, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation](corners()))
    assert_upright(decode_photo(save(stored, file_format, exif=exif_orientation(orientation))).image)


@pytest.mark.parametrize("orientation", STORED)
def test_heic_is_turned_once(orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation](corners()))
    out = BytesIO()  # writes the orientation twice: as EXIF and as the container's own rotation
    size = (stored.shape[1], stored.shape[0])
    pillow_heif.encode("RGB", size, stored.tobytes(), out, quality=95, exif=exif_orientation(orientation))
    assert_upright(decode_photo(out.getvalue()).image)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_tiff_tag_is_applied_once(compression: str | None, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation](corners()))
    data = save(stored, "TIFF", tiffinfo={274: orientation}, compression=compression)
    assert_upright(decode_photo(data).image)


def test_xmp_orientation_counts_where_exif_has_none() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    stored = np.ascontiguousarray(STORED[6](corners()))
    assert_upright(decode_photo(save(stored, "JPEG", xmp=xmp)).image)


def test_alpha_turns_with_the_image() -> None:
    alpha = np.full((32, 48), 255, np.uint8)
    alpha[:16, :24] = 0
    stored = np.ascontiguousarray(STORED[6](np.dstack([corners(), alpha])))
    photo = decode_photo(save(stored, "PNG", exif=exif_orientation(6)))
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, alpha / 255)


def test_16_bit_colour_turns_too() -> None:
    samples = np.arange(48 * 32, dtype=np.uint16).reshape(32, 48) * 40
    stored = np.ascontiguousarray(np.rot90(samples))
    photo = decode_photo(save(stored, "PNG", exif=exif_orientation(6)))
    np.testing.assert_array_equal(photo.image[..., 0], (samples.astype(np.uint32) + 128) // 257)


def test_an_orientation_that_means_nothing_is_ignored() -> None:
    assert_upright(decode_photo(save(corners(), "JPEG", exif=exif_orientation(9))).image)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_exif_that_breaks_off_is_ignored() -> None:
    assert_upright(decode_photo(save(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fjunk")).image)


def test_exif_that_is_none_is_a_warning() -> None:
    photo = decode_photo(save(corners(), "PNG", exif=b"Exif\0\0this is no EXIF"))
    assert_upright(photo.image)
    assert [warning.code for warning in photo.warnings] == ["EXIF_INVALID"]
