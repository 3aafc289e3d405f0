"""Scores of a matte against a true one: region overlap, boundary agreement, and the field's soft measures.

All are computed as published, with the published constants, so that numbers can be laid beside those of papers.
Where a measure needs a binary truth, the true matte counts from one half.

References
----------
IoU: Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2015.
Boundary F: Martin, Fowlkes and Malik, "Learning to detect natural image boundaries", PAMI 2004; with the tolerance
as a fixed number of pixels at a fixed size, as in Csurka et al., BMVC 2013.
MAE: Perazzi et al., "Saliency Filters", CVPR 2012.
Weighted F: Margolin, Zelnik-Manor and Tal, "How to Evaluate Foreground Maps?", CVPR 2014.
S-measure: Fan et al., "Structure-measure: A New Way to Evaluate Foreground Maps", ICCV 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

BOUNDARY_SIDE_PX = 1024
BOUNDARY_TOLERANCE_PX = 3.0

# Of the weighted F-measure's published code: the blur that lets errors near each other excuse each other, and the
# distance from the product over which a false pixel's weight goes half of its way from 1 to 2.
_ERROR_BLUR_PX = 7
_ERROR_BLUR_SIGMA_PX = 5.0
_HALF_WAY_PX = 5.0


@dataclass(frozen=True, slots=True)
class Score:
    """How well one matte fits the true one; all numbers in [0, 1], 1 is best but for `mae`, where 0 is."""

    iou: float
    mae: float
    boundary_f: float
    weighted_f: float
    s_measure: float


def score_matte(matte: npt.NDArray[np.float32], truth: npt.NDArray[np.float32]) -> Score:
    """Score a matte (H, W) in [0, 1] against the true matte of the same shape.

    Raises:
        ValueError: when the shapes differ.
    """
    if matte.shape != truth.shape:
        raise ValueError(f"matte is {matte.shape}, truth is {truth.shape}; they must have the same shape")
    mask, true_mask = matte >= 0.5, truth >= 0.5
    return Score(
        iou=iou(mask, true_mask),
        mae=mae(matte, truth),
        boundary_f=boundary_f(mask, true_mask),
        weighted_f=weighted_f(matte, true_mask),
        s_measure=s_measure(matte, true_mask),
    )


def iou(mask: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """Intersection over union of two boolean masks (H, W); two empty masks agree fully (1.0)."""
    union = int(np.count_nonzero(mask | truth))
    return float(np.count_nonzero(mask & truth)) / union if union else 1.0


def mae(matte: npt.NDArray[np.float32], truth: npt.NDArray[np.float32]) -> float:
    """Mean absolute difference of two mattes (H, W) in [0, 1]."""
    return float(np.mean(np.abs(matte - truth), dtype=np.float64))


def boundary_f(
    mask: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_], tolerance_px: float = BOUNDARY_TOLERANCE_PX
) -> float:
    """Harmonic mean of boundary precision and recall, after both masks are brought to a longest side of 1024 px.

    A boundary pixel counts as found when the other boundary passes within `tolerance_px`.
    Two masks without any boundary agree fully (1.0); one with and one without do not agree at all (0.0).
    """
    mask_edge, truth_edge = (_boundary(_to_boundary_size(m)) for m in (mask, truth))
    if not mask_edge.any() and not truth_edge.any():
        return 1.0
    if not mask_edge.any() or not truth_edge.any():
        return 0.0
    precision = float(np.mean(_distance_to(truth_edge)[mask_edge] <= tolerance_px))
    recall = float(np.mean(_distance_to(mask_edge)[truth_edge] <= tolerance_px))
    return 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0


def weighted_f(matte: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_]) -> float:
    """Weighted F-measure (β = 1) of a matte (H, W) in [0, 1] against a boolean truth (H, W).

    Errors inside the product are excused where their neighbours are right; errors outside it weigh up to twice as
    much the farther away they are. The paper leaves an empty truth open: an empty matte then scores 1, any other 0.
    """
    if not truth.any():
        return 0.0 if matte.any() else 1.0
    error = np.abs(matte - truth, dtype=np.float64)
    distance, row, col = nearest_inside(truth)
    dependent = np.where(truth, error, error[row, col])
    kernel = cv2.getGaussianKernel(_ERROR_BLUR_PX, _ERROR_BLUR_SIGMA_PX)
    # The published code's imfilter sees zeros beyond the frame.
    dependent = np.asarray(cv2.sepFilter2D(dependent, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_CONSTANT))
    excused = np.where(truth, np.minimum(error, dependent), error)
    importance = np.where(truth, 1.0, 2.0 - np.exp(np.log(0.5) / _HALF_WAY_PX * distance))
    weighted = excused * importance
    true_positive = float(truth.sum() - weighted[truth].sum())
    false_positive = float(weighted[~truth].sum())
    recall = 1.0 - float(weighted[truth].mean())
    eps = float(np.finfo(np.float64).eps)
    precision = true_positive / (eps + true_positive + false_positive)
    return 2.0 * recall * precision / (eps + recall + precision)


def s_measure(matte: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_]) -> float:
    """Structure measure (α = 0.5) of a matte (H, W) in [0, 1] against a boolean truth (H, W).

    Half of it asks whether product and background are each even and unlike the other, half whether the four parts
    around the product's centroid look alike. An empty truth scores 1 - mean(matte), a full one mean(matte).
    """
    exact = matte.astype(np.float64)
    share = float(truth.mean())
    if share == 0.0:
        return 1.0 - float(exact.mean())
    if share == 1.0:
        return float(exact.mean())
    by_object = share * _evenness(exact[truth]) + (1.0 - share) * _evenness(1.0 - exact[~truth])
    return max(0.0, 0.5 * by_object + 0.5 * _alike_by_parts(exact, truth))


def _evenness(values: npt.NDArray[np.float64]) -> float:
    """How near to 1 and how even the values of one side are."""
    mean = float(values.mean())
    deviation = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return 2.0 * mean / (mean * mean + 1.0 + deviation + float(np.finfo(np.float64).eps))


def _alike_by_parts(matte: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> float:
    """Structural similarity of the parts above and below, left and right of the truth's centroid, by their area."""
    rows, cols = np.nonzero(truth)
    # The published code counts pixels from 1 and rounds halves up; a part ends with the centroid's row and column.
    row, col = (int(np.floor(where.mean() + 1.5)) for where in (rows, cols))
    total = 0.0
    for part_rows in (slice(None, row), slice(row, None)):
        for part_cols in (slice(None, col), slice(col, None)):
            part = matte[part_rows, part_cols]
            if part.size:
                total += part.size * _similarity(part, truth[part_rows, part_cols].astype(np.float64))
    return total / matte.size


