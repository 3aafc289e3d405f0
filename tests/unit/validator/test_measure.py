from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from services.common.photo import PhotoError, encode_jpeg, encode_png
from services.validator.catalogue import CATALOGUE, Measurements, Origin
from services.validator.measure import MeasureError, measure
from tests.helpers import composites

SIDE = 640


def packshot(half: float = 272, center: tuple[float, float] = (320, 320)) -> composites.Composite:
    """A product 2 × `half` high on white, half as wide, with some print."""
    row, col = center
    matte = composites.draw_matte(
        SIDE, SIDE, composites.rectangle(row - half, col - half / 2, row + half, col + half / 2), blur_px=0.4
    )
    foreground = composites.texture(SIDE, SIDE, (60, 110, 150), 3, 5)
    for step in range(160, 480, 40):
        cv2.rectangle(foreground, (270, step), (370, step + 20), (200, 180, 60), -1)
    return composites.compose(matte, foreground, composites.solid(SIDE, SIDE, (255, 255, 255)))


def encode(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def number(measurements: Measurements, name: str) -> float:
    value = measurements[name].value
    assert isinstance(value, float), f"{name}: {measurements[name].why_not}"
    return value


@pytest.mark.parametrize("with_matte", [True, False])
def test_a_good_packshot_measures_what_it_is(with_matte: bool) -> None:
    scene = packshot()
    data = encode_jpeg(scene.on_white(), 95)
    found = measure(data, matte=scene.matte if with_matte else None)
    assert number(found, "fill_ratio") == pytest.approx(0.85, abs=0.004)
    assert number(found, "bbox_area_share") == pytest.approx(0.85 * 0.425, abs=0.004)
    assert number(found, "background_purity") > 0.95
    assert number(found, "background_purity_clear") == 1
    assert number(found, "background_purity_tolerant") > 0.99
    assert number(found, "sharpness") > 0.6
    assert number(found, "halo") < 3
    assert number(found, "fringe_width") < 2.5
    assert "runs along the pixel grid" in found["jaggedness"].why_not
    assert number(found, "leftover_translucency") == 0
    assert number(found, "piece_count") == 1
    assert number(found, "touches_frame") == 0
    assert number(found, "border_share") == 0
    assert number(found, "file_size_bytes") == len(data)
    assert (found["format"].value, found["color_mode"].value) == ("JPEG", "RGB")


def test_everything_in_the_catalogue_has_a_value_or_a_reason() -> None:
    for data, matte in (
        (encode_jpeg(packshot().on_white()), packshot().matte),
        (encode_png(np.zeros((9, 9, 3), np.uint8)), None),
    ):
        found = measure(data, matte=matte)
        assert list(found) == list(CATALOGUE)
        for name, measurement in found.items():
            assert (measurement.value is None) == bool(measurement.why_not), name
            assert measurement.unit == CATALOGUE[name].unit


def test_what_a_person_has_to_look_for_is_said() -> None:
    found = measure(encode_jpeg(packshot().on_white()))
    for name, quantity in CATALOGUE.items():
        if quantity.origin is Origin.PERSON:
            assert found[name].value is None
            assert quantity.meaning in found[name].why_not


def test_the_same_file_measures_the_same_twice() -> None:
    data = encode_jpeg(packshot().on_white())
    assert measure(data) == measure(data)


def test_known_measurements_are_passed_on() -> None:
    found = measure(encode_jpeg(packshot().on_white()), known={"upscale_factor": 1.4, "source_touches_frame": 0})
    assert found["upscale_factor"].value == 1.4
    assert found["source_touches_frame"].value == 0
    assert measure(encode_jpeg(packshot().on_white()))["upscale_factor"].value is None


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"fill_ratio": 0.9}, "UNKNOWN_MEASUREMENT"),
        ({"luck": 1.0}, "UNKNOWN_MEASUREMENT"),
        ({"upscale_factor": float("nan")}, "BAD_MEASUREMENT"),
        ({"source_touches_frame": 0.5}, "BAD_MEASUREMENT"),
    ],
)
def test_wrong_known_measurements_are_errors(known: dict[str, float], reason: str) -> None:
    with pytest.raises(MeasureError) as caught:
        measure(encode_jpeg(packshot().on_white()), known=known)
    assert (caught.value.field, caught.value.reason) == ("known", reason)


def test_a_matte_of_another_size_is_an_error() -> None:
    with pytest.raises(MeasureError, match="the matte is 2×3, the image is 640×640") as caught:
        measure(encode_jpeg(packshot().on_white()), matte=np.zeros((3, 2), np.float32))
    assert (caught.value.field, caught.value.reason) == ("matte", "MATTE_SIZE_MISMATCH")


def test_bytes_that_are_no_image_are_an_error() -> None:
    with pytest.raises(PhotoError):
        measure(b"not an image")


@pytest.mark.parametrize(("level", "purity", "tolerant"), [(255, 1, 1), (254, 0, 1), (251, 0, 1), (240, 0, 0)])
def test_an_off_white_background_is_not_pure(level: int, purity: float, tolerant: float) -> None:
    scene = packshot()
    image = composites.mix(scene.foreground, composites.solid(SIDE, SIDE, (level,) * 3), scene.matte)
    found = measure(encode_png(image))
    for name in ("background_purity", "background_purity_clear"):
        assert number(found, name) == pytest.approx(purity, abs=0.02)
    assert number(found, "background_purity_tolerant") == pytest.approx(tolerant, abs=0.02)


