"""The command that writes a model repository."""

import hashlib
from pathlib import Path

import pytest

from services.segmenter.model_repository.__main__ import main
from tests.helpers.tiny_onnx import save_red_model


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    save_red_model(folder / "u2netp.onnx", 320, gain=1, offset=0, batch="n")
    save_red_model(folder / "u2net.onnx", 320, gain=1, offset=0)
    return folder


def write(models_dir: Path, *arguments: str) -> Path:
    repository = models_dir.parent / "repository"
    assert main(["--out", str(repository), "--models-dir", str(models_dir), *arguments]) == 0
    return repository


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_repository_for_tritons_own_backend(models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = write(models_dir, "--models", "u2netp, u2net")
    assert files(repository) == [
        "u2net/1/model.onnx",
        "u2net/config.pbtxt",
        "u2netp/1/model.onnx",
        "u2netp/config.pbtxt",
    ]
    assert (repository / "u2netp/1/model.onnx").read_bytes() == (models_dir / "u2netp.onnx").read_bytes()
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("u2netp: onnxruntime backend, with dynamic batching")
    assert said[1].endswith(
        "u2net: onnxruntime backend, one photo at a time: it was exported so, --open-batch may change that"
    )


def test_the_python_backend_gets_its_script_and_loses_it_again(models_dir: Path) -> None:
    repository = write(models_dir, "--models", "u2netp", "--backend", "python")
    assert "class TritonPythonModel" in (repository / "u2netp/1/model.py").read_text()
    write(models_dir, "--models", "u2netp")
    assert not (repository / "u2netp/1/model.py").exists()


def test_new_weights_replace_old_ones_and_leave_the_folder_of_the_weights_alone(models_dir: Path) -> None:
    repository = write(models_dir, "--models", "u2netp")
    weights = models_dir / "u2netp.onnx"
    weights.unlink()
    digest = hashlib.sha256(save_red_model(weights, 320, gain=2, offset=0, batch="n").read_bytes()).hexdigest()
    write(models_dir, "--models", "u2netp")
    assert digest in (repository / "u2netp/config.pbtxt").read_text()
    assert hashlib.sha256((repository / "u2netp/1/model.onnx").read_bytes()).hexdigest() == digest


def test_a_model_for_one_photo_may_be_opened_for_batches(models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = models_dir / "u2net.onnx"
    before = weights.read_bytes()
    write(models_dir, "--models", "u2net")  # leaves a link to the weights, which must not be written through
    repository = write(models_dir, "--models", "u2net", "--open-batch")
    assert capsys.readouterr().out.splitlines()[-1].endswith("with dynamic batching")
    config = (repository / "u2net/config.pbtxt").read_text()
    assert "max_batch_size: 8" in config
    assert hashlib.sha256(before).hexdigest() in config  # of the weights, however they are served
    assert weights.read_bytes() == before


def test_tensors_in_a_file_of_their_own_come_along(models_dir: Path) -> None:
    (models_dir / "u2netp.onnx.data").write_bytes(b"tensors")
    repository = write(models_dir, "--models", "u2netp")
    assert (repository / "u2netp/1/u2netp.onnx.data").read_bytes() == b"tensors"


def test_missing_weights_say_where_they_belong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "r"), "--models-dir", str(tmp_path), "--models", "u2netp"]) == 2
    assert "put u2netp.onnx into that folder (the folder is --models-dir)" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--models", "u2netp,nope"], "--models: unknown nope; known are"),
        (["--models", "u2netp", "--instances", "0"], "--instances must be at least 1"),
        (["--models", "u2netp", "--backend", "python", "--tensorrt", "fp16"], "--tensorrt needs --backend onnxruntime"),
    ],
)
def test_wrong_arguments_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--out", str(tmp_path), *arguments])
    assert caught.value.code == 2
    assert says in capsys.readouterr().err
