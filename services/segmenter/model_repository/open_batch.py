"""Lets a model that was exported for one photo take batches, where that is true to the model.

Exports often fix the batch at 1 though nothing in the network depends on it. Then the declared size is all that has to
change. Whether so is found out by running it: a batch of two must give what two single photos give.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

_BATCH = "batch"
_RELATIVE_TOLERANCE = 1e-4  # sums are taken in another order; a thirtieth of one step of 8 bits


def open_batch(weights: Path) -> bytes | None:
    """The model with an open batch, or None where its nodes insist on one photo.

    For models of one float32 input with all but the batch fixed, and of under 2 GB.
    """
    model = onnx.load(weights)
    graph = model.graph
    for tensor in (*graph.input, *graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = _BATCH
    # What is noted about tensors in between says 1, too.
    del graph.value_info[:]
    opened = model.SerializeToString()
    return opened if _is_true_to(weights, opened) else None


def _is_true_to(weights: Path, opened: bytes) -> bool:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # that it may fail is the question
    options.enable_cpu_mem_arena = False
    one = ort.InferenceSession(str(weights), sess_options=options, providers=["CPUExecutionProvider"])
    given = one.get_inputs()[0]
    photos = np.random.default_rng(0).normal(size=(2, *given.shape[1:])).astype(np.float32)
    wanted = [one.run(None, {given.name: photo[None]}) for photo in photos]
    del one
    try:
        both = ort.InferenceSession(opened, sess_options=options, providers=["CPUExecutionProvider"])
        found = both.run(None, {given.name: photos})
    except Exception:  # ONNX Runtime raises its own, undocumented family
        return False
    return all(
        output.shape[:1] == (2,)
        and np.abs(output - np.concatenate(singles)).max() <= _RELATIVE_TOLERANCE * np.abs(output).max()
        for output, *singles in zip(found, *wanted, strict=True)
    )
