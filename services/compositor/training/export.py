"""The trained edge network as ONNX: `python -m services.compositor.training.export`.

Inputs "image" uint8 (N, S, S, 3), "trimap" uint8 (N, S, S), "prior" float32 (N, S, S) in [0, 1]; output "alpha" float32
(N, S, S) in [0, 1], exactly 0 and 1 where the trimap knows. What is shipped has 8-bit convolutions (`quantize`), their
ranges learnt from samples. The same weights as torch keeps them, as half floats, go beside the trainer, for legs that
start where the checkpoint is gone.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort
import structlog
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.compositor.edge_network import PATCH_PX
from services.compositor.training.network import EdgeNetwork, to_input
from services.compositor.training.quantize import quantize
from services.compositor.training.samples import SampleMaker

_OPSET = 17
_CALIBRATION_BATCHES, _CALIBRATION_BATCH = 32, 8

log = structlog.get_logger()


class _Shipped(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """From bytes to alpha with the known pixels as they are."""

    def __init__(self, network: EdgeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, trimap: Tensor, prior: Tensor) -> Tensor:
        known, believed = trimap[:, None].float(), prior[:, None]
        alpha = self.network(to_input(image.permute(0, 3, 1, 2), known, believed)).clamp(0, 1)
        return torch.where(known == 128, alpha, (known == 255).float())[:, 0]


def export(network: EdgeNetwork, target: Path) -> float:
    """Write the model; returns the largest difference to the network's own output on a random input."""
    shipped = _Shipped(network).eval()
    image = torch.randint(0, 256, (2, PATCH_PX, PATCH_PX, 3), dtype=torch.uint8)
    trimap = torch.tensor([0, 128, 255], dtype=torch.uint8)[torch.randint(0, 3, (2, PATCH_PX, PATCH_PX))]
    prior = torch.rand(2, PATCH_PX, PATCH_PX)
    names = ["image", "trimap", "prior"]
    target.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have its newer exporter, which needs onnxscript
        torch.onnx.export(
            shipped,
            (image, trimap, prior),
            str(target),
            input_names=names,
            output_names=["alpha"],
            dynamic_axes={name: {0: "n"} for name in (*names, "alpha")},
            opset_version=_OPSET,
            dynamo=False,
        )
    with torch.inference_mode():
        expected = shipped(image, trimap, prior).numpy()
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    given = dict(zip(names, (part.numpy() for part in (image, trimap, prior)), strict=True))
    return float(np.abs(np.asarray(session.run(["alpha"], given)[0]) - expected).max())


def calibration(maker: SampleMaker) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Batches of samples as the model takes them, the same each time."""
    for batch in range(_CALIBRATION_BATCHES):
        samples = [maker.draw(np.random.default_rng((batch, index))) for index in range(_CALIBRATION_BATCH)]
        yield {
            "image": np.stack([sample.image for sample in samples]),
            "trimap": np.stack([sample.trimap for sample in samples]),
            "prior": np.stack([sample.prior for sample in samples]).astype(np.float32) / 255,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path(".training/edge/checkpoint.pt"))
    parser.add_argument("--source", type=Path, default=Path("../shared/train"), help="what samples are made of")
    parser.add_argument("--out", type=Path, default=Path("services/compositor/models/edge.onnx"))
    parser.add_argument(
        "--weights", type=Path, default=Path(__file__).parent / "edge.pt", help="what later legs start from"
    )
    args = parser.parse_args()
    network = EdgeNetwork()
    saved = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(saved["average"])
    with TemporaryDirectory() as folder:
        exact = Path(folder) / "exact.onnx"
        difference = export(network, exact)
        quantize(exact, args.out, calibration(SampleMaker(args.source, PATCH_PX)))
    torch.save({"average": network.half().state_dict(), "samples": saved["samples"]}, args.weights)
    log.info("exported", file=str(args.out), bytes=args.out.stat().st_size, largest_difference=difference)


if __name__ == "__main__":
    main()
