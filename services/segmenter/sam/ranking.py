"""Which of SAM's masks for one prompt is the product.

Four scores in [0, 1], all measured on the grid and inside the image: stability, agreement with the prior, SAM's own
predicted IoU, and edge alignment. A mask's score is their geometric mean: nothing to tune, and a mask that fails one
of them cannot win by the others.

References
----------
Kirillov et al., "Segment Anything", ICCV 2023, appendix B: stability score, a mask's IoU with itself at logits ±1.
Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than the other", 1947: edge
alignment is their statistic of gradients on the outline against gradients beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.segmenter.masks import grow, shrink, soft_iou
from services.segmenter.sam.prompts import Prompt

_STABILITY_OFFSET = 1.0
_BAND_PX = 6  # beside the outline, on the grid


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of SAM's answers.

    Attributes:
        logits: float32 (G, G); the mask is where they are above 0.
        stability, agreement, predicted_iou, alignment: in [0, 1]; see the module.
    """

    logits: NDArray[np.float32]
    stability: float
    agreement: float
    predicted_iou: float
    alignment: float

    @property
    def score(self) -> float:
        return float((self.stability * self.agreement * self.predicted_iou * self.alignment) ** 0.25)


def rank(
    logits: NDArray[np.float32], predicted_iou: NDArray[np.float32], prompt: Prompt, gradient: NDArray[np.float32]
) -> list[Candidate]:
    """Score SAM's answers to a prompt, best first.

    Args:
        logits: float32 (M, G, G).
        predicted_iou: float32 (M,), as SAM gives them: about [0, 1], unbounded.
        prompt: what it was asked.
        gradient: float32 (h, w), colour change at the image's part of the grid.
    """
    candidates = [_candidate(one, float(iou), prompt, gradient) for one, iou in zip(logits, predicted_iou, strict=True)]
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def stability(logits: NDArray[np.float32]) -> float:
    """IoU of the masks at logits +1 and -1, in [0, 1]; 0 where nothing reaches -1."""
    likely = np.count_nonzero(logits > -_STABILITY_OFFSET)
    return np.count_nonzero(logits > _STABILITY_OFFSET) / likely if likely else 0.0


def edge_alignment(mask: NDArray[np.bool_], gradient: NDArray[np.float32]) -> float:
    """Probability that a pixel on the mask's outline has a larger gradient than one beside it, in [0, 1].

    One half means that the outline follows nothing; a mask without outline inside the frame gets 0.
    """
    outline = mask & ~shrink(mask, 1) | ~mask & grow(mask, 1)
    if not outline.any():
        return 0.0
    beside = np.sort(gradient[grow(outline, _BAND_PX) & ~outline])
    if not len(beside):
        return 0.0
    on = gradient[outline]
    below = np.searchsorted(beside, on, "left") + np.searchsorted(beside, on, "right")
    return float(below.mean()) / (2 * len(beside))


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logistic function of logits, float32 in [0, 1]."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def _candidate(
    logits: NDArray[np.float32], predicted_iou: float, prompt: Prompt, gradient: NDArray[np.float32]
) -> Candidate:
    shown = tuple(slice(extent) for extent in gradient.shape)
    matters = ~prompt.elsewhere[shown]
    inside = logits[shown]
    return Candidate(
        logits=logits,
        stability=stability(inside),
        agreement=soft_iou(probabilities(inside)[matters], prompt.piece[shown][matters]),
        predicted_iou=float(np.clip(np.nan_to_num(predicted_iou), 0, 1)),
        alignment=edge_alignment(inside > 0, gradient),
    )
