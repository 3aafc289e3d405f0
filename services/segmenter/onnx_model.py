"""A proposal by a learned model, run with ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.segmenter.masks import clear_outside, resize, scale_roi, soft_iou, working_size
from services.segmenter.proposal import Proposal, Roi
from services.segmenter.registry import Activation, ModelSpec, Scaling

_MATTE_SIDE_PX = 640
_CLOSE_UP_MARGIN = 0.25  # of the product's longest side
_LARGE_SHARE = 0.95  # of the frame: a close-up of that much would show nothing new


class ModelError(Exception):
    """A model cannot be used; the message says which, why and what to do."""


class WeightsMissingError(ModelError):
    """The weights' file is not there or cannot be read."""


class WeightsMismatchError(ModelError):
    """The weights' file is not the one that was asked for, or not a model of this kind."""


class ProviderUnavailableError(ModelError):
    """An execution provider was asked for that this installation of ONNX Runtime does not have or could not start."""


class OnnxProposer:
    """Proposes a matte with one ONNX model; its session is made once and serves all threads.

    The model looks twice: at the whole photo, and closer at where it saw the product, so that a small product still
    gets the model's full resolution; a product that fills the photo gets one look. The confidence of the proposal is
    how far the two looks agree (soft IoU), and with one look how decided it is. The output is never stretched to the
    full range, so a photo in which the model sees nothing gives an empty proposal of confidence 0.
    """

    def __init__(
        self,
        spec: ModelSpec,
        weights: Path,
        *,
        sha256: str | None = None,
        threads: int = 0,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        """Load the model.

        Args:
            spec: how to feed it, from the registry.
            weights: its file.
            sha256: digest the file must have; None accepts any and `is_published` tells whether it is the known one.
            threads: for one run; 0 lets ONNX Runtime use every core.
            providers: execution providers in order of preference, all of which must be usable.

        Raises:
            WeightsMissingError, WeightsMismatchError, ProviderUnavailableError: see there.
        """
        self._spec = spec
        self.weights_sha256 = _digest(spec, weights)
        if sha256 is not None and self.weights_sha256 != sha256.lower():
            raise WeightsMismatchError(
                f"{spec.name}: {weights} has sha256 {self.weights_sha256}, but {sha256} was asked for; "
                "fetch the right file or correct the digest"
            )
        self.is_published = self.weights_sha256 == spec.sha256
        self._session = _session(spec, weights, threads, providers)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

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
        top, left, bottom, right = _with_margin(seen, size)
        if (bottom - top) * (right - left) > _LARGE_SHARE * size[0] * size[1]:
            return Proposal(self.name, first, _decidedness(first))
        rows, cols = height / size[0], width / size[1]
        close_up = image[round(top * rows) : round(bottom * rows), round(left * cols) : round(right * cols)]
        second = np.zeros(size, np.float32)
        second[top:bottom, left:right] = resize(self.probabilities(close_up), bottom - top, right - left)
        second = clear_outside(second, roi_at_size)
        if not (second >= 0.5).any():
            return Proposal(self.name, first, 0.0)
        return Proposal(self.name, second, soft_iou(first, second))

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (S, S) float32 in [0, 1] for an image of any size."""
        output = self._session.run([self._output], {self._input: _prepare(image, self._spec)})[0]
        matte = np.squeeze(np.asarray(output, np.float32))
        if matte.ndim != 2:
            raise WeightsMismatchError(
                f"{self._spec.name}: the model answers an array of shape {np.shape(output)}, not one matte; "
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


def _with_margin(box: Roi, size: tuple[int, int]) -> Roi:
    top, left, bottom, right = box
    margin = round(_CLOSE_UP_MARGIN * max(bottom - top, right - left))
    return max(0, top - margin), max(0, left - margin), min(size[0], bottom + margin), min(size[1], right + margin)


def _prepare(image: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.float32]:
    """Image (H, W, 3) uint8 to the model's (1, 3, S, S) float32."""
    side = spec.input_side_px
    shrinks = image.shape[0] * image.shape[1] > side * side
    square = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    divisor = 255.0 if spec.scaling is Scaling.BYTE else max(float(square.max()), 1.0)
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    normal = (square.astype(np.float32) / np.float32(divisor) - mean) / std
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def _digest(spec: ModelSpec, weights: Path) -> str:
    try:
        with weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsMissingError(
            f"{spec.name}: cannot read the weights {weights} ({error.strerror}); put {spec.weights_file} there, "
            "or leave the model out of the proposers"
        ) from error


def _session(spec: ModelSpec, weights: Path, threads: int, providers: Sequence[str]) -> ort.InferenceSession:
    missing = [provider for provider in providers if provider not in ort.get_available_providers()]
    if missing:
        raise ProviderUnavailableError(
            f"{spec.name}: this ONNX Runtime has no {', '.join(missing)} (it has "
            f"{', '.join(ort.get_available_providers())}); install a build that has it or ask for another provider"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena keeps the largest run's memory for ever; without it memory returns after each photo.
    options.enable_cpu_mem_arena = False
    # Threads that spin while they wait take the cores from the next photo.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(weights), sess_options=options, providers=list(providers))
    except Exception as error:  # ONNX Runtime raises its own, undocumented family
        raise WeightsMismatchError(
            f"{spec.name}: {weights} is not a model ONNX Runtime can load ({error}); fetch {spec.weights_file} again"
        ) from error
    # ONNX Runtime falls back to the CPU by itself when a provider fails to start; that must not go unnoticed.
    unused = [provider for provider in providers if provider not in session.get_providers()]
    if unused:
        raise ProviderUnavailableError(
            f"{spec.name}: {', '.join(unused)} did not start (in use: {', '.join(session.get_providers())}); "
            "check its driver and libraries, or ask for another provider"
        )
    return session
