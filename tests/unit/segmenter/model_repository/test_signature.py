"""What a file takes and gives, as Triton must be told."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from services.segmenter.model import WeightsMismatchError, WeightsMissingError
from services.segmenter.model_repository.catalogue import ServedModel
from services.segmenter.model_repository.signature import Tensor, read_signature
from tests.helpers.tiny_onnx import save_red_model

TINY = ServedModel("tiny", "tiny.onnx", side_px=32)


def save_prompts(path: Path) -> Path:
    """Points (batch, points, 2) and labels (batch, points), both given back, in the other order."""
    points = helper.make_tensor_value_info("points", TensorProto.FLOAT, ["batch", "points", 2])
    labels = helper.make_tensor_value_info("labels", TensorProto.INT64, ["batch", "points"])
    same_labels = helper.make_tensor_value_info("same_labels", TensorProto.INT64, ["batch", "points"])
    same_points = helper.make_tensor_value_info("same_points", TensorProto.FLOAT, ["batch", "points", 2])
    nodes = [
        helper.make_node("Identity", ["points"], ["same_points"]),
        helper.make_node("Identity", ["labels"], ["same_labels"]),
    ]
    graph = helper.make_graph(nodes, "prompts", [points, labels], [same_labels, same_points])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_an_open_batch_is_left_to_triton(tmp_path: Path) -> None:
    found = read_signature(TINY, save_red_model(tmp_path / "tiny.onnx", 32, gain=1, offset=0, batch="n"))
    assert found.takes_batches
    assert found.inputs == (Tensor("image", "TYPE_FP32", (3, 32, 32)),)
    assert found.outputs == (Tensor("matte", "TYPE_FP32", (1, 32, 32)),)


def test_a_fixed_batch_stays_in_the_dimensions(tmp_path: Path) -> None:
    found = read_signature(TINY, save_red_model(tmp_path / "tiny.onnx", 32, gain=1, offset=0))
    assert not found.takes_batches
    assert found.inputs[0].dims == (1, 3, 32, 32)


def test_an_open_side_is_the_one_of_the_row(tmp_path: Path) -> None:
    file = save_red_model(tmp_path / "tiny.onnx", 32, gain=1, offset=0, batch="n")
    model = onnx.load(file)
    for dimension in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_param = "side"
    onnx.save(model, str(file))
    assert read_signature(TINY, file).inputs[0].dims == (3, 32, 32)
    assert read_signature(ServedModel("tiny", "tiny.onnx"), file).inputs[0].dims == (3, -1, -1)


def test_outputs_are_the_row_s_or_the_first(tmp_path: Path) -> None:
    file = save_prompts(tmp_path / "prompts.onnx")
    found = read_signature(ServedModel("prompts", "prompts.onnx", outputs=("same_points", "same_labels")), file)
    assert found.inputs == (Tensor("points", "TYPE_FP32", (-1, 2)), Tensor("labels", "TYPE_INT64", (-1,)))
    assert [tensor.name for tensor in found.outputs] == ["same_points", "same_labels"]
    first = read_signature(ServedModel("prompts", "prompts.onnx"), file)
    assert [tensor.name for tensor in first.outputs] == ["same_labels"]


def test_an_output_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = save_prompts(tmp_path / "prompts.onnx")
    with pytest.raises(WeightsMismatchError, match=r"no output masks \(it has same_labels, same_points\)"):
        read_signature(ServedModel("prompts", "prompts.onnx", outputs=("masks",)), file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match=r"tiny: there is no .*tiny\.onnx"):
        read_signature(TINY, tmp_path / "tiny.onnx")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(b"<html>404</html>")
    with pytest.raises(WeightsMismatchError, match="not a model ONNX Runtime can load"):
        read_signature(TINY, tmp_path / "tiny.onnx")
