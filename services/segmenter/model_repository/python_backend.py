"""Triton's python backend serving an ONNX file with the same contract as its onnxruntime backend.

Written as model.py beside model.onnx into a model repository; it runs inside Triton, where nothing of Packshot is
installed: only numpy and onnxruntime. For nodes without a GPU, and for tests.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as triton  # type: ignore[import-not-found]  # comes with the backend


class TritonPythonModel:
    """The class the backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._outputs = [tensor["name"] for tensor in config["output"]]
        self._takes_batches = config["max_batch_size"] > 0
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(config["parameters"]["intra_op_thread_count"]["string_value"])
        options.inter_op_num_threads = 1
        # The arena keeps the largest batch's memory for ever.
        options.enable_cpu_mem_arena = False
        # Threads that spin while they wait take the cores from other instances.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        weights = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self._session = ort.InferenceSession(str(weights), sess_options=options, providers=["CPUExecutionProvider"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """One answer a request, in order; the requests the batcher gathered are one run."""
        if not self._takes_batches:
            return [self._answer(self._run([request])) for request in requests]
        outputs = self._run(requests)
        sizes = [len(self._input(request, self._inputs[0])) for request in requests]
        ends = np.cumsum(sizes)
        return [
            self._answer([output[end - size : end] for output in outputs])
            for size, end in zip(sizes, ends, strict=True)
        ]

    def _run(self, requests: list[Any]) -> list[np.ndarray[Any, Any]]:
        feed = {name: np.concatenate([self._input(r, name) for r in requests]) for name in self._inputs}
        outputs: list[np.ndarray[Any, Any]] = self._session.run(self._outputs, feed)
        return outputs

    def _input(self, request: Any, name: str) -> Any:
        return triton.get_input_tensor_by_name(request, name).as_numpy()

    def _answer(self, outputs: list[np.ndarray[Any, Any]]) -> Any:
        named = zip(self._outputs, outputs, strict=True)
        return triton.InferenceResponse([triton.Tensor(name, np.ascontiguousarray(array)) for name, array in named])
