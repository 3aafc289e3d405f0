"""Loading SAM's halves: what is missing or wrong is named, with what to do."""

from pathlib import Path

import numpy as np
import pytest

from services.segmenter.model import WeightsMismatchError, WeightsMissingError
from services.segmenter.sam.prompts import make_prompts
from services.segmenter.sam.sam_model import DECODER, ENCODER, OnnxNetwork, SamModel
from tests.helpers.composites import solid
from tests.helpers.tiny_onnx import save_red_model
from tests.helpers.tiny_sam import ColorDecoder, ColorEncoder


def test_missing_files_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match=r"no .*sam-encoder\.onnx; export it .*sam\.export"):
        SamModel.load(tmp_path)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / ENCODER.file).write_bytes(b"no model")
    with pytest.raises(WeightsMismatchError, match="not a model ONNX Runtime can load"):
        SamModel.load(tmp_path)


def test_a_network_that_is_not_sam_s(tmp_path: Path) -> None:
    network = OnnxNetwork(save_red_model(tmp_path / DECODER.file, 32, gain=1, offset=0), threads=1)
    assert network.checkpoint_sha256 is None
    assert network.shape_of("image") == [1, 3, 32, 32]
    with pytest.raises(WeightsMismatchError, match="without input point_coords"):
        network.shape_of("point_coords")


def test_points_reach_the_decoder_as_x_and_y() -> None:
    """The product is one red column; with rows and columns confused it would be a row."""
    image = solid(64, 64, (128, 128, 128))
    image[:, 40:48] = (250, 0, 0)
    matte = np.zeros((64, 64), np.float32)
    matte[:, 40:48] = 1
    model = SamModel(ColorEncoder(), ColorDecoder(), 256)
    letterbox = model.letterbox(image)
    (prompt,) = make_prompts(letterbox.to_grid(matte), letterbox)
    logits, iou = model.ask(model.embed(image), prompt, prompt.mask_logits)
    assert logits.shape == (4, 64, 64)
    assert iou.shape == (4,)
    assert np.array_equal(np.nonzero((logits[2] > 0).any(axis=0))[0], np.arange(40, 48))
