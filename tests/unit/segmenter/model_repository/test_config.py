"""What stands in a model's config.pbtxt, read back with Triton's own messages."""

from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from services.segmenter.model_repository.config import Options, render_config
from services.segmenter.model_repository.signature import Signature, Tensor

PHOTOS = Signature((Tensor("input", "TYPE_FP32", (3, 320, 320)),), (Tensor("matte", "TYPE_FP32", (1, 320, 320)),), True)
ONE_PHOTO = Signature(
    (Tensor("input", "TYPE_FP32", (1, 3, 320, 320)),), (Tensor("matte", "TYPE_FP32", (1, 1, 320, 320)),), False
)
PROMPTS = Signature(
    (Tensor("coords", "TYPE_FP32", (-1, 2)), Tensor("labels", "TYPE_INT64", (-1,))),
    (Tensor("logits", "TYPE_FP32", (4, 256, 256)), Tensor("iou", "TYPE_FP32", (4,))),
    True,
)


def config(signature: Signature, options: Options) -> Any:
    return text_format.Parse(render_config("tiny", signature, "309c", options), model_config_pb2.ModelConfig())


def test_photos_are_gathered_into_batches() -> None:
    found = config(PHOTOS, Options("onnxruntime"))
    assert (found.name, found.backend, found.max_batch_size) == ("tiny", "onnxruntime", 8)
    assert [(t.name, list(t.dims)) for t in found.input] == [("input", [3, 320, 320])]
    assert [(t.name, list(t.dims)) for t in found.output] == [("matte", [1, 320, 320])]
    assert found.input[0].data_type == model_config_pb2.TYPE_FP32
    assert list(found.dynamic_batching.preferred_batch_size) == [4, 8]
    assert 0 < found.dynamic_batching.max_queue_delay_microseconds <= 10_000


def test_a_model_for_one_photo_keeps_its_batch_of_1_and_gets_no_batcher() -> None:
    found = config(ONE_PHOTO, Options("onnxruntime"))
    assert found.max_batch_size == 0
    assert list(found.input[0].dims) == [1, 3, 320, 320]
    assert not found.HasField("dynamic_batching")
    assert [w.batch_size for w in found.model_warmup] == [1]


def test_it_is_warm_when_it_ran_with_the_smallest_and_the_largest_batch() -> None:
    warmups = config(PHOTOS, Options("onnxruntime")).model_warmup
    assert [w.batch_size for w in warmups] == [1, 8]
    assert list(warmups[0].inputs["input"].dims) == [3, 320, 320]
    assert warmups[0].inputs["input"].zero_data


def test_open_dimensions_are_warmed_up_with_1() -> None:
    found = config(PROMPTS, Options("onnxruntime"))
    assert list(found.input[0].dims) == [-1, 2]
    assert list(found.model_warmup[0].inputs["coords"].dims) == [1, 2]
    assert found.model_warmup[0].inputs["labels"].data_type == model_config_pb2.TYPE_INT64


def test_instances_are_on_gpus_where_there_are_any_and_on_the_cpu_for_the_python_backend() -> None:
    group = config(PHOTOS, Options("onnxruntime", instances=3)).instance_group[0]
    assert (group.count, group.kind) == (3, model_config_pb2.ModelInstanceGroup.KIND_AUTO)
    assert config(PHOTOS, Options("python")).instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_CPU


def test_the_digest_and_the_threads_are_stated() -> None:
    parameters = config(PHOTOS, Options("python", threads=2)).parameters
    assert parameters["weights_sha256"].string_value == "309c"
    assert parameters["intra_op_thread_count"].string_value == "2"


def test_tensorrt_gets_a_precision_and_one_profile_for_all_batches() -> None:
    assert not config(PHOTOS, Options("onnxruntime")).HasField("optimization")
    found = config(PHOTOS, Options("onnxruntime", tensorrt="fp16"))
    accelerator = found.optimization.execution_accelerators.gpu_execution_accelerator[0]
    assert accelerator.name == "tensorrt"
    assert accelerator.parameters["precision_mode"] == "FP16"
    assert accelerator.parameters["trt_profile_min_shapes"] == "input:1x3x320x320"
    assert accelerator.parameters["trt_profile_max_shapes"] == "input:8x3x320x320"


def test_tensorrt_needs_no_profile_for_a_fixed_shape() -> None:
    found = config(ONE_PHOTO, Options("onnxruntime", tensorrt="fp32"))
    accelerator = found.optimization.execution_accelerators.gpu_execution_accelerator[0]
    assert "trt_profile_min_shapes" not in accelerator.parameters
