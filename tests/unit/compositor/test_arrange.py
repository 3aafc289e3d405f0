import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compositor.arrange import Pieces, find_pieces, lay_out, pack_boxes
from services.compositor.errors import EmptyMatteError
from services.compositor.layout import Box, CanvasSpec, plan_layout
from tests.helpers.composites import Matte, disc, draw_matte, hairs, rectangle


def around(boxes: list[Box]) -> Box:
    return Box(
        min(box.top for box in boxes),
        min(box.left for box in boxes),
        max(box.bottom for box in boxes),
        max(box.right for box in boxes),
    )


@st.composite
def sets(draw: st.DrawFn) -> tuple[list[Box], CanvasSpec]:
    """Boxes somewhere on a photo, which may overlap as those of crossed pieces do, and a canvas."""
    boxes = []
    for _ in range(draw(st.integers(2, 8))):
        top, left = draw(st.integers(0, 3000)), draw(st.integers(0, 4000))
        boxes.append(Box(top, left, top + draw(st.integers(1, 900)), left + draw(st.integers(1, 900))))
    return boxes, CanvasSpec(draw(st.integers(64, 4000)), draw(st.integers(64, 4000)), draw(st.floats(0.3, 1)))


class TestPacking:
    @settings(max_examples=25, deadline=None)
    @given(sets())
    def test_no_box_is_lost_scaled_or_turned_and_none_overlaps_another(
        self, case: tuple[list[Box], CanvasSpec]
    ) -> None:
        boxes, canvas = case
        packed = pack_boxes(boxes, canvas, least_scale=1e-3)
        assert packed is not None
        assert [(box.height, box.width) for box in packed] == [(box.height, box.width) for box in boxes]
        for index, one in enumerate(packed):
            for other in packed[index + 1 :]:
                beside = one.right < other.left or other.right < one.left
                assert beside or one.bottom < other.top or other.bottom < one.top

    @settings(max_examples=25, deadline=None)
    @given(sets())
    def test_all_fit_into_the_fill_at_the_scale_asked_for_at_least(self, case: tuple[list[Box], CanvasSpec]) -> None:
        boxes, canvas = case
        asked = 1.05 * plan_layout(around(boxes), (4000, 5000), canvas).scale
        packed = pack_boxes(boxes, canvas, least_scale=asked)
        if packed is not None:  # else nothing is better than the photo's layout
            whole = around(packed)
            assert asked * whole.height <= canvas.fill_ratio * canvas.height_px + 1e-6
            assert asked * whole.width <= canvas.fill_ratio * canvas.width_px + 1e-6

    def test_equal_pieces_far_apart_come_together_in_the_photos_order(self) -> None:
        boxes = [Box(300, left, 900, left + 100) for left in (0, 700, 1500, 1900)]
        packed = pack_boxes(boxes, CanvasSpec(), least_scale=0.9)
        assert packed is not None
        assert [box.left for box in packed] == sorted(box.left for box in packed)
        assert len({box.top for box in packed}) == 1
        assert around(packed).width < 600

    def test_two_lines_stay_two_lines(self) -> None:
        boxes = [Box(top, left, top + 200, left + 200) for top in (0, 1500) for left in (0, 900, 1800)]
        packed = pack_boxes(boxes, CanvasSpec(), least_scale=0.9)
        assert packed is not None
        assert [box.top for box in packed[:3]] == [packed[0].top] * 3
        assert [box.top for box in packed[3:]] == [packed[3].top] * 3
        assert packed[0].bottom < packed[3].top
        assert packed[0].left < packed[1].left < packed[2].left

    def test_pieces_of_different_height_stand_on_one_line(self) -> None:
        boxes = [Box(1000 - height, left, 1000, left + 300) for left, height in ((0, 700), (900, 400), (1800, 550))]
        packed = pack_boxes(boxes, CanvasSpec(), least_scale=0.9)
        assert packed is not None
        assert len({box.bottom for box in packed}) == 1

    def test_a_short_line_is_centred(self) -> None:
        boxes = [Box(0, 0, 400, 900), Box(3000, 0, 3400, 400)]
        packed = pack_boxes(boxes, CanvasSpec(), least_scale=0.1)
        assert packed is not None
        assert packed[0].centre[1] == pytest.approx(packed[1].centre[1], abs=1)

    @pytest.mark.parametrize("count", [0, 1, 41])
    def test_one_piece_and_a_heap_of_them_are_not_packed(self, count: int) -> None:
        assert pack_boxes([Box(0, 0, 1, 1)] * count, CanvasSpec(), least_scale=1e-6) is None

    def test_a_scale_out_of_reach_is_none(self) -> None:
        assert pack_boxes([Box(0, 0, 9, 9), Box(0, 20, 9, 29)], CanvasSpec(), least_scale=100) is None


