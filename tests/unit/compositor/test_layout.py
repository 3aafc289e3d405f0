import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compositor.errors import EmptyMatteError
from services.compositor.layout import Box, CanvasSpec, bounding_box, fringe_box, plan_layout
from tests.helpers.composites import disc, draw_matte


@st.composite
def products(draw: st.DrawFn) -> tuple[Box, Box, tuple[int, int], CanvasSpec]:
    """A photo size, a product box in it, a fringe around the product, and a canvas."""
    height, width = draw(st.integers(1, 6000)), draw(st.integers(1, 6000))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bbox = Box(top, left, draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width)))
    fringe = Box(
        draw(st.integers(0, top)),
        draw(st.integers(0, left)),
        draw(st.integers(int(bbox.bottom), height)),
        draw(st.integers(int(bbox.right), width)),
    )
    canvas = CanvasSpec(draw(st.integers(1, 4000)), draw(st.integers(1, 4000)), draw(st.floats(0.05, 1)))
    return bbox, fringe, (height, width), canvas


@given(products())
def test_product_and_fringe_never_leave_the_canvas(case: tuple[Box, Box, tuple[int, int], CanvasSpec]) -> None:
    bbox, fringe, shape, canvas = case
    layout = plan_layout(bbox, shape, canvas, fringe=fringe)
    slack = 1e-6 * max(canvas.width_px, canvas.height_px)
    assert layout.scale * fringe.top + layout.offset[0] >= -slack
    assert layout.scale * fringe.left + layout.offset[1] >= -slack
    assert layout.scale * fringe.bottom + layout.offset[0] <= canvas.height_px + slack
    assert layout.scale * fringe.right + layout.offset[1] <= canvas.width_px + slack


@given(products())
def test_product_is_centred_and_keeps_its_shape(case: tuple[Box, Box, tuple[int, int], CanvasSpec]) -> None:
    bbox, fringe, shape, canvas = case
    layout = plan_layout(bbox, shape, canvas, fringe=fringe)
    assert layout.bbox.centre == pytest.approx((canvas.height_px / 2, canvas.width_px / 2), abs=1e-3)
    assert layout.bbox.height == pytest.approx(layout.scale * bbox.height, abs=1e-3)
    assert layout.bbox.width == pytest.approx(layout.scale * bbox.width, abs=1e-3)


@given(products())
def test_fill_is_on_target_unless_kept_or_held_back_by_the_fringe(
    case: tuple[Box, Box, tuple[int, int], CanvasSpec],
) -> None:
    bbox, _, shape, canvas = case
    layout = plan_layout(bbox, shape, canvas)
    fill = max(layout.bbox.width / canvas.width_px, layout.bbox.height / canvas.height_px)
    assert layout.fill_ratio == pytest.approx(fill)
    if layout.rescaled:
        assert fill == pytest.approx(canvas.fill_ratio)
    else:
        assert canvas.keep_fill_from <= fill <= 1 + 1e-9


@pytest.mark.parametrize(
    ("bbox", "longer_side_px"),
    [
        (Box(100, 100, 900, 140), "height"),  # 1:20
        (Box(100, 100, 140, 900), "width"),  # 20:1
        (Box(500, 500, 501, 501), "height"),  # a single pixel
        (Box(200, 300, 600, 700), "height"),
    ],
)
def test_dominant_axis_covers_87_percent(bbox: Box, longer_side_px: str) -> None:
    layout = plan_layout(bbox, (1000, 1000), CanvasSpec())
    assert getattr(layout.bbox, longer_side_px) == pytest.approx(1740)
    assert layout.fill_ratio == pytest.approx(0.87)
    assert layout.rescaled


def test_enlarging_is_reported_and_shrinking_is_not_called_enlarging() -> None:
    assert plan_layout(Box(0, 0, 174, 100), (1000, 1000), CanvasSpec()).upscale_factor == pytest.approx(10)
    assert plan_layout(Box(0, 0, 3480, 100), (8000, 8000), CanvasSpec()).upscale_factor == 1


def test_a_product_that_already_fills_the_photo_keeps_its_fill() -> None:
    layout = plan_layout(Box(50, 200, 950, 800), (1000, 1000), CanvasSpec())
    assert not layout.rescaled
    assert layout.fill_ratio == pytest.approx(0.9)
    assert layout.scale == pytest.approx(2)
    assert layout.bbox.centre == pytest.approx((1000, 1000))


def test_keeping_is_judged_by_the_fill_the_whole_photo_has_on_this_canvas() -> None:
    # Filling the width of a tall photo is not filling a square canvas.
    layout = plan_layout(Box(1200, 50, 1800, 950), (3000, 1000), CanvasSpec())
    assert layout.rescaled
    assert layout.fill_ratio == pytest.approx(0.87)


def test_keeping_can_be_switched_off() -> None:
    layout = plan_layout(Box(50, 200, 950, 800), (1000, 1000), CanvasSpec(keep_fill_from=2))
    assert layout.rescaled
    assert layout.fill_ratio == pytest.approx(0.87)


def test_long_hair_makes_the_product_smaller_rather_than_be_cropped() -> None:
    layout = plan_layout(Box(400, 400, 600, 600), (1000, 1000), CanvasSpec(), fringe=Box(400, 400, 600, 900))
    assert layout.scale * 900 + layout.offset[1] == pytest.approx(2000)
    assert layout.fill_ratio < 0.87
    assert layout.bbox.centre == pytest.approx((1000, 1000))


def test_bounding_box_goes_round_what_is_at_least_half_opaque() -> None:
    matte = np.zeros((10, 20), np.float32)
    matte[2:5, 3:9] = 1
    assert bounding_box(matte) == Box(2, 3, 5, 9)
    matte[5, 3:9] = 0.75
    assert bounding_box(matte).bottom == pytest.approx(5.5 + 1 / 3)
    matte[5, 3:9] = 0.25
    assert bounding_box(matte).bottom == pytest.approx(4.5 + 2 / 3)


def test_bounding_box_follows_an_edge_by_fractions_of_a_pixel() -> None:
    for radius in (20.0, 20.3, 20.6, 20.9):
        box = bounding_box(draw_matte(60, 60, disc(radius, (30, 30)), blur_px=0.7))
        assert (box.height / 2, box.width / 2) == pytest.approx((radius, radius), abs=0.25)


def test_fringe_box_goes_round_everything_visible() -> None:
    matte = np.zeros((10, 20), np.float32)
    matte[3, 4] = 0.1
    matte[9, 19] = 0.01
    assert fringe_box(matte) == Box(3, 4, 4, 5)
    with pytest.raises(EmptyMatteError):
        fringe_box(np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("level", [0.0, 0.49])
def test_a_matte_without_product_has_no_bounding_box(level: float) -> None:
    with pytest.raises(EmptyMatteError, match=r"no pixel of the matte reaches 0\.5") as caught:
        bounding_box(np.full((4, 4), level, np.float32))
    assert caught.value.reason == "NO_PRODUCT"


@pytest.mark.parametrize(
    ("field", "value"),
    [("width_px", 0), ("height_px", -3), ("fill_ratio", 0.0), ("fill_ratio", 1.1), ("keep_fill_from", 0.0)],
)
def test_a_canvas_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        CanvasSpec(**{field: value})  # type: ignore[arg-type]
