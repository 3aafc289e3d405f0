from dataclasses import replace

import numpy as np
import pytest

from services.common.color import srgb_to_linear
from services.compositor.canvas import render_canvas
from services.compositor.compose import Product, place
from services.compositor.debug import (
    LONGEST_PX,
    draw_foreground,
    draw_halo,
    draw_matte,
    draw_trimap,
    draw_worst_edge,
    explain_packshot,
    explain_product,
)
from services.compositor.layout import Box, CanvasSpec, Layout, bounding_box, fringe_box, plan_layout
from tests.helpers.composites import Image, Matte, compose, disc, solid
from tests.helpers.composites import draw_matte as draw_shape

SIDE = 300
RED, BLUE = (170, 40, 40), (40, 70, 170)
MATTE = draw_shape(SIDE, SIDE, disc(90, (150, 150)), blur_px=0.8)
PHOTO = compose(MATTE, solid(SIDE, SIDE, RED), solid(SIDE, SIDE, BLUE)).photo
CLEAN = Product(solid(SIDE, SIDE, RED), MATTE, bounding_box(MATTE), fringe_box(MATTE))
# As if nothing had been decontaminated at the bottom: the photo's own edge, some of it background.
FRINGED = replace(CLEAN, foreground=np.vstack([CLEAN.foreground[:200], PHOTO[200:]]))
AS_IT_IS = CanvasSpec(SIDE, SIDE, fill_ratio=0.6, keep_fill_from=2)


