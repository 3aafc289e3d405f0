"""A model's config.pbtxt.

References
----------
Triton Inference Server, "Model configuration", "Batchers", "Optimization"; onnxruntime_backend, "ONNX Runtime with
TensorRT optimization".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from services.segmenter.model_repository.signature import OPEN, Signature, Tensor
from services.segmenter.triton_model import DIGEST_PARAMETER

Backend = Literal["onnxruntime", "python"]
Precision = Literal["fp32", "fp16"]

_QUEUE_DELAY_US = 3000  # what a photo waits for company at the most: a small part of what one run takes
_TENSORRT_WORKSPACE_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Options:
    """Attributes:
    backend: "onnxruntime" is Triton's own, for GPUs and CPUs; "python" runs `python_backend.py`, on CPUs.
    instances: copies of the model that run at the same time, on each GPU where there are any.
    threads: of ONNX Runtime for one run on the CPU; 0: every core.
    tensorrt: the precision TensorRT computes in; None leaves it out. Only for the onnxruntime backend on GPUs.
    """

    backend: Backend
    instances: int = 1
    threads: int = 0
    tensorrt: Precision | None = None


def render_config(name: str, signature: Signature, sha256: str, options: Options, max_batch: int = 8) -> str:
    """The text of config.pbtxt.

    A model that takes batches gets a dynamic batcher. One exported for a single photo is served one by one, with the
    batch of 1 as its first dimension; requests look the same. It is ready when it has run once with the smallest and
    once with the largest batch.
    """
    config = model_config_pb2.ModelConfig(
        name=name,
        backend=options.backend,
        max_batch_size=max_batch if signature.takes_batches else 0,
        input=[_message(model_config_pb2.ModelInput, tensor) for tensor in signature.inputs],
        output=[_message(model_config_pb2.ModelOutput, tensor) for tensor in signature.outputs],
        instance_group=[_instances(options)],
        model_warmup=[
            _warmup(signature.inputs, batch) for batch in ((1, max_batch) if signature.takes_batches else (1,))
        ],
    )
    if signature.takes_batches:
        config.dynamic_batching.preferred_batch_size.extend((max_batch // 2, max_batch))
        config.dynamic_batching.max_queue_delay_microseconds = _QUEUE_DELAY_US
    config.parameters[DIGEST_PARAMETER].string_value = sha256
    config.parameters["intra_op_thread_count"].string_value = str(options.threads)
    if options.tensorrt is not None:
        accelerator = config.optimization.execution_accelerators.gpu_execution_accelerator.add(name="tensorrt")
        accelerator.parameters["precision_mode"] = options.tensorrt.upper()
        accelerator.parameters["max_workspace_size_bytes"] = str(_TENSORRT_WORKSPACE_BYTES)
        if signature.takes_batches:
            # One engine for every batch: otherwise a batch of a new size makes TensorRT build anew while photos wait.
            for key, batch in (("min", 1), ("opt", max_batch // 2), ("max", max_batch)):
                accelerator.parameters[f"trt_profile_{key}_shapes"] = _profile(signature.inputs, batch)
    return text_format.MessageToString(config)


def _message(kind: Any, tensor: Tensor) -> Any:
    return kind(name=tensor.name, data_type=model_config_pb2.DataType.Value(tensor.datatype), dims=tensor.dims)


def _instances(options: Options) -> Any:
    group = model_config_pb2.ModelInstanceGroup
    # AUTO: on every GPU where there is one, on the CPU elsewhere.
    kind = group.KIND_CPU if options.backend == "python" else group.KIND_AUTO
    return group(count=options.instances, kind=kind)


def _warmup(inputs: tuple[Tensor, ...], batch: int) -> Any:
    warmup = model_config_pb2.ModelWarmup(name=f"batch of {batch}", batch_size=batch)
    for tensor in inputs:
        sample = warmup.inputs[tensor.name]
        sample.data_type = model_config_pb2.DataType.Value(tensor.datatype)
        sample.dims.extend(_closed(tensor))
        sample.zero_data = True
    return warmup


def _profile(inputs: tuple[Tensor, ...], batch: int) -> str:
    return ",".join(f"{t.name}:{'x'.join(map(str, (batch, *_closed(t))))}" for t in inputs)


def _closed(tensor: Tensor) -> tuple[int, ...]:
    """The dimensions with 1 for the open ones."""
    return tuple(1 if size == OPEN else size for size in tensor.dims)
