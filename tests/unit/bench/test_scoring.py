"""Scores whose value follows from the geometry."""

import numpy as np
import pytest

from bench.scoring import boundary_f, iou, mae, s_measure, score_matte, weighted_f


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
    assert score.mae == 0
    assert [score.weighted_f, score.s_measure] == pytest.approx([1, 1])


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


def test_mae_is_the_mean_difference() -> None:
    truth = box(0, 0, 8, 4, 8).astype(np.float32)
    assert mae(truth * np.float32(0.75), truth) == pytest.approx(0.125)
    assert mae(1 - truth, truth) == 1


LEFT_HALF = box(0, 0, 40, 20, 40)


def test_weighted_f_of_a_matte_that_finds_everything_everywhere() -> None:
    """Recall is 1; false pixels weigh 2 - 2^(-d/5), d columns from the product."""
    false_positive = 40 * sum(2 - 2 ** (-d / 5) for d in range(1, 21))
    precision = 800 / (800 + false_positive)
    assert weighted_f(np.ones((40, 40), np.float32), LEFT_HALF) == pytest.approx(2 * precision / (1 + precision))


def test_weighted_f_excuses_a_lone_error_by_its_neighbours() -> None:
    """One missed pixel inside: what is left of its error is its own share of the 7 x 7 blur."""
    matte = box(0, 0, 40, 40, 40).astype(np.float32)
    matte[20, 20] = 0
    weights = np.exp(-(np.arange(-3, 4) ** 2) / 50)
    recall = 1 - (weights[3] / weights.sum()) ** 2 / 1600
    assert weighted_f(matte, box(0, 0, 40, 40, 40)) == pytest.approx(2 * recall / (recall + 1), abs=1e-12)


def test_weighted_f_minds_a_far_error_more_than_a_near_one() -> None:
    near, far = (box(10, 10, 30, 30, 80) | box(10, left, 30, left + 4, 80) for left in (32, 70))
    assert weighted_f(far.astype(np.float32), box(10, 10, 30, 30, 80)) < weighted_f(
        near.astype(np.float32), box(10, 10, 30, 30, 80)
    )


def test_weighted_f_of_nothing() -> None:
    nothing = np.zeros((40, 40), np.float32)
    assert weighted_f(nothing, box(10, 10, 30, 30, 40)) == pytest.approx(0)
    assert weighted_f(nothing, np.zeros((40, 40), np.bool_)) == 1
    assert weighted_f(nothing + np.float32(0.1), np.zeros((40, 40), np.bool_)) == 0


def test_s_measure_of_an_even_grey() -> None:
    """Each side's mean is 0.5: object score 2·0.5 / (0.25 + 1) = 0.8. Left of the centroid, and in its column (11 of
    40), both are even: 1; right of it only the matte is: 0."""
    assert s_measure(np.full((40, 40), 0.5, np.float32), LEFT_HALF) == pytest.approx(0.5 * 0.8 + 0.5 * 11 / 40)


def test_s_measure_without_or_full_of_product_is_about_the_mean() -> None:
    matte = np.full((8, 8), 0.2, np.float32)
    assert s_measure(matte, np.zeros((8, 8), np.bool_)) == pytest.approx(0.8)
    assert s_measure(matte, np.ones((8, 8), np.bool_)) == pytest.approx(0.2)


def test_s_measure_of_one_pixel() -> None:
    truth = box(0, 0, 1, 1, 2)
    assert s_measure(truth.astype(np.float32), truth) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_weighted_f_and_s_measure_agree_with_the_papers_taken_literally(seed: int) -> None:
    """On a rectangle, where every pixel has exactly one nearest inside pixel."""
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, 8, 2)
    truth = np.zeros((18, 23), np.bool_)
    truth[top : top + rng.integers(1, 9), left : left + rng.integers(1, 14)] = True
    matte = rng.random(truth.shape).astype(np.float32)
    assert weighted_f(matte, truth) == pytest.approx(_weighted_f_literally(matte, truth), abs=1e-6)
    assert s_measure(matte, truth) == pytest.approx(_s_measure_literally(matte, truth), abs=1e-6)


def _weighted_f_literally(matte: np.ndarray, truth: np.ndarray) -> float:
    """Margolin et al., equations 6 to 12, pixel by pixel with the full A and B."""
    pixels = np.argwhere(np.ones_like(truth))
    inside = truth.ravel()
    error = np.abs(matte.astype(np.float64) - truth).ravel()
    distance = np.linalg.norm(pixels[:, None] - pixels[None, inside], axis=2)
    spread = error[inside][distance.argmin(axis=1)]  # errors of the nearest inside pixel
    offsets = np.arange(-3, 4)
    blur = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 5.0**2))
    blur /= blur.sum()
    excused = error.copy()
    for index, (row, col) in enumerate(pixels):
        if inside[index]:
            weight = np.zeros(truth.shape)
            for d_row, d_col in np.ndindex(7, 7):
                r, c = row + d_row - 3, col + d_col - 3
                if 0 <= r < truth.shape[0] and 0 <= c < truth.shape[1]:
                    weight[r, c] = blur[d_row, d_col]
            excused[index] = min(error[index], float(weight.ravel() @ spread))
    weighted = excused * np.where(inside, 1, 2 - 0.5 ** (distance.min(axis=1) / 5))
    true_positive, false_positive = float((1 - weighted[inside]).sum()), float(weighted[~inside].sum())
    recall, precision = 1 - float(weighted[inside].mean()), true_positive / (true_positive + false_positive)
    return 2 * recall * precision / (recall + precision)


def _s_measure_literally(matte: np.ndarray, truth: np.ndarray) -> float:
    """Fan et al., equations 1 to 9, with SSIM from covariance matrices."""
    matte = matte.astype(np.float64)
    sides = [(matte[truth], truth.mean()), (1 - matte[~truth], 1 - truth.mean())]
    by_object = sum(
        share * 2 * side.mean() / (side.mean() ** 2 + 1 + (np.std(side, ddof=1) if side.size > 1 else 0))
        for side, share in sides
    )
    centre = [int(np.floor(where.mean() + 1 + 0.5)) for where in np.nonzero(truth)]
    by_region = 0.0
    for rows in np.split(np.arange(truth.shape[0]), [centre[0]]):
        for cols in np.split(np.arange(truth.shape[1]), [centre[1]]):
            x, y = matte[np.ix_(rows, cols)].ravel(), truth[np.ix_(rows, cols)].ravel().astype(float)
            if x.size > 1:
                (var_x, cov), (_, var_y) = np.cov(x, y)
                bottom = (x.mean() ** 2 + y.mean() ** 2) * (var_x + var_y)
                ssim = 4 * x.mean() * y.mean() * cov / bottom if bottom else 1.0
                by_region += ssim * x.size / truth.size
    return max(0.0, float(0.5 * by_object + 0.5 * by_region))