def test_wisps_do_not_count_for_the_fill() -> None:
    matte = np.zeros((100, 100), np.float32)
    matte[20:80, 40:60] = 1
    matte[5:20, 50] = 0.3
    found = measure(encode_png(composites.solid(100, 100, (255, 255, 255))), matte=matte)
    assert number(found, "fill_ratio") == pytest.approx(0.6)


EDGE_MEASURES = ("halo", "fringe_width", "jaggedness", "leftover_translucency")


def test_a_product_that_does_not_stand_on_white_has_no_cut_edge() -> None:
    scene = packshot()
    image = composites.mix(scene.foreground, composites.solid(SIDE, SIDE, (120, 90, 60)), scene.matte)
    found = measure(encode_png(image), matte=scene.matte)
    for name in EDGE_MEASURES:
        assert found[name].why_not == "the product does not stand on white"


def test_an_outline_that_is_all_hair_or_too_short_says_so() -> None:
    matte = composites.draw_matte(SIDE, SIDE, composites.hairs(40, 240, 1500, 1.5, (320, 320)))
    image = composites.mix(composites.solid(SIDE, SIDE, (60, 40, 30)), composites.solid(SIDE, SIDE, (255,) * 3), matte)
    found = measure(encode_png(image), matte=matte)
    for name in ("fringe_width", "jaggedness"):
        assert "too little of the outline is plain" in found[name].why_not


@pytest.mark.parametrize("covered", [0.0, 1.0])
def test_the_smallest_image_there_can_be_is_measured(covered: float) -> None:
    found = measure(encode_png(composites.solid(2, 2, (255, 255, 255))), matte=np.full((2, 2), covered, np.float32))
    assert number(found, "fill_ratio") == covered
    for name in ("halo", "fringe_width", "jaggedness"):
        assert found[name].value is None


@pytest.mark.parametrize("color", [(0, 0, 0), (90, 140, 60), (128, 128, 128)])
def test_without_a_light_background_purity_is_zero_and_the_rest_unknown(color: tuple[int, int, int]) -> None:
    found = measure(encode_png(composites.solid(80, 60, color)))
    assert number(found, "background_purity") == 0
    for name in ("fill_ratio", "touches_frame", "piece_count", *EDGE_MEASURES):
        assert "no light background" in found[name].why_not


@pytest.mark.parametrize("matte", [None, np.zeros((60, 80), np.float32)], ids=["bytes", "empty matte"])
def test_an_all_white_image_has_no_product(matte: composites.Matte | None) -> None:
    found = measure(encode_png(composites.solid(60, 80, (255, 255, 255))), matte=matte)
    assert number(found, "fill_ratio") == 0
    assert number(found, "piece_count") == 0
    assert number(found, "background_purity") == 1
    for name in ("sharpness", *EDGE_MEASURES):
        assert found[name].why_not == "there is no product in the image"


def test_a_product_that_covers_the_canvas_leaves_no_background() -> None:
    found = measure(encode_png(composites.solid(60, 80, (9, 9, 9))), matte=np.ones((60, 80), np.float32))
    assert number(found, "fill_ratio") == 1
    assert number(found, "touches_frame") == 1
    assert "covers the whole canvas" in found["background_purity"].why_not


@pytest.mark.parametrize("with_matte", [True, False])
def test_a_product_across_the_frame_touches_it(with_matte: bool) -> None:
    scene = packshot(center=(60, 320))
    found = measure(encode_jpeg(scene.on_white()), matte=scene.matte if with_matte else None)
    assert number(found, "touches_frame") == 1


def test_transparency_serves_as_matte_and_is_not_white() -> None:
    scene = packshot()
    alpha = np.rint(scene.matte * 255).astype(np.uint8)
    found = measure(encode_png(np.dstack([scene.foreground, alpha])))
    assert number(found, "has_transparency") == 1
    assert number(found, "fill_ratio") == pytest.approx(0.85, abs=0.004)
    assert number(found, "background_purity") == 0
    assert found["color_mode"].value == "RGB"


def test_an_opaque_alpha_channel_is_no_transparency() -> None:
    image = np.dstack([packshot().on_white(), np.full((SIDE, SIDE), 255, np.uint8)])
    assert number(measure(encode_png(image)), "has_transparency") == 0


def test_a_cmyk_file_is_measured() -> None:
    data = encode(Image.fromarray(packshot().on_white()).convert("CMYK"), format="JPEG", quality=95)
    found = measure(data)
    assert found["color_mode"].value == "CMYK"
    assert number(found, "fill_ratio") == pytest.approx(0.85, abs=0.01)


def test_a_greyscale_file_is_measured() -> None:
    data = encode(Image.fromarray(packshot().on_white()).convert("L"), format="PNG")
    found = measure(data)
    assert found["color_mode"].value == "GREY"
    assert number(found, "background_purity_clear") == 1


def test_an_animation_is_seen() -> None:
    frames = [Image.new("RGB", (40, 40), (level, 0, 0)) for level in (10, 200)]
    data = encode(frames[0], format="GIF", save_all=True, append_images=frames[1:])
    found = measure(data)
    assert number(found, "is_animated") == 1
    assert found["format"].value == "GIF"


def test_the_smallest_image_is_measured() -> None:
    found = measure(encode_png(composites.solid(2, 2, (255, 255, 255))))
    assert number(found, "longest_side_px") == 2
    assert number(found, "background_purity") == 1
