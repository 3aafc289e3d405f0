"""A proposal that needs no weights.

Several simple explanations of the photo compete: what stands out from the frame's border, what two colour models
separate, what fills the middle, what a smooth backdrop does not explain. Each is brought to a clean outline by a graph
cut at a small size and judged by how well its outline lies on edges, how it sits in the frame and how far the others
agree. The winner is cut once more, along its outline, at the working size.

References
----------
Rother, Kolmogorov and Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts", SIGGRAPH 2004.
Carreira and Sminchisescu, "CPMC: Automatic Object Segmentation Using Constrained Parametric Min-Cuts", PAMI 34(7),
2012: many cuts from different seeds, ranked by properties of the shapes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.background import Background, describe_background, rim
from services.segmenter.color_model import palette, separate
from services.segmenter.graph_cut import grab_cut
from services.segmenter.masks import grow, resize, scale_roi, shrink, soft_iou, to_lab, without_fragments, working_size
from services.segmenter.plain_background import PlainSeparation, separate_plain
from services.segmenter.proposal import Proposal, Roi
from services.segmenter.saliency import saliency
from services.segmenter.superpixels import Superpixels, gradient_magnitude, superpixels

_HYPOTHESIS_SIDE_PX = 192
_WORKING_SIDE_PX = 320
_REGIONS = 300
_CENTRE_SIGMA = 0.33  # share of the frame
_ELLIPSE_SIGMA = 0.3
_CUT_ROUNDS = 3
_CUTS_AT_ONCE = 2
_VOTE_SCALE = 0.05  # difference in score that costs a hypothesis most of its say
_BAND_SHARE = 0.02  # of the longest side, on either side of the outline
_MAX_CARVED_SHARE = 0.15  # of the winner that the field may call background
_MAX_ADDED_SHARE = 0.08  # of the winner that the field may add,
_MAX_ADDED_SHARE_SPOTLESS = 0.5  # and that it may add where
_SPOTLESS_RIM_SHARE = 0.97  # of the rim follows it
_MIN_FRAGMENT_SHARE = 0.15  # of the largest piece
_MIN_PRODUCT_SHARE = 0.0008  # of the frame
_MIN_CONTRAST_DELTA_E = 2.5  # a frame that varies less than this holds nothing to see


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One explanation of the photo: bool (H, W) at the hypotheses' size, and how plausible it is."""

    name: str
    mask: NDArray[np.bool_]
    score: float = 0.0


