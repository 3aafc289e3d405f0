import numpy as np

from services.segmenter.pieces import Piece, find_pieces, touches_frame
from tests.helpers.composites import Matte


def blank() -> Matte:
    return np.zeros((50, 100), np.float32)


def test_pieces_come_largest_first_with_their_boxes() -> None:
    matte = blank()
    matte[5:10, 2:12] = 1
    matte[20:40, 30:80] = 0.5
    assert find_pieces(matte) == (Piece(20, 30, 40, 80, 0.2), Piece(5, 2, 10, 12, 0.01))


def test_pieces_that_touch_at_a_corner_are_one() -> None:
    matte = blank()
    matte[10:20, 10:20] = 1
    matte[20:30, 20:30] = 1
    assert [(p.top, p.left, p.bottom, p.right) for p in find_pieces(matte)] == [(10, 10, 30, 30)]


def test_crumbs_are_no_pieces() -> None:
    matte = blank()
    matte[20:40, 30:80] = 1
    matte[2, 2] = 1
    assert len(find_pieces(matte)) == 1


def test_an_empty_or_faint_matte_has_no_pieces() -> None:
    assert find_pieces(blank()) == ()
    assert find_pieces(blank() + np.float32(0.49)) == ()


def test_one_pixel_is_a_piece() -> None:
    assert find_pieces(np.ones((1, 1), np.float32)) == (Piece(0, 0, 1, 1, 1.0),)


def test_a_product_in_the_outermost_pixels_touches_the_frame() -> None:
    for row, col in ((0, 50), (49, 50), (25, 0), (25, 99)):
        matte = blank()
        matte[row, col] = 0.5
        assert touches_frame(matte)


def test_a_product_one_pixel_away_does_not() -> None:
    matte = blank()
    matte[1:-1, 1:-1] = 1
    assert not touches_frame(matte)
