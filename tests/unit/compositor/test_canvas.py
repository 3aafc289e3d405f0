import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from services.common.color import ciede2000, srgb_to_lab
from services.common.photo import encode_jpeg
from services.compositor.canvas import Packshot, render_canvas
from services.compositor.layout import Box, CanvasSpec, Layout, bounding_box, fringe_box, plan_layout
from tests.helpers.composites import (
    Image,
    Matte,
    disc,
    draw_matte,
    mix,
    rectangle,
    ring,
    solid,
    star,
    stripes,
    texture,
)


def place(foreground: Image, matte: Matte, canvas: CanvasSpec) -> tuple[Layout, Packshot]:
    layout = plan_layout(bounding_box(matte), matte.shape, canvas, fringe=fringe_box(matte))
    return layout, render_canvas(foreground, matte, layout, canvas)


def test_background_is_exactly_white_and_only_background() -> None:
    matte = draw_matte(300, 300, ring(100, 60, (150, 140)), blur_px=1)
    _, packshot = place(texture(300, 300, (120, 60, 50), 10, 5), matte, CanvasSpec(400, 500))
    assert packshot.image.shape == (500, 400, 3)
    assert packshot.alpha.shape == (500, 400)
    assert np.all(packshot.image[packshot.alpha == 0] == 255)
    assert np.all(packshot.foreground[packshot.alpha == 0] == 0)
    assert packshot.alpha.max() == 1
    assert packshot.alpha[packshot.alpha > 0].min() >= 1 / 255
    assert np.all(packshot.image[250, 195:205] == 255)  # the hole


@pytest.mark.parametrize("scale", [0.37, 0.5, 0.8, 1.0, 1.7, 4.0])
def test_a_resampled_product_looks_as_if_drawn_at_that_size(scale: float) -> None:
    """Against the same shape drawn anew: within a small colour difference along its edge."""
    size = 300
    matte = draw_matte(size, size, disc(100, (150, 150)), blur_px=0.5)
    side = round(200 * scale / 0.87)
    canvas = CanvasSpec(side, side, keep_fill_from=2)
    layout, packshot = place(solid(size, size, (60, 40, 90)), matte, canvas)
    truth = draw_matte(side, side, disc(100 * layout.scale, (side / 2, side / 2)), blur_px=max(0.5, 0.6 * scale))
    expected = mix(solid(side, side, (60, 40, 90)), solid(side, side, (255, 255, 255)), truth)
    edge = ((truth > 0) & (truth < 1)) | ((packshot.alpha > 0) & (packshot.alpha < 1))
    difference = ciede2000(srgb_to_lab(packshot.image[edge]), srgb_to_lab(expected[edge]))
    assert difference.mean() < 4
    assert packshot.alpha.sum() == pytest.approx(truth.sum(), rel=0.01)


def test_solid_colour_stays_that_colour_up_to_the_last_pixel() -> None:
    """No fringe: neither kernel lobes nor transparent neighbours change a straight colour."""
    matte = draw_matte(200, 200, star(80, 40, 7, (100, 100)))
    colour = (37, 140, 200)
    foreground = solid(200, 200, (255, 0, 255))
    foreground[matte > 0] = colour
    for side in (90, 333):
        _, packshot = place(foreground, matte, CanvasSpec(side, side))
        visible = packshot.alpha > 0.02
        assert np.abs(packshot.foreground[visible] - np.array(colour, np.int16)).max() <= 2


def test_fine_dark_detail_keeps_its_light_when_shrunk() -> None:
    """Black and white stripes become the grey that reflects half of the light, sRGB 188, not 128."""
    foreground = stripes(400, 400, (255, 255, 255), (0, 0, 0), 4)
    matte = np.ones((400, 400), np.float32)
    _, packshot = place(foreground, matte, CanvasSpec(50, 50, fill_ratio=1))
    assert packshot.image[20:30, 20:30].mean() == pytest.approx(188, abs=6)


