import numpy as np
import pytest

from services.compositor import drawing


def test_a_checkerboard_has_two_greys_in_tiles() -> None:
    board = drawing.checkerboard(5, 7, tile_px=2)
    assert board.shape == (5, 7, 3)
    light, dark = board[0, 0, 0], board[0, 2, 0]
    assert light > dark
    np.testing.assert_array_equal(board[:2, :2], light)
    np.testing.assert_array_equal(board[2:4, :2], dark)
    np.testing.assert_array_equal(board[4:, 6:], dark)


def test_heat_gets_brighter_up_to_the_hottest_and_stays() -> None:
    colours = drawing.heat(np.array([[0, 5, 10, 20, 90]], np.float32), hottest=20)
    brightness = colours[0].astype(int).sum(axis=1)
    assert (np.diff(brightness)[:3] > 0).all()
    np.testing.assert_array_equal(colours[0, 3], colours[0, 4])
    red, _, blue = colours[0, 2]
    assert red > blue  # RGB, not BGR


def test_enlarging_makes_squares() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = drawing.enlarge(picture, 3)
    assert large.shape == (6, 6, 3)
    np.testing.assert_array_equal(large[3:, :3], np.broadcast_to(picture[1, 0], (3, 3, 3)))


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((100, 50), (100, 50)),
        ((400, 100), (100, 25)),
        ((1, 1000), (1, 100)),
        ((200, 300, 3), (67, 100, 3)),
    ],
)
def test_shrinking_keeps_the_aspect_and_never_enlarges(shape: tuple[int, ...], small: tuple[int, ...]) -> None:
    assert drawing.shrink_to(np.zeros(shape, np.uint8), 100).shape == small


def test_an_outline_runs_inside_of_its_box() -> None:
    sheet = np.zeros((20, 20, 3), np.uint8)
    drawing.outline(sheet, 4, 4, 12, 14, (255, 0, 0), thick_px=2)
    assert sheet[4:6, 4:14, 0].all() and sheet[10:12, 4:14, 0].all()
    assert sheet[4:12, 4:6, 0].all() and sheet[4:12, 12:14, 0].all()
    assert not sheet[6:10, 6:12].any()
    assert not sheet[:4].any() and not sheet[12:].any()


def test_an_outline_beyond_the_sheet_is_cut_and_a_tiny_one_filled() -> None:
    sheet = np.zeros((10, 10, 3), np.uint8)
    drawing.outline(sheet, -5, -5, 3, 30, (9, 9, 9))
    drawing.outline(sheet, 8, 8, 9, 9, (7, 7, 7))
    assert sheet[0, 0, 0] == 9
    assert sheet[8, 8, 0] == 7
    assert not sheet[4:8].any()


def test_words_stand_on_their_baseline_and_are_as_wide_as_said() -> None:
    sheet = np.full((60, 400, 3), 255, np.uint8)
    drawing.write(sheet, "ΔE00 ≥ 10", 20, 40, 24, (0, 0, 0))
    rows, cols = np.nonzero(sheet[..., 0] < 128)
    assert 38 <= rows.max() <= 41
    assert rows.min() > 15
    assert 20 <= cols.min() <= 24
    assert cols.max() - 20 == pytest.approx(drawing.text_width("ΔE00 ≥ 10", 24), abs=4)
