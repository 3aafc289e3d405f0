"""Our own edge network, which works alpha out again in the unknown pixels of small patches."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.onnx import session_options

PATCH_PX = 128
"""Side of a patch."""

_WEIGHTS = Path(__file__).parent / "models" / "edge.onnx"


class EdgeNetworkMissingError(RuntimeError):
    """The network's file is not where the package has it, or cannot be loaded."""


def run(images: NDArray[np.uint8], trimaps: NDArray[np.uint8], priors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Alpha of N patches of S = `PATCH_PX`.

    Args:
        images: (N, S, S, 3) uint8 sRGB.
        trimaps: (N, S, S) uint8: 0 background, 128 unknown, 255 product.
        priors: (N, S, S) float32 in [0, 1], what is believed so far; 0.5 where nothing is.

    Returns:
        (N, S, S) float32 in [0, 1], exactly 0 and 1 where the trimap knows.

    Raises:
        EdgeNetworkMissingError: see there.
    """
    given = {"image": images, "trimap": trimaps, "prior": priors}
    return np.asarray(_session().run(["alpha"], given)[0], np.float32)


@functools.cache
def _session() -> ort.InferenceSession:
    try:
        return ort.InferenceSession(str(_WEIGHTS), session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own, undocumented family
        raise EdgeNetworkMissingError(
            f"the edge network {_WEIGHTS} cannot be loaded ({error}): it comes with packshot, install it again"
        ) from error