class ClassicalProposer:
    """Proposes a matte from the photo alone. Stateless and deterministic.

    The confidence of its proposal is its self-consistency: the mean overlap (IoU) of the winning hypothesis with
    the others.
    """

    name = "classical"

    def propose(self, image: NDArray[np.uint8], roi: Roi | None = None) -> Proposal:
        source = (image.shape[0], image.shape[1])
        small = resize(image, *working_size(*source, _HYPOTHESIS_SIDE_PX))
        lab = to_lab(small)
        height, width = lab.shape[:2]
        outside = rim(height, width, scale_roi(roi, source, (height, width)))
        background = describe_background(lab, outside)
        if _is_featureless(lab):
            return Proposal(self.name, np.zeros((height, width), np.float32), 0.0)

        plain = separate_plain(lab, background, outside) if background.is_plain else None
        ranked = _rank(_hypotheses(small, lab, outside, plain), lab)
        if not ranked:
            return Proposal(self.name, np.zeros((height, width), np.float32), 0.0)
        best = ranked[0].mask if background.is_plain else _vote(ranked)
        matte = self._cut_at_working_size(image, roi, best, background)
        return Proposal(self.name, matte, _consistency(ranked))

    def _cut_at_working_size(
        self, image: NDArray[np.uint8], roi: Roi | None, mask: NDArray[np.bool_], background: Background
    ) -> NDArray[np.float32]:
        source = (image.shape[0], image.shape[1])
        height, width = working_size(*source, _WORKING_SIDE_PX)
        work = resize(image, height, width)
        outside = rim(height, width, scale_roi(roi, source, (height, width)))
        product = resize(mask.astype(np.float32), height, width) >= 0.5
        band = max(2, round(_BAND_SHARE * max(height, width)))
        plain = separate_plain(to_lab(work), background, outside) if background.is_plain else None
        if plain is not None and np.count_nonzero(product & plain.background) > _MAX_CARVED_SHARE * product.sum():
            plain = None  # it leaked into a product of the backdrop's own colour
        if plain is not None and background.is_clean:
            missed = plain.certain & ~product
            most = _MAX_ADDED_SHARE_SPOTLESS if background.rim_share >= _SPOTLESS_RIM_SHARE else _MAX_ADDED_SHARE
            if np.count_nonzero(missed) <= most * product.sum():
                product = product | missed  # thin parts, such as wires and hooks
            product = product & ~(plain.background | plain.holes)
        trimap = np.where(product, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        trimap[shrink(product, band)] = cv2.GC_FGD
        trimap[~grow(product, band)] = cv2.GC_BGD
        if plain is not None:
            trimap[shrink(plain.background, 1) & ~shrink(product, band)] = cv2.GC_BGD
            trimap[shrink(plain.holes, 1)] = cv2.GC_BGD
        trimap[outside] = cv2.GC_BGD
        if roi is None:
            # The rim was only presumed to be background: where the product runs into it, the cut may take it.
            trimap[outside & _continued(product, outside)] = cv2.GC_PR_FGD
        cut = grab_cut(work, trimap, rounds=2)
        return without_fragments(cut, _MIN_FRAGMENT_SHARE).astype(np.float32)


def _continued(mask: NDArray[np.bool_], outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask with what it has just inside the rim continued straight out to the frame."""
    inside = np.flatnonzero(~outside.all(axis=1)), np.flatnonzero(~outside.all(axis=0))
    if min(len(inside[0]), len(inside[1])) < 3:
        return mask
    top, bottom = int(inside[0][0]) + 1, int(inside[0][-1])
    left, right = int(inside[1][0]) + 1, int(inside[1][-1])
    margins = ((top, mask.shape[0] - bottom), (left, mask.shape[1] - right))
    return np.pad(mask[top:bottom, left:right], margins, mode="edge")


def _is_featureless(lab: NDArray[np.float32]) -> bool:
    return float(np.linalg.norm(lab - np.median(lab, axis=(0, 1)), axis=2).max()) < _MIN_CONTRAST_DELTA_E


def _hypotheses(
    image: NDArray[np.uint8],
    lab: NDArray[np.float32],
    outside: NDArray[np.bool_],
    plain: PlainSeparation | None,
) -> list[Hypothesis]:
    """Explanations of the photo at the hypotheses' size, each after a graph cut."""
    height, width = lab.shape[:2]
    regions = superpixels(to_lab(cv2.bilateralFilter(image, 5, 25, 5)), _REGIONS)
    salient = saliency(regions, outside)
    salient_px = regions.paint(salient)
    threshold = _otsu(salient_px)
    ellipse = _centred(height, width)
    starts = {
        "salient": _seeds(salient_px, threshold, outside),
        "salient-wide": _seeds(salient_px, 0.7 * threshold, outside),
        "colors": _seeds(0.1 + 0.8 * _separated(regions, lab, salient, outside), 0.5, outside),
        "centre": _seeds(ellipse, 0.6, outside),
    }
    if plain is not None and plain.product.any():
        seeds = np.where(plain.product, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        seeds[shrink(plain.product, 5)] = cv2.GC_FGD
        seeds[shrink(plain.background, 1) | outside] = cv2.GC_BGD
        starts["field"] = seeds

    def after_cut(name: str) -> Hypothesis:
        return Hypothesis(name, without_fragments(grab_cut(image, starts[name], _CUT_ROUNDS), _MIN_FRAGMENT_SHARE))

    # A cut is one core's work, without Python's lock.
    with ThreadPoolExecutor(_CUTS_AT_ONCE) as pool:
        found = list(pool.map(after_cut, starts))
    return [hypothesis for hypothesis in found if _MIN_PRODUCT_SHARE <= hypothesis.mask.mean() <= 0.95]


def _separated(
    regions: Superpixels,
    lab: NDArray[np.float32],
    salient: NDArray[np.float32],
    outside: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Product probability (H, W) by two colour models that start from what is salient and central."""
    centred = np.exp(-((regions.positions - 0.5) ** 2).sum(axis=1) / (2 * _CENTRE_SIGMA**2))
    start = salient * centred
    start = start / max(float(start.max()), 1e-6)
    threshold = _otsu(regions.paint(start))
    start = 1 / (1 + np.exp(-8 * (start - threshold) / max(threshold, 0.1)))
    prior = 2 * (centred - 0.5) + 1.5 * (start - 0.5)
    held = regions.share_of(outside) > 0.25
    return regions.paint(separate(regions, palette(lab), lab, start, prior, held))


def _centred(height: int, width: int) -> NDArray[np.float32]:
    rows = ((np.arange(height) + 0.5) / height - 0.5)[:, None] / _ELLIPSE_SIGMA
    cols = ((np.arange(width) + 0.5) / width - 0.5)[None, :] / _ELLIPSE_SIGMA
    return np.exp(-(rows**2 + cols**2) / 2).astype(np.float32)


def _otsu(values: NDArray[np.float32]) -> float:
    bytes_ = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(bytes_, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(threshold) / 255


def _seeds(probability: NDArray[np.float32], threshold: float, outside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """GrabCut's labels: probable product above the threshold, probable background below, sure where far below."""
    seeds = np.where(probability >= threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[(probability < 0.1 * threshold) | outside] = cv2.GC_BGD
    return seeds


def _rank(hypotheses: list[Hypothesis], lab: NDArray[np.float32]) -> list[Hypothesis]:
    """Best first. The weights are a least-squares fit, rounded, of the true IoU on composites made for tuning."""
    gradient = gradient_magnitude(lab)
    order = np.sort(gradient.ravel())

    def score(hypothesis: Hypothesis) -> float:
        mask = hypothesis.mask
        outline = mask & ~shrink(mask, 1)
        edge_rank = float(np.searchsorted(order, gradient[outline]).mean()) / order.size
        rows, cols = np.nonzero(mask)
        off_centre = float(np.hypot(rows.mean() / mask.shape[0] - 0.5, cols.mean() / mask.shape[1] - 0.5))
        hull = cv2.convexHull(np.stack([cols, rows], axis=1).astype(np.int32))
        solidity = mask.sum() / max(cv2.contourArea(hull) + len(hull), 1.0)
        support = float(np.mean([_overlap(mask, other.mask) for other in hypotheses if other is not hypothesis] or [0]))
        return float(
            1.3 * edge_rank
            - 2.2 * off_centre
            + 0.3 * min(solidity, 1.0)
            + 0.6 * support
            + 0.5 * float(np.sqrt(mask.mean()))
            + 0.07 * (hypothesis.name == "field")
        )

    scored = [replace(hypothesis, score=score(hypothesis)) for hypothesis in hypotheses]
    return sorted(scored, key=lambda hypothesis: hypothesis.score, reverse=True)


def _vote(ranked: list[Hypothesis]) -> NDArray[np.bool_]:
    """Majority of the hypotheses, where those that score nearly as well as the best have nearly its weight."""
    weights = np.exp(np.array([hypothesis.score - ranked[0].score for hypothesis in ranked]) / _VOTE_SCALE)
    shares = sum(w * h.mask for w, h in zip(weights / weights.sum(), ranked, strict=True))
    return np.asarray(shares > 0.5)


def _consistency(ranked: list[Hypothesis]) -> float:
    """Mean overlap of the winner with the others; 0.5, neither confirmed nor contradicted, when it is alone."""
    if len(ranked) == 1:
        return 0.5
    return float(np.mean([_overlap(ranked[0].mask, other.mask) for other in ranked[1:]]))


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return soft_iou(one.astype(np.float32), other.astype(np.float32))
