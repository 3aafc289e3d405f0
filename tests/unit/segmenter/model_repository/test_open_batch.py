"""Models exported for one photo that may, or may not, be given several."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from services.segmenter.model_repository.open_batch import open_batch
from tests.helpers.tiny_onnx import save_red_model


def save(path: Path, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> Path:
    """A model from (1, 3, 8, 8) to (1, 1, 8, 8)."""
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("matte", TensorProto.FLOAT, [1, 1, 8, 8])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_a_convolution_takes_any_batch(tmp_path: Path) -> None:
    opened = open_batch(save_red_model(tmp_path / "red.onnx", 8, gain=2, offset=-1))
    assert opened is not None
    session = ort.InferenceSession(opened, providers=["CPUExecutionProvider"])
    photos = np.stack([np.full((3, 8, 8), red, np.float32) for red in (0.5, 1, 2)])
    assert session.run(None, {"image": photos})[0][:, 0, 0, 0].tolist() == [0, 1, 3]


def test_a_model_that_writes_out_its_batch_cannot_be_opened(tmp_path: Path) -> None:
    shape = numpy_helper.from_array(np.array([1, 3, 64], np.int64), "flat")
    back = numpy_helper.from_array(np.array([1, 1, 8, 8], np.int64), "back")
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1]),
        helper.make_node("Reshape", ["mean", "back"], ["matte"]),
    ]
    assert open_batch(save(tmp_path / "reshape.onnx", nodes, [shape, back])) is None


def test_a_model_whose_photos_would_change_each_other_is_not_opened(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0, 1], keepdims=1),
        helper.make_node("ReduceMean", ["image"], ["own"], axes=[1], keepdims=1),
        helper.make_node("Add", ["mean", "own"], ["matte"]),
    ]
    assert open_batch(save(tmp_path / "mean.onnx", nodes, [])) is None
