"""One Triton server for all tests of this folder; a test that stops it starts it again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.segmenter.model_repository.catalogue import ServedModel
from services.segmenter.model_repository.config import Options
from services.segmenter.model_repository.writer import write_model
from tests.helpers.tiny_onnx import save_red_model
from tools.triton_server import TRITONSERVER, TritonServer

SIDE_PX = 64


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of three models: "batches" and "single", both of 64 px, and one that passes for u2netp.

    Each says 1 for black and 0 for white.
    """
    folder = tmp_path_factory.mktemp("weights")
    save_red_model(folder / "batches.onnx", SIDE_PX, gain=-1, offset=1, batch="batch")
    save_red_model(folder / "single.onnx", SIDE_PX, gain=-1, offset=1)
    # Normalised as u2netp wants it, black is -2.1 and white 2.2.
    save_red_model(folder / "u2netp.onnx", 320, gain=-0.23, offset=0.51, batch="batch")
    return folder


@pytest.fixture(scope="session")
def triton_server(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    if not TRITONSERVER.exists():
        pytest.skip("there is no Triton server: run `make triton`")
    repository = tmp_path_factory.mktemp("triton") / "repository"
    server = TritonServer(repository)
    for file in sorted(weights_dir.glob("*.onnx")):
        write_model(ServedModel(file.stem, file.name), file, repository, Options("python", threads=1))
    server.start()
    yield server
    server.stop()
