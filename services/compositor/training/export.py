"""The trained edge network as ONNX: `python -m services.compositor.training.export`.

Inputs "image" uint8 (N, S, S, 3), "trimap" uint8 (N, S, S), "prior" float32 (N, S, S) in [0, 1]; output "alpha" float32
(N, S, S) in [0, 1], exactly 0 and 1 where the trimap knows. The same weights as torch keeps them, as half floats, go
beside the trainer, for legs that start where the checkpoint is gone.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import structlog
import torch
from torch import Tensor, nn

from services.compositor.edge_network import PATCH_PX
from services.compositor.training.network import EdgeNetwork, to_input

_OPSET = 17

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path(".training/edge/checkpoint.pt"))
    parser.add_argument("--out", type=Path, default=Path("services/compositor/models/edge.onnx"))
    parser.add_argument(
        "--weights", type=Path, default=Path(__file__).parent / "edge.pt", help="what later legs start from"
    )
    args = parser.parse_args()
    network = EdgeNetwork()
    saved = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(saved["average"])
    difference = export(network, args.out)
    torch.save({"average": network.half().state_dict(), "samples": saved["samples"]}, args.weights)
    log.info("exported", file=str(args.out), bytes=args.out.stat().st_size, largest_difference=difference)


if __name__ == "__main__":
    main()
