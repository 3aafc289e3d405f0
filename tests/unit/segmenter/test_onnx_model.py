"""A model in this process: which files are taken, and which refused."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from services.segmenter.model import ProviderUnavailableError, WeightsMismatchError, WeightsMissingError
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import Activation, ModelSpec, Scaling
from tests.helpers.tiny_onnx import save_red_model

SIDE = 32
RAW = ModelSpec("red", SIDE, Scaling.BYTE, (0.0,) * 3, (1.0,) * 3, Activation.NONE, "red.onnx", None)


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """Probability = the red the model gets."""
    return save_red_model(tmp_path / "red.onnx", SIDE, gain=1, offset=0)


def test_the_output_is_given_as_it_is(red: Path) -> None:
    photo = np.full((1, 3, SIDE, SIDE), 2.5, np.float32)
    output = OnnxModel(RAW, red, threads=1).run(photo)
    assert output.shape == (1, 1, SIDE, SIDE)
    assert output.dtype == np.float32
    assert output == pytest.approx(2.5)


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match=r"cannot read .*nowhere\.onnx.*put red\.onnx there, or leave"):
        OnnxModel(RAW, tmp_path / "nowhere.onnx")


def test_weights_with_another_digest_are_refused(red: Path) -> None:
    with pytest.raises(WeightsMismatchError, match=r"sha256 .* but 00ff was asked for"):
        OnnxModel(RAW, red, sha256="00ff")


def test_weights_with_the_digest_are_accepted_in_any_case(red: Path) -> None:
    digest = sha256(red.read_bytes()).hexdigest()
    model = OnnxModel(RAW, red, sha256=digest.upper())
    assert model.weights_sha256 == digest
    assert not model.is_published
    assert OnnxModel(replace(RAW, sha256=digest), red).is_published


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "red.onnx"
    file.write_bytes(b"<html>404</html>")
    with pytest.raises(WeightsMismatchError, match=r"not a model .*fetch red\.onnx again"):
        OnnxModel(RAW, file)


def test_a_provider_that_is_not_there_is_no_reason_to_use_another(red: Path) -> None:
    with pytest.raises(ProviderUnavailableError, match=r"no NoSuchExecutionProvider .*CPUExecutionProvider"):
        OnnxModel(RAW, red, providers=("NoSuchExecutionProvider", "CPUExecutionProvider"))