def halo_of(packshot: Image, alpha: Matte) -> Matte:
    """A stand-in for what was measured: 8 on the soft pixels of the lower right quarter."""
    halo = np.where((alpha > 0) & (alpha < 1), np.float32(8), np.float32(0))
    halo[: SIDE // 2] = 0
    halo[:, : SIDE // 2] = 0
    return halo


class TestMatteAndTrimap:
    def test_a_matte_is_grey_levels(self) -> None:
        drawn = draw_matte(MATTE)
        assert drawn.shape == (SIDE, SIDE) and drawn.dtype == np.uint8
        np.testing.assert_array_equal(drawn, np.rint(MATTE * 255))

    def test_a_trimap_is_unknown_along_the_edge_and_only_there(self) -> None:
        drawn = draw_trimap(MATTE)
        assert set(np.unique(drawn)) == {0, 128, 255}
        assert (drawn[150, 150], drawn[150, 150 + 90], drawn[10, 10]) == (255, 128, 0)

    def test_what_was_undecided_is_unknown(self) -> None:
        doubt = np.zeros((SIDE, SIDE), np.float32)
        doubt[140:160, 225:260] = 1
        assert np.count_nonzero(draw_trimap(MATTE, doubt) == 128) > np.count_nonzero(draw_trimap(MATTE) == 128)

    @pytest.mark.parametrize("shape", [(LONGEST_PX + 900, 300), (200, 3 * LONGEST_PX)])
    def test_large_ones_are_shrunk_and_the_band_stays_closed(self, shape: tuple[int, int]) -> None:
        matte = np.zeros(shape, np.float32)
        matte[50:-50, 60:-60] = 1
        trimap = draw_trimap(matte)
        assert max(trimap.shape) == max(draw_matte(matte).shape) == LONGEST_PX
        assert set(np.unique(trimap)) == {0, 128, 255}
        # From outside to inside, everywhere, there is no way but through the unknown.
        middle = trimap[trimap.shape[0] // 2]
        assert 128 in middle[: middle.size // 2] and 128 in middle[middle.size // 2 :]
        changes = np.abs(np.diff(trimap.astype(int), axis=0)), np.abs(np.diff(trimap.astype(int), axis=1))
        assert max(change.max() for change in changes) <= 128

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_an_empty_or_full_matte_and_a_single_pixel(self, value: float) -> None:
        for shape in ((40, 30), (1, 1)):
            matte = np.full(shape, value, np.float32)
            assert (draw_matte(matte) == 255 * value).all()
            assert (draw_trimap(matte) == 255 * value).all()


class TestForeground:
    def test_is_the_products_colour_inside_and_a_checkerboard_outside(self) -> None:
        drawn = draw_foreground(CLEAN.foreground, CLEAN.matte)
        assert drawn.shape == (SIDE, SIDE, 3) and drawn.dtype == np.uint8
        np.testing.assert_array_equal(drawn[150, 150], RED)
        greys = np.unique(drawn[:50].reshape(-1, 3), axis=0)
        assert len(greys) == 2 and (greys == greys[:, :1]).all()

    def test_the_edge_mixes_with_the_checkerboard_in_linear_light(self) -> None:
        half = np.full((16, 16), 0.5, np.float32)
        drawn = draw_foreground(np.full((16, 16, 3), RED, np.uint8), half)
        ground = draw_foreground(np.full((16, 16, 3), RED, np.uint8), np.zeros((16, 16), np.float32))
        expected = (srgb_to_linear(np.array(RED, np.uint8)) + srgb_to_linear(ground)) / 2
        np.testing.assert_allclose(srgb_to_linear(drawn), expected, atol=0.005)

    def test_hidden_colours_do_not_show_when_it_is_shrunk(self) -> None:
        matte = np.zeros((40, 2 * LONGEST_PX), np.float32)
        matte[:, ::2] = 1
        foreground = np.where(matte[..., None] > 0, np.array(RED, np.uint8), np.array((0, 255, 0), np.uint8))
        drawn = draw_foreground(foreground, matte)
        assert drawn.shape == (20, LONGEST_PX, 3)
        assert drawn[..., 1].max() <= drawn[..., 0].min()


class TestHalo:
    def test_heat_lies_on_a_dimmed_packshot_with_a_legend_below(self) -> None:
        _, packshot = place(CLEAN, CanvasSpec(800, 700))
        halo = np.zeros((700, 800), np.float32)
        halo[350, 100:140] = 15
        drawn = draw_halo(packshot.image, halo)
        assert drawn.shape[1] == 800 and drawn.shape[0] > 700 + 100
        red, _, blue = drawn[350, 120].astype(int)
        assert red > 200 and red > blue + 100
        dimmed = drawn[:300, :100]
        assert (dimmed == dimmed[..., :1]).all() and dimmed.max() < 128
        assert drawn[700:].max() > 200  # the legend is on paper

    def test_one_pixel_of_it_is_drawn_so_that_it_can_be_seen(self) -> None:
        halo = np.zeros((1800, 700), np.float32)
        halo[900, 300] = 20
        drawn = draw_halo(np.full((1800, 700, 3), 255, np.uint8), halo)[:1800]
        assert np.count_nonzero(drawn[..., 0] > drawn[..., 2].astype(int) + 50) >= 25

    def test_none_is_a_dimmed_packshot(self) -> None:
        drawn = draw_halo(np.full((900, 900, 3), 255, np.uint8), np.zeros((900, 900), np.float32))[:900]
        assert len(np.unique(drawn)) == 1

    @pytest.mark.parametrize("shape", [(1, 1), (64, 64), (10, 900), (3000, 1500)])
    def test_the_map_is_large_enough_for_its_legend_and_not_larger_than_said(self, shape: tuple[int, int]) -> None:
        drawn = draw_halo(np.full((*shape, 3), 255, np.uint8), np.zeros(shape, np.float32))
        assert drawn.shape[1] >= 640
        if max(shape) > LONGEST_PX:
            assert drawn.shape[1] == LONGEST_PX // 2


class TestWorstEdge:
    def test_shows_photo_and_packshot_at_the_place_with_the_most_halo(self) -> None:
        layout, packshot = place(CLEAN, AS_IT_IS)
        sheet = draw_worst_edge(PHOTO, packshot.image, packshot.alpha, halo_of(packshot.image, packshot.alpha), layout)
        # Two columns of 600 px: a canvas of 300 px at 200 %.
        top, left, gap = 104, 28, 16
        photo, made = sheet[top : top + 600, left : left + 600], sheet[top : top + 600, left + 616 : left + 1216]
        np.testing.assert_allclose(photo[4, 4], BLUE, atol=2)
        np.testing.assert_array_equal(made[4, 4], 255)
        assert gap == 616 - 600
        # The frame is around the lower right of the disc.
        rows, cols = np.nonzero((made == (230, 60, 30)).all(axis=2))
        assert rows.min() > 250 and cols.min() > 250
        close = sheet[-28 - 600 : -28, left + 616 : left + 1216]
        assert (close[5, 5] < 200).any() and (close[-5, -5] == 255).all()

    def test_the_photo_lies_exactly_as_the_packshot(self) -> None:
        """A packshot of all the photo, background included, is the photo again."""
        product = Product(PHOTO, np.ones((SIDE, SIDE), np.float32), Box(0, 0, SIDE, SIDE), Box(0, 0, SIDE, SIDE))
        canvas = CanvasSpec(480, 480, 0.8)
        layout = plan_layout(product.bbox, product.matte.shape, canvas)
        packshot = render_canvas(product.foreground, product.matte, layout, canvas)
        halo = np.zeros((480, 480), np.float32)
        halo[240, 300] = 9
        sheet = draw_worst_edge(PHOTO, packshot.image, packshot.alpha, halo, layout)
        photo, made = sheet[-508:-28, 28:508].astype(int), sheet[-508:-28, 524:1004].astype(int)
        assert np.abs(photo - made).max() <= 12  # one was resampled in linear light
        assert np.abs(photo - made).mean() < 0.5

    def test_without_halo_the_softest_stretch_is_shown(self) -> None:
        layout, packshot = place(CLEAN, AS_IT_IS)
        alpha = packshot.alpha.copy()
        alpha[40:60, 40:60] = 0.5
        sheet = draw_worst_edge(PHOTO, packshot.image, alpha, np.zeros((SIDE, SIDE), np.float32), layout)
        rows, cols = np.nonzero((sheet[104:704, 644:1244] == (230, 60, 30)).all(axis=2))
        assert rows.min() < 10 and rows.max() < 210
        assert cols.min() < 10 and cols.max() < 210

    @pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 1), (64, 500), (700, 90), (900, 1200)])
    def test_any_canvas(self, height: int, width: int) -> None:
        layout, packshot = place(CLEAN, CanvasSpec(width, height))
        sheet = draw_worst_edge(PHOTO, packshot.image, packshot.alpha, packshot.alpha, layout)
        assert sheet.dtype == np.uint8
        assert 800 < sheet.shape[0] < 1600
        assert 800 < sheet.shape[1] < 1700

    def test_beyond_the_photos_frame_there_is_a_flat_grey(self) -> None:
        """The product touches the frame, and the canvas shows what the photo does not."""
        layout = Layout((200 / 100), (0.0, 200.0), Box(0, 200, 200, 400), 0.5, 2.0, True)
        image = np.full((100, 100, 3), RED, np.uint8)
        halo = np.zeros((400, 400), np.float32)
        halo[100, 200] = 9
        sheet = draw_worst_edge(image, np.full((400, 400, 3), 255, np.uint8), halo, halo, layout)
        photo = sheet[104:504, 28:428]
        np.testing.assert_array_equal(photo[5, 205], RED)
        grey = photo[300, 5].astype(int)
        assert np.ptp(grey) <= 2 and 200 < grey.mean() < 230
        np.testing.assert_array_equal(photo[5, 5], photo[300, 300])


def test_a_fringe_left_on_the_packshot_is_hot_and_a_clean_edge_is_not() -> None:
    heat = []
    for product in (CLEAN, FRINGED):
        layout, packshot = place(product, AS_IT_IS)
        drawn = explain_packshot(PHOTO, product, layout, packshot, packshot.alpha)["halo"]
        factor = drawn.shape[1] // SIDE
        # The disc's lowest stretch, where the colours are the photo's own in one of them.
        lowest = drawn[230 * factor : 246 * factor, 140 * factor : 160 * factor]
        heat.append(int(lowest[..., 0].max()))
    clean, fringed = heat
    assert fringed > 180 > 120 > clean


def test_explaining_changes_nothing() -> None:
    layout, packshot = place(CLEAN, AS_IT_IS)
    before = PHOTO.copy(), CLEAN.matte.copy(), CLEAN.foreground.copy(), packshot.image.copy(), packshot.alpha.copy()
    assert list(explain_product(MATTE, None, CLEAN)) == ["matte", "trimap", "foreground"]
    assert list(explain_packshot(PHOTO, CLEAN, layout, packshot, packshot.alpha)) == ["halo", "worst-edge"]
    for old, new in zip(before, (PHOTO, CLEAN.matte, CLEAN.foreground, packshot.image, packshot.alpha), strict=True):
        np.testing.assert_array_equal(old, new)
