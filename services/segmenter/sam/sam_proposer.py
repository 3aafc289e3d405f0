"""Refines what the other proposers agreed on: SAM draws outlines well and does not know what a product is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.segmenter.masks import clear_outside, resize, scale_roi, soft_iou, to_lab
from services.segmenter.proposal import Point, Proposal, Roi
from services.segmenter.sam.letterbox import Letterbox
from services.segmenter.sam.prompts import Prompt, make_prompts
from services.segmenter.sam.ranking import probabilities, rank
from services.segmenter.sam.sam_model import SamModel
from services.segmenter.superpixels import gradient_magnitude

_MAX_QUESTIONS = 8  # pieces asked about; a product of more is mostly crumbs beyond these
_LOST = 0.5  # share of a piece that an answer must cover to be about it
_NOTHING = -30.0


class SamProposer:
    """Turns a prior proposal into a sharper one with SAM; thread-safe.

    Every piece of the prior is asked about twice: with a prompt made from the prior, and again with the best answer's
    own logits as the mask prompt. The better of both answers stands. A piece that the answer does not cover by half is
    lost by SAM, not by the product: it stays as the prior had it.

    The confidence is, for every piece, the least of three: the answer's stability, SAM's predicted IoU, and how far
    both answers agree (soft IoU); 0 for a lost piece. The proposal's is the mean over pieces, weighted by area.
    """

    name = "sam"

    def __init__(self, model: SamModel) -> None:
        self._model = model

    def refine(
        self, image: NDArray[np.uint8], prior: Proposal, roi: Roi | None = None, points: Sequence[Point] = ()
    ) -> Proposal:
        """Refine a proposal.

        Args:
            image: (H, W, 3) uint8 RGB.
            prior: the proposal to start from; it decides what the product is, and the size of the answer's matte.
            roi: in the image's pixels, bounds the product.
            points: in the image's pixels; SAM is told those that lie in or beside the piece it is asked about.

        Returns:
            A proposal with a matte as large as the prior's; empty and of confidence 0 when the prior is empty.
        """
        height, width = prior.matte.shape
        roi_at_size = scale_roi(roi, image.shape[:2], (height, width))
        letterbox = self._model.letterbox(image)
        told = [letterbox.point_to_grid(point, image.shape) for point in points]
        prompts = make_prompts(letterbox.to_grid(clear_outside(prior.matte, roi_at_size)), letterbox, told)
        if not prompts:
            return Proposal(self.name, np.zeros((height, width), np.float32), 0.0)

        embedding = self._model.embed(image)
        gradient = _gradient(image, letterbox)
        logits = np.full_like(prompts[0].piece, _NOTHING)
        confidences = []
        for number, prompt in enumerate(prompts):
            if number < _MAX_QUESTIONS:
                answer, confidence = self._draw(embedding, prompt, gradient)
            else:
                answer, confidence = prompt.mask_logits, prior.confidence
            np.maximum(logits, answer, out=logits)
            confidences.append(confidence)
        matte = clear_outside(probabilities(letterbox.from_grid(logits, height, width)), roi_at_size)
        areas = [float(prompt.piece.sum()) for prompt in prompts]
        return Proposal(self.name, matte, float(np.average(confidences, weights=areas)))

    def _draw(
        self, embedding: NDArray[np.float32], prompt: Prompt, gradient: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float]:
        """Logits (G, G) of a piece and the confidence in them."""
        first = rank(*self._model.ask(embedding, prompt, prompt.mask_logits), prompt, gradient)[0]
        second = rank(*self._model.ask(embedding, prompt, first.logits), prompt, gradient)[0]
        best = max(second, first, key=lambda candidate: candidate.score)
        piece = prompt.piece >= 0.5
        if np.count_nonzero(best.logits[piece] > 0) < _LOST * np.count_nonzero(piece):
            return prompt.mask_logits, 0.0
        agreement = soft_iou(probabilities(first.logits), probabilities(second.logits))
        return best.logits, min(best.stability, best.predicted_iou, agreement)


def _gradient(image: NDArray[np.uint8], letterbox: Letterbox) -> NDArray[np.float32]:
    return gradient_magnitude(to_lab(resize(image, *letterbox.grid_size)))
