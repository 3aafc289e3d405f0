"""What a learned model is to the segmenter, wherever it runs: one prepared photo in, one array out.

The contract is the same in this process, on Triton's onnxruntime backend and on its python backend: one input, float32
(1, 3, S, S) as `learned.prepare` makes it, and one output, float32 (1, 1, S, S) or (1, S, S) or (S, S), that means what
the registry's row says. Names are the model's own.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ModelError(Exception):
    """A model cannot be used; the message says which, why and what to do."""


class WeightsMissingError(ModelError):
    """The weights' file is not there or cannot be read."""


class WeightsMismatchError(ModelError):
    """The weights' file is not the one that was asked for, or not a model of this kind."""


class ProviderUnavailableError(ModelError):
    """An execution provider was asked for that this installation of ONNX Runtime does not have or could not start."""


class ModelUnavailableError(ModelError):
    """The server of the model does not answer, or does not serve it now; later it may."""


class ModelDeadlineError(ModelError):
    """The server of the model did not answer in time."""


class Model(Protocol):
    """Thread-safe: one model serves many photos at once."""

    def run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """The model's output, as the model gives it, for a photo (1, 3, S, S) float32.

        Raises:
            ModelUnavailableError, ModelDeadlineError: from models that run elsewhere.
        """
        ...
