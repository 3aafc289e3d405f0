"""Bad input gets a typed error with its reason and field, and the service goes on."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from packshot.client import DeadlineExceededError, InvalidArgumentError, PackshotClient, PackshotError, Region
from packshot.client._channel import translated
from packshot.v1.packshot_pb2 import ProcessImageRequest, ProcessOptions
from tests.helpers import product_photos


def png_claiming(width_px: int, height_px: int) -> bytes:
    """A PNG of a few bytes whose header claims a huge picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def one_pixel() -> bytes:
    out = BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        pytest.param(b"", "PHOTO_EMPTY", id="0 bytes"),
        pytest.param(b"hello, I am not a photo", "PHOTO_NOT_AN_IMAGE", id="not an image"),
        pytest.param(b"%PDF-1.7 ...", "PHOTO_UNSUPPORTED", id="a PDF"),
        pytest.param(product_photos.mug_jpeg()[:9000], "PHOTO_TRUNCATED", id="truncated"),
        pytest.param(one_pixel(), "PHOTO_TOO_SMALL", id="1 × 1"),
        pytest.param(png_claiming(10_000, 10_000), "PHOTO_TOO_MANY_PIXELS", id="100 MP bomb"),
        pytest.param(b"\xff\xd8" + bytes(64 * 2**20), "PHOTO_TOO_LARGE", id="over the byte limit"),
    ],
)
def test_a_photo_that_cannot_be_used(client: PackshotClient, photo: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        client.process(photo)

    assert caught.value.reason == reason
    assert caught.value.message
    assert len(client.list_rule_packs()) >= 7, "the service goes on"


@pytest.mark.parametrize(
    ("options", "reason", "field"),
    [
        ({"marketplaces": ["amazon-us", "amazon-mars"]}, "UNKNOWN_MARKETPLACE", "options.marketplaces[1]"),
        ({"category": "weapons"}, "UNKNOWN_CATEGORY", "options.category"),
        ({"as_of_date": "2026-02-30"}, "INVALID_DATE", "options.as_of_date"),
        ({"layout": {"fill_ratio": 1.5}}, "INVALID_FIELD", "options.layout.fill_ratio"),
        ({"canvas": {"width_px": 20_000}}, "INVALID_FIELD", "options.canvas.width_px"),
        ({"outputs": [99]}, "INVALID_FIELD", "options.outputs[0]"),
    ],
)
def test_options_that_cannot_be_used(
    client: PackshotClient, options: dict[str, object], reason: str, field: str
) -> None:
    request = ProcessImageRequest(photo=product_photos.mug_jpeg(), options=ProcessOptions(**options))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError) as caught, translated("the gateway"):
        client._stub.ProcessImage(request)

    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.field_violations] == [field]


def test_a_region_outside_the_photo_is_refused(client: PackshotClient) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        client.process(product_photos.mug_jpeg(), region_of_interest=Region(5000, 0, 10, 10))

    assert caught.value.reason == "REGION_OUTSIDE_PHOTO"


def test_a_deadline_of_a_millisecond(client: PackshotClient) -> None:
    with pytest.raises(DeadlineExceededError):
        client.process(product_photos.mug_jpeg(), timeout_s=0.001)

    assert client.process(product_photos.mug_jpeg()).results


def test_an_animation_is_processed_with_a_warning(client: PackshotClient) -> None:
    frames = [Image.fromarray(product_photos.mug_image(320, color)) for color in ((30, 90, 130), (130, 30, 30))]
    animation = BytesIO()
    frames[0].save(animation, "GIF", save_all=True, append_images=frames[1:])

    report = client.process(animation.getvalue()).results[0].report

    assert "PHOTO_ANIMATED" in {warning.code for warning in report.warnings}


def test_a_stream_outlives_its_bad_items(client: PackshotClient) -> None:
    items = [("bad", b"not a photo"), ("good", product_photos.mug_jpeg()), ("empty", b"")]
    outcomes = dict(client.process_many(items))

    bad, empty = outcomes["bad"], outcomes["empty"]
    assert isinstance(bad, PackshotError) and bad.reason == "PHOTO_NOT_AN_IMAGE"
    assert isinstance(empty, PackshotError)
    assert not isinstance(outcomes["good"], PackshotError)


def test_a_photo_above_the_unary_limit_travels_in_chunks(client: PackshotClient) -> None:
    image = np.tile(product_photos.mug_image(1000), (1, 1, 1))
    large = BytesIO()
    Image.fromarray(image).resize((2800, 2800)).save(large, "TIFF")
    assert len(large.getvalue()) > 20 * 2**20

    answer = client.process(large.getvalue())

    assert answer.results[0].report.segmentation.width_px == 2800
