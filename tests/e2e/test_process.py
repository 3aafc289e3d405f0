"""One photo in, one marketplace-ready main image out, through the four real services."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from packshot.client import PackshotClient
from packshot.client._requests import OutputName
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, OUTPUT_REPORT_JSON, OUTPUT_TRANSPARENT_PNG
from packshot.v1.report_pb2 import (
    RESOLUTION_AUTO_CORRECTED,
    RULE_STATUS_FAIL,
    RULE_STATUS_NOT_EVALUATED,
    RULE_STATUS_PASS,
    VERDICT_PUBLISH,
    VERDICT_REJECT,
)
from tests.helpers import product_photos

SCHEMA = Path(__file__).resolve().parents[2] / "packshot" / "report.schema.json"


def decoded(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def test_a_mug_on_a_grey_sweep_becomes_a_packshot(client: PackshotClient) -> None:
    answer = client.process(product_photos.mug_jpeg(), marketplaces=["amazon-us"], category="home-kitchen")

    (result,) = answer.results
    (image,) = result.images
    packshot = decoded(image.content)
    pixels = np.asarray(packshot)
    product = np.any(pixels < 128, axis=2)
    rows, cols = np.flatnonzero(product.any(axis=1)), np.flatnonzero(product.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(cols) + 1
    assert (image.output, packshot.format, packshot.mode, packshot.size) == (OUTPUT_JPEG, "JPEG", "RGB", (2000, 2000))
    assert max(height, width) / 2000 == pytest.approx(0.87, abs=0.005)
    assert rows[0] + rows[-1] == pytest.approx(1999, abs=6)
    assert cols[0] + cols[-1] == pytest.approx(1999, abs=6)
    assert (pixels[0] == 255).all() and (pixels[-1] == 255).all()
    assert packshot.info["icc_profile"]
    assert not packshot.getexif()


def test_the_report_says_what_was_found_and_what_was_fixed(client: PackshotClient) -> None:
    report = client.process(product_photos.mug_jpeg(), category="home-kitchen").results[0].report

    rules = {rule.measurement: rule for rule in report.rules if rule.status != RULE_STATUS_NOT_EVALUATED}
    assert report.compliant
    assert report.verdict == VERDICT_PUBLISH, report.verdict_reasons
    assert report.pack.id == "amazon-us" and report.pack.hash.startswith("sha256:")
    assert rules["background_purity_clear"].status == RULE_STATUS_PASS
    assert rules["background_purity_clear"].resolution == RESOLUTION_AUTO_CORRECTED
    assert {timing.stage for timing in report.timings} == {"segmenter", "compositor", "validator"}
    assert report.segmentation.model == "classical"
    assert 0 <= report.confidence.value <= 1
    assert {"overlap", "clean_edge"} <= {factor.name for factor in report.confidence.factors}


def test_all_outputs_come_in_the_order_asked_for(client: PackshotClient) -> None:
    asked: list[OutputName] = ["report_json", "transparent_png", "jpeg"]
    images = client.process(product_photos.mug_jpeg(), outputs=asked).results[0].images

    document = json.loads(images[0].content)
    cutout = decoded(images[1].content)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert [image.output for image in images] == [OUTPUT_REPORT_JSON, OUTPUT_TRANSPARENT_PNG, OUTPUT_JPEG]
    assert document["verdict"] == "publish"
    assert (cutout.mode, cutout.size) == ("RGBA", (2000, 2000))
    # Laid on white by any viewer, the transparent PNG is the packshot.
    over_white = Image.alpha_composite(Image.new("RGBA", cutout.size, "white"), cutout).convert("RGB")
    difference = np.abs(np.asarray(over_white, int) - np.asarray(decoded(images[2].content), int))
    assert difference.mean() < 0.5


def test_several_marketplaces_get_a_canvas_and_a_report_each(client: PackshotClient) -> None:
    answer = client.process(product_photos.mug_jpeg(), marketplaces=["amazon-jp", "amazon-us"])

    assert [result.marketplace for result in answer.results] == ["amazon-jp", "amazon-us"]
    assert [result.report.pack.id for result in answer.results] == ["amazon-jp", "amazon-us"]


def test_the_same_photo_twice_gives_the_same_bytes(client: PackshotClient) -> None:
    outputs: list[OutputName] = ["jpeg", "transparent_png"]
    first, second = (client.process(product_photos.mug_jpeg(), outputs=outputs).results[0] for _ in range(2))

    assert [image.content for image in first.images] == [image.content for image in second.images]
    for report in (first.report, second.report):
        del report.timings[:]
    assert first.report == second.report


def test_asked_fill_and_canvas_are_used(client: PackshotClient) -> None:
    answer = client.process(product_photos.mug_jpeg(), margin=0.2, canvas_px=(1200, 900), jpeg_quality=80)

    placement = answer.results[0].report.placement
    assert decoded(answer.results[0].images[0].content).size == (1200, 900)
    shares = placement.product.width / 1200, placement.product.height / 900
    assert max(shares) == pytest.approx(0.6, abs=0.005)


def test_debug_pictures_come_with_every_marketplaces_result(client: PackshotClient) -> None:
    answer = client.process(product_photos.mug_jpeg(), marketplaces=["amazon-us", "amazon-de"], debug=True)

    for result in answer.results:
        pictures = {image.name: decoded(image.png) for image in result.debug_images}
        assert list(pictures) == ["matte", "trimap", "foreground", "halo", "worst-edge"]
        assert {picture.format for picture in pictures.values()} == {"PNG"}
        assert set(np.unique(np.asarray(pictures["trimap"]))) == {0, 128, 255}
        assert pictures["halo"].width == 2000
    plain = client.process(product_photos.mug_jpeg(), marketplaces=["amazon-us"]).results[0]
    assert not plain.debug_images
    assert plain.images == answer.results[0].images


def test_a_photo_with_alpha_keeps_its_own_matte(client: PackshotClient) -> None:
    answer = client.process(product_photos.mug_cutout_png())

    report = answer.results[0].report
    assert report.segmentation.model == "alpha"
    assert report.segmentation.agreement == pytest.approx(1)


def test_a_photo_of_nothing_is_rejected_not_failed(client: PackshotClient) -> None:
    (result,) = client.process(product_photos.blank_jpeg()).results

    assert result.report.verdict == VERDICT_REJECT
    assert not result.images
    assert "NO_PRODUCT_FOUND" in {warning.code for warning in result.report.warnings}


def test_a_rotated_phone_photo_comes_out_upright(client: PackshotClient) -> None:
    upright = Image.fromarray(product_photos.mug_image())
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(stored, "JPEG", quality=92, exif=exif)

    report = client.process(stored.getvalue()).results[0].report

    # The handle is on the right: the mug is wider than its body, and taller than wide in the photo.
    assert report.segmentation.pieces[0].bounding_box.x == pytest.approx(180, abs=6)


def test_checking_changes_nothing_and_names_what_is_wrong(client: PackshotClient) -> None:
    (grey,) = client.check(product_photos.mug_jpeg(), marketplaces=["amazon-us"]).reports
    packshot = client.process(product_photos.mug_jpeg()).results[0].images[0].content
    (white,) = client.check(packshot, marketplaces=["amazon-us"]).reports

    failed = [rule for rule in grey.rules if rule.status == RULE_STATUS_FAIL]
    assert not grey.compliant and grey.verdict == VERDICT_REJECT
    assert "background_purity_clear" in {rule.measurement for rule in failed}
    assert all(rule.why and rule.action for rule in failed)
    assert white.compliant and white.verdict == VERDICT_PUBLISH


def test_a_packshot_in_is_hardly_changed(client: PackshotClient) -> None:
    first = client.process(product_photos.mug_jpeg()).results[0].images[0].content
    second = client.process(first).results[0]

    difference = np.abs(np.asarray(decoded(first), int) - np.asarray(decoded(second.images[0].content), int))
    assert second.report.placement.scale == pytest.approx(1, abs=0.01)
    assert difference.mean() < 1.0
