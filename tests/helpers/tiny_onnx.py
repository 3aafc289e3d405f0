"""A model small enough to reason about: one number per pixel, an affine function of the input's red channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save_red_model(
    path: Path, side_px: int, *, gain: float, offset: float, channels: int = 1, batch: int | str = 1
) -> Path:
    """Write a model from (1, 3, S, S) to (1, channels, S, S): every output channel is `gain` · red + `offset`.

    Red is meant as the model gets it, after normalisation. A name for `batch` leaves the batch open.
    """
    weight = np.zeros((channels, 3, 1, 1), np.float32)
    weight[:, 0] = gain
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight", "bias"], ["matte"])],
        "red",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, side_px, side_px])],
        [helper.make_tensor_value_info("matte", TensorProto.FLOAT, [batch, channels, side_px, side_px])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.full(channels, offset, np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path
