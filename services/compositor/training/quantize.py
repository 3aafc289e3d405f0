"""The edge network in whole numbers: its convolutions with 8 bits, twice as fast on two cores and as exact.

The last convolution stays as it is: its answers in 256 steps would be steps of alpha.

References:
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
    2018; onnxruntime.ai/docs/performance/model-optimizations/quantization.html (weights of 7 bits, so that sums of
    products do not overflow on processors without VNNI).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Patches = Mapping[str, NDArray[np.generic]]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # its types are not seen
    def __init__(self, batches: Iterable[Patches]) -> None:
        self._left = iter(batches)

    def get_next(self) -> Patches | None:
        return next(self._left, None)


def quantize(exact: Path, target: Path, batches: Iterable[Patches]) -> None:
    """Write an exported network with 8-bit convolutions.

    Args:
        exact: the exported model.
        target: the file to write.
        batches: the model's inputs by name, from which the ranges of its values are learnt.
    """
    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(prepared),
            str(target),
            _Reader(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[-1:],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
