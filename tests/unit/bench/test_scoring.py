"""Scores whose value follows from the geometry."""

import numpy as np
import pytest

from bench.scoring import boundary_f, iou, score_matte


def box(
    top: int, left: int, bottom: int, right: int, side: int = 1024
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros((side, side), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


WHOLE = box(200, 200, 800, 800)
EMPTY = box(0, 0, 0, 0)


def test_a_perfect_matte_scores_one() -> None:
    score = score_matte(WHOLE.astype(np.float32), WHOLE.astype(np.float32))
    assert (score.iou, score.boundary_f) == (1, 1)


def test_iou_is_shared_area_over_all_area() -> None:
    assert iou(WHOLE, box(200, 200, 800, 500)) == pytest.approx(0.5)
    assert iou(WHOLE, box(0, 0, 100, 100)) == 0
    assert iou(EMPTY, EMPTY) == 1


def test_an_edge_counts_within_three_pixels() -> None:
    assert boundary_f(WHOLE, box(203, 200, 800, 797)) > 0.995  # all but the corners
    assert boundary_f(WHOLE, box(204, 204, 796, 796)) == 0


def test_a_missed_half_costs_recall_and_an_invented_edge_precision() -> None:
    """Three of the half's sides lie on the true outline of four; the fourth is invented."""
    score = boundary_f(box(200, 200, 800, 500), WHOLE)
    precision, recall = 1200 / 1800, 1200 / 2400
    assert score == pytest.approx(2 * precision * recall / (precision + recall), abs=0.01)


def test_the_tolerance_is_at_a_fixed_size() -> None:
    """2 px of 256 are 8 px of 1024: too far."""
    assert boundary_f(box(50, 50, 200, 200, 256), box(52, 52, 198, 198, 256)) < 0.1


def test_no_boundary_agrees_with_none_only() -> None:
    assert boundary_f(EMPTY, EMPTY) == 1
    assert boundary_f(EMPTY, WHOLE) == 0
    assert boundary_f(WHOLE, EMPTY) == 0


def test_half_transparent_pixels_count_from_one_half() -> None:
    assert score_matte(WHOLE * np.float32(0.5), WHOLE.astype(np.float32)).iou == 1
    assert score_matte(WHOLE * np.float32(0.49), WHOLE.astype(np.float32)).iou == 0


def test_different_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match="same shape"):
        score_matte(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32))
