import numpy as np

from services.validator.measurements.pieces import piece_count


def test_separate_parts_are_counted() -> None:
    product = np.zeros((60, 60), np.uint8)
    product[5:25, 5:25] = 255
    product[30:55, 30:55] = 255
    assert piece_count(product) == 2


def test_parts_that_meet_at_a_corner_are_one() -> None:
    assert piece_count(np.eye(5, dtype=np.uint8)) == 1


def test_a_hole_does_not_part_a_product() -> None:
    product = np.full((30, 30), 255, np.uint8)
    product[10:20, 10:20] = 0
    assert piece_count(product) == 1


def test_crumbs_are_no_pieces() -> None:
    product = np.zeros((100, 100), np.uint8)
    product[10:70, 10:70] = 255
    product[90:93, 90:93] = 255
    assert piece_count(product) == 1


def test_nothing_has_no_pieces() -> None:
    assert piece_count(np.zeros((5, 5), np.uint8)) == 0


def test_a_large_canvas_is_seen_in_a_smaller_view() -> None:
    product = np.zeros((3000, 2000), np.uint8)
    product[100:1000, 100:1000] = 255
    product[1100:2900, 100:1900] = 255
    assert piece_count(product) == 2
