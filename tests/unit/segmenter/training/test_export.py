"""The trained network as ONNX. Needs torch, the `training` extra."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch")

import torch

from services.segmenter.training import export as export_module
from services.segmenter.training.export import export
from services.segmenter.training.network import Network

SIDE = 64
SHIPPED_BYTES = 12_000_000  # what the repository can carry


@pytest.fixture(scope="module")
def network() -> Any:
    """Untrained, but with statistics of its own features, so that its mattes are not grey all over."""
    torch.manual_seed(0)
    network = Network()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(2, 3, SIDE, SIDE) * 2 - 1)
    return network.eval()


@pytest.fixture(scope="module")
def exported(network: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    file = tmp_path_factory.mktemp("weights") / "made" / "packshot.onnx"
    return file, export(network, SIDE, file)


def test_the_file_is_small_enough_to_ship(network: Any, exported: tuple[Path, float]) -> None:
    size = exported[0].stat().st_size
    assert size < SHIPPED_BYTES
    assert size < 0.6 * sum(4 * weight.numel() for weight in network.parameters())  # half floats


@pytest.mark.parametrize("batch", [1, 3])
def test_it_answers_as_the_network_does_for_any_batch(network: Any, exported: tuple[Path, float], batch: int) -> None:
    file, stated = exported
    image = torch.rand(batch, 3, SIDE, SIDE, generator=torch.manual_seed(5)) * 2 - 1
    with torch.inference_mode():
        wanted = network(image)[0].sigmoid().numpy()
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    matte = session.run(["matte"], {"image": image.numpy()})[0]
    assert (matte.shape, matte.dtype) == ((batch, 1, SIDE, SIDE), np.float32)
    assert np.ptp(wanted) > 0.1
    assert np.abs(matte - wanted).max() < 1e-2
    assert stated < 1e-2


def test_the_command_exports_the_average_of_a_checkpoint(
    network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, file = tmp_path / "checkpoint.pt", tmp_path / "packshot.onnx"
    torch.save({"network": Network().state_dict(), "average": network.state_dict(), "samples": 7}, checkpoint)
    command = ["export", "--checkpoint", str(checkpoint), "--side", str(SIDE), "--out", str(file)]
    command += ["--weights", str(tmp_path / "packshot.pt")]
    monkeypatch.setattr("sys.argv", command)
    export_module.main()
    image = torch.zeros(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        wanted = network(image)[0].sigmoid().numpy()
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert np.abs(session.run(["matte"], {"image": image.numpy()})[0] - wanted).max() < 1e-2


def test_a_side_that_the_network_cannot_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["export", "--side", "250"])
    with pytest.raises(SystemExit):
        export_module.main()
    assert "must be a multiple of 32, not 250" in capsys.readouterr().err
