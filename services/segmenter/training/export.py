"""The trained network as ONNX: `python -m services.segmenter.training.export`.

Input "image" float32 (N, 3, S, S) in [-1, 1]; output "matte" float32 (N, 1, S, S) in [0, 1]. Weights are stored as
half floats and widened when a session loads them: half the bytes, the same arithmetic. The same weights as torch keeps
them go beside the trainer, for legs that start where the checkpoint is gone.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import structlog
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from services.segmenter.training.network import Network
from services.segmenter.training.train import input_side

_OPSET = 17
_WEIGHTS = Path(__file__).parent / "packshot.pt"
_WORTH_NARROWING = 512  # values; smaller ones are scales and shapes

log = structlog.get_logger()


class _Shipped(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """The network with its finest output as probabilities, and nothing else."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        finest: Tensor = self.network(image)[0]
        return finest.sigmoid()


def export(network: Network, side: int, target: Path) -> float:
    """Write the model; returns the largest difference to the network's own output on a random input."""
    shipped = _Shipped(network).eval()
    example = torch.rand(2, 3, side, side) * 2 - 1
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have its newer exporter, which needs onnxscript
        full = Path(folder) / "full.onnx"
        torch.onnx.export(
            shipped,
            (example,),
            str(full),
            input_names=["image"],
            output_names=["matte"],
            dynamic_axes={"image": {0: "n"}, "matte": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )
        model = onnx.load(str(full))
    _narrow(model)
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(target))
    with torch.inference_mode():
        expected = shipped(example).numpy()
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    seen = np.asarray(session.run(["matte"], {"image": example.numpy()})[0])
    return float(np.abs(seen - expected).max())


def _narrow(model: onnx.ModelProto) -> None:
    """Large weights become half floats with a Cast behind each, which ONNX Runtime folds away when it loads."""
    casts = []
    for weights in model.graph.initializer:
        if weights.data_type != onnx.TensorProto.FLOAT or np.prod(weights.dims) < _WORTH_NARROWING:
            continue
        half = f"{weights.name}.half"
        values = numpy_helper.to_array(weights).astype(np.float16)
        casts.append(onnx.helper.make_node("Cast", [half], [weights.name], to=onnx.TensorProto.FLOAT))
        weights.CopyFrom(numpy_helper.from_array(values, half))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path(".training/run/checkpoint.pt"))
    parser.add_argument("--side", type=input_side, default=448, help="pixels of the square input")
    parser.add_argument("--out", type=Path, default=Path("services/segmenter/models/packshot.onnx"))
    parser.add_argument("--weights", type=Path, default=_WEIGHTS, help="what later legs start from")
    args = parser.parse_args()
    network = Network()
    saved = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(saved["average"])
    difference = export(network, args.side, args.out)
    torch.save({"average": network.half().state_dict(), "samples": saved["samples"]}, args.weights)
    log.info("exported", file=str(args.out), bytes=args.out.stat().st_size, largest_difference=difference)


if __name__ == "__main__":
    main()
