"""Scores of a matte against a true one: region overlap and boundary agreement.

Both are the ones the reference tables in the README use, so numbers can be laid side by side.

References
----------
IoU: Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2015.
Boundary F: Martin, Fowlkes and Malik, "Learning to detect natural image boundaries", PAMI 2004; with the tolerance
as a fixed number of pixels at a fixed size, as in Csurka et al., BMVC 2013.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

BOUNDARY_SIDE_PX = 1024
BOUNDARY_TOLERANCE_PX = 3.0


@dataclass(frozen=True, slots=True)
class Score:
    """How well one matte fits the true one; both numbers in [0, 1]."""

    iou: float
    boundary_f: float


def score_matte(matte: npt.NDArray[np.float32], truth: npt.NDArray[np.float32]) -> Score:
    """Score a matte (H, W) in [0, 1] against the true matte of the same shape.

    Raises:
        ValueError: when the shapes differ.
    """
    if matte.shape != truth.shape:
        raise ValueError(f"matte is {matte.shape}, truth is {truth.shape}; they must have the same shape")
    return Score(iou=iou(matte >= 0.5, truth >= 0.5), boundary_f=boundary_f(matte >= 0.5, truth >= 0.5))


def iou(mask: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """Intersection over union of two boolean masks (H, W); two empty masks agree fully (1.0)."""
    union = int(np.count_nonzero(mask | truth))
    return float(np.count_nonzero(mask & truth)) / union if union else 1.0


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
