"""A model in this process, run with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.onnx import session_options
from services.segmenter.model import ProviderUnavailableError, WeightsMismatchError, WeightsMissingError
from services.segmenter.model_files import digest_of
from services.segmenter.registry import ModelSpec


class OnnxModel:
    """One ONNX model; its session is made once and serves all threads."""

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
            spec: which it is, from the registry.
            weights: its file.
            sha256: digest the file must have; None accepts any and `is_published` tells whether it is the known one.
            threads: for one run; 0 lets ONNX Runtime use every core.
            providers: execution providers in order of preference, all of which must be usable.

        Raises:
            WeightsMissingError, WeightsMismatchError, ProviderUnavailableError: see there.
        """
        self.name = spec.name
        self.weights_sha256 = _digest(spec, weights)
        if sha256 is not None and self.weights_sha256 != sha256.lower():
            raise WeightsMismatchError(
                f"{spec.name}: {weights} has sha256 {self.weights_sha256}, but {sha256} was asked for; "
                "fetch the right file or correct the digest"
            )
        self.is_published = self.weights_sha256 == spec.sha256
        self._session = open_session(spec.name, weights, threads, providers)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self._session.run([self._output], {self._input: prepared})[0], np.float32)


def _digest(spec: ModelSpec, weights: Path) -> str:
    try:
        return digest_of(weights)
    except OSError as error:
        raise WeightsMissingError(
            f"{spec.name}: cannot read the weights {weights} ({error.strerror}); put {spec.weights_file} there, "
            "or leave the model out of the proposers"
        ) from error


def open_session(name: str, weights: Path, threads: int, providers: Sequence[str]) -> ort.InferenceSession:
    """An ONNX file, ready to run and to share among threads; see `OnnxModel` for the arguments.

    Raises:
        WeightsMismatchError, ProviderUnavailableError: see there; their messages begin with `name`.
    """
    missing = [provider for provider in providers if provider not in ort.get_available_providers()]
    if missing:
        raise ProviderUnavailableError(
            f"{name}: this ONNX Runtime has no {', '.join(missing)} (it has "
            f"{', '.join(ort.get_available_providers())}); install a build that has it or ask for another provider"
        )
    try:
        session = ort.InferenceSession(str(weights), sess_options=session_options(threads), providers=list(providers))
    except Exception as error:  # ONNX Runtime raises its own, undocumented family
        raise WeightsMismatchError(
            f"{name}: {weights} is not a model ONNX Runtime can load ({error}); fetch {weights.name} again"
        ) from error
    # ONNX Runtime falls back to the CPU by itself when a provider fails to start; that must not go unnoticed.
    unused = [provider for provider in providers if provider not in session.get_providers()]
    if unused:
        raise ProviderUnavailableError(
            f"{name}: {', '.join(unused)} did not start (in use: {', '.join(session.get_providers())}); "
            "check its driver and libraries, or ask for another provider"
        )
    return session