class TestPieces:
    def test_are_what_is_connected_in_reading_order(self) -> None:
        matte = np.maximum.reduce([scene(disc(20, centre)) for centre in ((150, 40), (50, 250), (52, 60), (150, 200))])
        pieces = find_pieces(matte)
        centres = [(round(box.centre[0]), round(box.centre[1])) for box in pieces.boxes]
        assert centres == [(52, 60), (50, 250), (150, 40), (150, 200)]
        assert [int(pieces.labels[centre]) for centre in centres] == [1, 2, 3, 4]
        assert np.all((pieces.labels > 0) == (matte >= 0.02))

    def test_a_hair_keeps_two_parts_together(self) -> None:
        apart = np.maximum(scene(disc(20, (100, 50))), scene(disc(20, (100, 150))))
        assert len(find_pieces(apart).boxes) == 2
        tied = np.maximum(apart, 0.1 * scene(rectangle(100, 50, 101, 150)))
        assert len(find_pieces(tied).boxes) == 1

    def test_a_gap_as_narrow_as_a_hole_in_the_matte_keeps_them_together(self) -> None:
        chain = np.maximum(scene(rectangle(100, 0, 103, 148)), scene(rectangle(100, 150, 103, 300)))
        assert len(find_pieces(chain).boxes) == 1

    def test_crumbs_go_with_the_nearest_piece(self) -> None:
        big, small = scene(disc(60, (100, 70))), scene(disc(20, (100, 230)))
        crumb = scene(disc(1.5, (100, 265)))
        pieces = find_pieces(np.maximum.reduce([big, small, crumb]))
        assert len(pieces.boxes) == 2
        assert np.all(pieces.labels[crumb >= 0.5] == 2)
        assert pieces.boxes[1].right == pytest.approx(266.5, abs=1)

    def test_hair_belongs_to_its_piece(self) -> None:
        wig = scene(hairs(30, 40, 60, 0.5, (100, 80), seed=3))
        pieces = find_pieces(np.maximum(wig, scene(disc(30, (100, 250)))))
        assert len(pieces.boxes) == 2
        assert np.all(pieces.labels[(wig >= 0.02)] == 1)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1)])
    def test_a_photo_one_pixel_wide_is_one_piece(self, shape: tuple[int, int]) -> None:
        assert find_pieces(np.ones(shape, np.float32)).boxes == (Box(0, 0, *shape),)

    def test_what_is_nowhere_solid_is_one_piece(self) -> None:
        faint = np.maximum(scene(disc(20, (100, 50))), scene(disc(20, (100, 200)))) * np.float32(0.3)
        assert len(find_pieces(faint).boxes) == 1

    def test_of_nothing_there_are_none(self) -> None:
        with pytest.raises(EmptyMatteError):
            find_pieces(np.zeros((5, 5), np.float32))


def test_moved_pieces_keep_every_pixel_and_leave_their_neighbours_behind() -> None:
    """Crossed pieces, whose boxes overlap."""
    long, round_ = scene(rectangle(20, 20, 180, 40)), scene(disc(25, (60, 80)))
    hook = scene(rectangle(150, 20, 170, 200))
    matte = np.maximum.reduce([long, hook, round_])
    foreground = np.random.default_rng(0).integers(0, 256, (*matte.shape, 3), np.uint8)
    pieces = find_pieces(matte)
    places = [Box(0, 300, box.height, 300 + box.width) if box.left > 40 else box for box in pieces.boxes]
    laid, laid_matte = lay_out(foreground, matte, pieces, places)
    assert laid.shape == (*laid_matte.shape, 3)
    assert sorted(laid_matte[laid_matte > 0]) == sorted(matte[matte >= 0.02])
    for number, place in enumerate(places, 1):
        own = pieces.labels == number
        rows, cols = np.nonzero(own)
        down = int(place.top - pieces.boxes[number - 1].top - min(p.top for p in places))
        right = int(place.left - pieces.boxes[number - 1].left - min(p.left for p in places))
        np.testing.assert_array_equal(laid[rows + down, cols + right], foreground[own])


def test_pieces_are_a_matter_of_the_matte_alone() -> None:
    matte = scene(disc(20, (100, 50)))
    before = matte.copy()
    assert isinstance(find_pieces(matte), Pieces)
    np.testing.assert_array_equal(matte, before)


def scene(draw: object) -> Matte:
    return draw_matte(200, 300, draw)  # type: ignore[arg-type]
