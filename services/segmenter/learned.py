"""A proposal by a learned model: looks at the photo and closer, whichever way the model is run."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.masks import clear_outside, resize, scale_roi, soft_iou, working_size
from services.segmenter.model import Model, WeightsMismatchError
from services.segmenter.proposal import Proposal, Roi
from services.segmenter.registry import Activation, ModelSpec, Scaling

_MATTE_SIDE_PX = 640
_CLOSE_UP_MARGINS = (0.25, 0.12)  # of the product's longest side; a coarse model looks from both, others from the first
_LARGE_SHARE = 0.95  # of the frame: a close-up of that much would show nothing new


class LearnedProposer:
    """Proposes a matte with one model.

    The model looks twice: at the whole photo, and closer at where it saw the product, so that a small product still
    gets the model's full resolution; a product that fills the photo gets one look. A coarse model comes closer still,
    and both close-ups are averaged. The proposal is the closer look; its confidence how far it agrees with the first
    (soft IoU), and with one look how decided it is. The output is never stretched to the full range, so a photo in
    which the model sees nothing gives an empty proposal of confidence 0.

    Args:
        spec: how to feed the model, from the registry.
        model: the model itself.
    """

    def __init__(self, spec: ModelSpec, model: Model) -> None:
        self._spec = spec
        self._model = model

    @property
    def name(self) -> str:
        return self._spec.name

    def propose(self, image: NDArray[np.uint8], roi: Roi | None = None) -> Proposal:
        height, width = image.shape[:2]
        size = working_size(height, width, _MATTE_SIDE_PX)
        roi_at_size = scale_roi(roi, (height, width), size)
        first = clear_outside(resize(self.probabilities(image), *size), roi_at_size)
        seen = _box_of_product(first)
        if seen is None:
            return Proposal(self.name, first, 0.0)
        top, left, bottom, right = _with_margin(seen, size, _CLOSE_UP_MARGINS[0])
        if (bottom - top) * (right - left) > _LARGE_SHARE * size[0] * size[1]:
            return Proposal(self.name, first, _decidedness(first), is_coarse=self._spec.coarse)
        margins = _CLOSE_UP_MARGINS if self._spec.coarse else _CLOSE_UP_MARGINS[:1]
        looks = [self._close_up(image, _with_margin(seen, size, margin), size) for margin in margins]
        closer = clear_outside(np.asarray(np.mean(looks, axis=0), np.float32), roi_at_size)
        if not (closer >= 0.5).any():
            return Proposal(self.name, first, 0.0)
        return Proposal(self.name, closer, soft_iou(first, closer), is_coarse=self._spec.coarse)

    def _close_up(self, image: NDArray[np.uint8], box: Roi, size: tuple[int, int]) -> NDArray[np.float32]:
        """Probabilities (h, w) at a size of the whole image, 0 outside the box."""
        top, left, bottom, right = box
        rows, cols = image.shape[0] / size[0], image.shape[1] / size[1]
        part = image[round(top * rows) : round(bottom * rows), round(left * cols) : round(right * cols)]
        matte = np.zeros(size, np.float32)
        matte[top:bottom, left:right] = resize(self.probabilities(part), bottom - top, right - left)
        return matte

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (S, S) float32 in [0, 1] for an image of any size; a coarse model sees it mirrored too."""
        prepared = prepare(image, self._spec)
        matte = self._run(prepared)
        if not self._spec.coarse:
            return matte
        mirrored = self._run(np.ascontiguousarray(prepared[..., ::-1]))
        return np.asarray((matte + mirrored[:, ::-1]) / 2, np.float32)

    def _run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        output = self._model.run(prepared)
        matte = np.squeeze(output)
        if matte.ndim != 2:
            raise WeightsMismatchError(
                f"{self._spec.name}: the model answers an array of shape {output.shape}, not one matte; "
                "check that the weights belong to this model"
            )
        if self._spec.activation is Activation.SIGMOID:
            matte = np.asarray(1.0 / (1.0 + np.exp(-np.clip(matte, -30, 30))), np.float32)
        return np.clip(np.nan_to_num(matte), 0.0, 1.0).astype(np.float32)


def _decidedness(matte: NDArray[np.float32]) -> float:
    """1 - (mass of min(p, 1 - p)) / (mass of p), in [0, 1]."""
    undecided = float(np.minimum(matte, 1.0 - matte).sum())
    return float(np.clip(1.0 - undecided / float(matte.sum()), 0.0, 1.0))


def _box_of_product(matte: NDArray[np.float32]) -> Roi | None:
    rows, cols = np.nonzero((matte >= 0.5).any(axis=1))[0], np.nonzero((matte >= 0.5).any(axis=0))[0]
    if len(rows) == 0:
        return None
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def _with_margin(box: Roi, size: tuple[int, int], share: float) -> Roi:
    top, left, bottom, right = box
    margin = round(share * max(bottom - top, right - left))
    return max(0, top - margin), max(0, left - margin), min(size[0], bottom + margin), min(size[1], right + margin)


def prepare(image: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.float32]:
    """Image (H, W, 3) uint8 RGB to the model's (1, 3, S, S) float32."""
    side = spec.input_side_px
    shrinks = image.shape[0] * image.shape[1] > side * side
    square = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    divisor = 255.0 if spec.scaling is Scaling.BYTE else max(float(square.max()), 1.0)
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    normal = (square.astype(np.float32) / np.float32(divisor) - mean) / std
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])