def test_a_photo_that_fits_is_not_resampled() -> None:
    photo = texture(120, 160, (120, 90, 60), 30, 1)
    _, packshot = place(photo, np.ones((120, 160), np.float32), CanvasSpec(160, 120))
    np.testing.assert_array_equal(packshot.image, photo)


@pytest.mark.parametrize(
    "box",
    [(10, 50, 90, 54), (48, 2, 52, 98), (0, 0, 100, 100), (0, 30, 40, 100)],
    ids=["tall", "wide", "full-frame", "touching-the-frame"],
)
def test_products_of_every_shape_are_centred_at_their_fill(box: tuple[int, int, int, int]) -> None:
    matte = draw_matte(100, 100, rectangle(*box))
    layout, packshot = place(solid(100, 100, (90, 30, 30)), matte, CanvasSpec(400, 400))
    found = bounding_box(packshot.alpha)
    assert found.centre == pytest.approx((200, 200), abs=0.5)
    assert max(found.height, found.width) == pytest.approx(400 * layout.fill_ratio, abs=1)
    assert found.height / layout.bbox.height == pytest.approx(1, abs=1.01 / layout.bbox.height)


def test_a_single_pixel_is_enlarged_to_the_middle_of_the_canvas() -> None:
    matte = draw_matte(100, 100, rectangle(20, 70, 21, 71))
    layout, packshot = place(solid(100, 100, (90, 30, 30)), matte, CanvasSpec(400, 400))
    found = bounding_box(packshot.alpha)
    assert layout.upscale_factor == pytest.approx(348)
    assert found.centre == pytest.approx((200, 200), abs=0.5)
    assert found.height == pytest.approx(348, rel=0.05)  # the kernel alone draws the edge of a pixel
    assert np.all(np.abs(packshot.foreground[packshot.alpha > 0.5] - np.array((90, 30, 30), np.int16)) <= 1)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(10, 60),
    st.floats(20, 100),
    st.floats(20, 100),
    st.integers(40, 300),
    st.integers(40, 300),
    st.floats(0.3, 1),
)
def test_rendered_products_stay_inside_centred_and_filled(
    radius: float, row: float, col: float, width: int, height: int, fill: float
) -> None:
    matte = draw_matte(120, 120, disc(radius, (row, col)), blur_px=0.8)
    canvas = CanvasSpec(width, height, fill, keep_fill_from=2)
    layout, packshot = place(solid(120, 120, (20, 40, 60)), matte, canvas)
    found = bounding_box(packshot.alpha)
    assert found.centre == pytest.approx((height / 2, width / 2), abs=1)
    assert max(found.height / height, found.width / width) == pytest.approx(
        layout.fill_ratio, abs=1.5 / min(width, height)
    )


def test_an_empty_matte_leaves_a_white_canvas() -> None:
    layout = plan_layout(Box(0, 0, 10, 10), (10, 10), CanvasSpec(20, 20))
    packshot = render_canvas(solid(10, 10, (1, 2, 3)), np.zeros((10, 10), np.float32), layout, CanvasSpec(20, 20))
    assert np.all(packshot.image == 255)


def test_jpeg_background_is_exactly_white_outside_the_blocks_the_product_touches() -> None:
    matte = draw_matte(300, 300, star(100, 50, 8, (150, 150)), blur_px=0.7)
    _, packshot = place(texture(300, 300, (40, 40, 60), 20, 3), matte, CanvasSpec(803, 805))
    decoded = np.asarray(PillowImage.open(io.BytesIO(encode_jpeg(packshot.image, 95))).convert("RGB"))
    height, width = packshot.alpha.shape
    padded = np.zeros((-(-height // 8) * 8, -(-width // 8) * 8), bool)
    padded[:height, :width] = packshot.alpha > 0
    touched = padded.reshape(padded.shape[0] // 8, 8, -1, 8).any(axis=(1, 3)).repeat(8, 0).repeat(8, 1)
    assert np.all(decoded[~touched[:height, :width]] == 255)
