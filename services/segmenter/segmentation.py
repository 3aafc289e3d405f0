"""From an image to where its product is: the segmenter's one public question."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.segmenter.background import Background, BackgroundKind, describe_background, rim
from services.segmenter.edges import sharpen_to
from services.segmenter.fusion import Fusion, fuse
from services.segmenter.gaps import mend_gaps
from services.segmenter.graph_cut import cut_along
from services.segmenter.holes import open_holes
from services.segmenter.masks import clear_outside, resize, scale_roi, to_lab, working_size
from services.segmenter.pieces import Piece, find_pieces, touches_frame
from services.segmenter.points import check_points, correct, followed, hold
from services.segmenter.proposal import Point, Proposal, Proposer, Refiner, Roi, SegmentationWarning
from services.segmenter.traits import Trait, find_traits
from services.segmenter.uncertainty import expected_iou, undecided

_DESCRIPTION_SIDE_PX = 192
_ALPHA_SIDE_PX = 640  # at which a photo's own alpha is asked how decided it is
_LOW_AGREEMENT = 0.6


class RoiError(ValueError):
    """The region of interest is empty or lies outside the image."""


@dataclass(frozen=True, slots=True)
class ProposalScore:
    """Attributes:
    name: the proposer's, or "alpha" for the photo's own.
    score: its confidence in [0, 1]; what it measures stands with each proposer.
    weight: its part in the matte, in [0, 1]; all weights sum to 1.
    """

    name: str
    score: float
    weight: float


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Attributes:
    matte: float32 (H, W) in [0, 1] at the image's size.
    background: what the product stands in front of.
    traits: what makes the product hard.
    pieces: its connected parts, largest first; none for an empty matte.
    agreement: how far the proposals agree with each other and with themselves, in [0, 1]; see `fusion.Fusion`.
    expected_iou: what the proposals' probabilities promise of the overlap with the true product, in [0, 1].
    undecided: float32 (h, w) in [0, 1] at the proposals' size, how open each pixel is.
    proposals: who proposed, how sure, and how much of it was used.
    touches_frame: whether the product reaches the frame.
    warnings: what the caller should know.
    """

    matte: NDArray[np.float32]
    background: Background
    traits: frozenset[Trait]
    pieces: tuple[Piece, ...]
    agreement: float
    expected_iou: float
    undecided: NDArray[np.float32]
    proposals: tuple[ProposalScore, ...]
    touches_frame: bool
    warnings: tuple[SegmentationWarning, ...]


def segment(
    image: NDArray[np.uint8],
    *,
    alpha: NDArray[np.float32] | None = None,
    roi: Roi | None = None,
    points: Sequence[Point] = (),
    proposers: Sequence[Proposer],
    refiner: Refiner | None = None,
) -> Segmentation:
    """Find the product.

    Args:
        image: (H, W, 3) uint8 upright sRGB.
        alpha: the photo's own matte, float32 (H, W) in [0, 1]; used instead of the proposers.
        roi: region of interest (top, left, bottom, right), half-open pixels; everything outside is background.
        points: what a person said of single pixels; the matte follows, with the region around each.
        proposers: at least one, unless alpha is given.
        refiner: gets what the proposers agreed on, and is fused with them.

    Raises:
        RoiError: when the region is empty or not inside the image.
        PointError: when a point is not inside the image, or is to be product outside the region.
        ValueError: when there is neither alpha nor a proposer.
    """
    height, width = image.shape[:2]
    _check_roi(roi, height, width)
    check_points(points, height, width, roi)
    size = working_size(height, width, _DESCRIPTION_SIDE_PX)
    outside = rim(*size, scale_roi(roi, (height, width), size))
    background = describe_background(to_lab(resize(image, *size)), outside)

    if alpha is not None:
        matte = clear_outside(alpha.astype(np.float32, copy=False), roi)
        matte = hold(correct(image, matte, points, roi), points)
        background = replace(background, kind=BackgroundKind.TRANSPARENT)
        agreement, chance = 1.0, resize(matte, *working_size(height, width, _ALPHA_SIDE_PX))
        scores: tuple[ProposalScore, ...] = (ProposalScore("alpha", 1.0, 1.0),)
        proposed: tuple[SegmentationWarning, ...] = ()
    else:
        proposals = _proposals(image, roi, proposers)
        fused = fuse(proposals, background)
        if refiner is not None:
            prior = Proposal("fused", correct(image, fused.matte, points, roi, fused.chance), fused.agreement)
            proposals.append(refiner.refine(image, prior, roi, points))
            fused = fuse(proposals, background)
        opened = open_holes(image, fused.matte)
        fused = replace(fused, matte=opened, chance=followed(fused.chance, fused.matte, opened))
        outlined = mend_gaps(image, _outlined(image, fused, proposals))
        corrected = correct(image, outlined, points, roi, fused.chance)
        matte = hold(clear_outside(sharpen_to(image, corrected), roi), points)
        agreement, chance = fused.agreement, followed(fused.chance, outlined, corrected)
        scores = tuple(
            ProposalScore(proposal.name, proposal.confidence, weight)
            for proposal, weight in zip(proposals, fused.weights, strict=True)
        )
        proposed = tuple(warning for proposal in proposals for warning in proposal.warnings)

    pieces = find_pieces(matte)
    if not pieces:
        agreement = 0.0
    return Segmentation(
        matte=matte,
        background=background,
        traits=find_traits(image, matte, background, pieces),
        pieces=pieces,
        agreement=agreement,
        expected_iou=expected_iou(resize(matte, *chance.shape) >= 0.5, chance),
        undecided=undecided(chance),
        proposals=scores,
        touches_frame=touches_frame(matte),
        warnings=proposed + _warnings(pieces, agreement),
    )


def _outlined(image: NDArray[np.uint8], fused: Fusion, proposals: Sequence[Proposal]) -> NDArray[np.float32]:
    """The fused matte; where a coarse one is part of it, its outline is brought to the image's edges."""
    coarse = sum(weight for weight, proposal in zip(fused.weights, proposals, strict=True) if proposal.is_coarse)
    return cut_along(image, fused.matte) if coarse > 0 else fused.matte


def _proposals(image: NDArray[np.uint8], roi: Roi | None, proposers: Sequence[Proposer]) -> list[Proposal]:
    """All at the same time: none of them can use every core throughout."""
    if len(proposers) < 2:
        return [proposer.propose(image, roi) for proposer in proposers]
    with ThreadPoolExecutor(len(proposers)) as pool:
        # Each with the caller's context: what it logs and traces is the caller's.
        proposing = [pool.submit(copy_context().run, proposer.propose, image, roi) for proposer in proposers]
        return [proposal.result() for proposal in proposing]


def _check_roi(roi: Roi | None, height: int, width: int) -> None:
    if roi is None:
        return
    top, left, bottom, right = roi
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise RoiError(
            f"region of interest (top {top}, left {left}, bottom {bottom}, right {right}) must have an area and lie "
            f"inside the image of {height} rows and {width} columns"
        )


def _warnings(pieces: tuple[Piece, ...], agreement: float) -> tuple[SegmentationWarning, ...]:
    if not pieces:
        return (SegmentationWarning("NO_PRODUCT_FOUND", "nothing in the photo stands out as a product"),)
    if agreement < _LOW_AGREEMENT:
        return (
            SegmentationWarning(
                "PROPOSALS_DISAGREE",
                f"the proposals agree by {agreement:.2f} only; a region of interest around the product helps",
            ),
        )
    return ()
