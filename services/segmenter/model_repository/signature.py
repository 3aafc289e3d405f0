"""What an ONNX file takes and gives, in Triton's words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from services.segmenter.model import WeightsMismatchError, WeightsMissingError
from services.segmenter.model_repository.catalogue import ServedModel

OPEN = -1
"""A dimension the caller chooses."""

_DATATYPES = {
    "tensor(float)": "TYPE_FP32",
    "tensor(float16)": "TYPE_FP16",
    "tensor(double)": "TYPE_FP64",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(bool)": "TYPE_BOOL",
}
_RANK_OF_PHOTOS = 4  # N, C, H, W


@dataclass(frozen=True, slots=True)
class Tensor:
    """Attributes:
    name: in the file.
    datatype: a value of Triton's enum DataType, e.g. "TYPE_FP32".
    dims: as config.pbtxt wants them: without the batch where the model takes batches; -1 is open.
    """

    name: str
    datatype: str
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Attributes:
    inputs, outputs: in the file's order; of the outputs only those that are served.
    takes_batches: the first dimension of every input and output is open.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    takes_batches: bool


def read_signature(model: ServedModel, weights: Path) -> Signature:
    """The signature of a model's file.

    Raises:
        WeightsMissingError: there is no such file.
        WeightsMismatchError: it is not a model, or lacks an output of the row.
    """
    if not weights.is_file():
        raise WeightsMissingError(f"{model.name}: there is no {weights}; put {model.weights_file} into that folder")
    options = ort.SessionOptions()
    # Only to read what it takes: not worth optimising.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(weights), sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own, undocumented family
        raise WeightsMismatchError(f"{model.name}: {weights} is not a model ONNX Runtime can load ({error})") from error
    outputs = {tensor.name: tensor for tensor in session.get_outputs()}
    wanted = model.outputs or tuple(outputs)[:1]
    missing = [name for name in wanted if name not in outputs]
    if missing:
        raise WeightsMismatchError(
            f"{model.name}: {weights} has no output {', '.join(missing)} (it has {', '.join(outputs)}); "
            "correct its row in services/segmenter/model_repository/catalogue.py"
        )
    given = [outputs[name] for name in wanted]
    taken = session.get_inputs()
    takes_batches = all(tensor.shape and not isinstance(tensor.shape[0], int) for tensor in (*taken, *given))
    return Signature(
        tuple(_tensor(tensor, takes_batches, model.side_px) for tensor in taken),
        tuple(_tensor(tensor, takes_batches, 0) for tensor in given),
        takes_batches,
    )


def _tensor(tensor: ort.NodeArg, takes_batches: bool, side_px: int) -> Tensor:
    dims = [size if isinstance(size, int) else OPEN for size in tensor.shape]
    if side_px and len(dims) == _RANK_OF_PHOTOS:
        dims[2:] = [side_px if size == OPEN else size for size in dims[2:]]
    return Tensor(tensor.name, _DATATYPES[tensor.type], tuple(dims[1:] if takes_batches else dims))