def _similarity(matte: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> float:
    """SSIM of two whole parts, without stabilising constants."""
    freedom = matte.size - 1 + float(np.finfo(np.float64).eps)
    mean, true_mean = float(matte.mean()), float(truth.mean())
    off, true_off = matte - mean, truth - true_mean
    alike = 4.0 * mean * true_mean * float((off * true_off).sum()) / freedom
    spread = (mean**2 + true_mean**2) * float((off**2).sum() + (true_off**2).sum()) / freedom
    if alike != 0.0:
        return alike / (spread + float(np.finfo(np.float64).eps))
    return 1.0 if spread == 0.0 else 0.0


def nearest_inside(
    mask: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For each pixel the distance in px to the nearest inside one, and that one's row and column.

    The chamfer metric that finds the nearest orders distances as Euclid does as far as the blur reaches.
    """
    _, label = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, cols = np.nonzero(mask)
    by_label = np.zeros(int(label.max()) + 1, np.intp)
    by_label[label[rows, cols]] = np.arange(len(rows))
    nearest = by_label[label]
    return _distance_to(mask), rows[nearest], cols[nearest]


def _to_boundary_size(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    height, width = mask.shape
    scale = BOUNDARY_SIDE_PX / max(height, width)
    if scale == 1.0:
        return mask
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(resized >= 0.5)


def _boundary(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Inside pixels with an outside 4-neighbour; the frame itself is no boundary."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inside = cv2.erode(mask.astype(np.uint8), cross, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mask & (inside == 0))


def _distance_to(edge: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    distance = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, dtype=np.float32)
