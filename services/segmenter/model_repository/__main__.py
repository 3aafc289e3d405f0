"""Writes a Triton model repository: `python -m services.segmenter.model_repository --out DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from services.segmenter.model import ModelError
from services.segmenter.model_repository.catalogue import SERVED
from services.segmenter.model_repository.config import Options
from services.segmenter.model_repository.writer import write_model


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 when a model cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m services.segmenter.model_repository", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the repository; made if missing")
    parser.add_argument("--models", required=True, help=f"comma-separated, of: {', '.join(sorted(SERVED))}")
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="folder with the models' weights")
    parser.add_argument(
        "--backend",
        choices=("onnxruntime", "python"),
        default="onnxruntime",
        help="onnxruntime: Triton's own, for GPUs and CPUs; python: needs python and onnxruntime beside Triton, CPUs",
    )
    parser.add_argument("--instances", type=int, default=1, help="copies that run at the same time (for each GPU)")
    parser.add_argument("--threads", type=int, default=0, help="threads of one run on the CPU; 0: every core")
    parser.add_argument(
        "--open-batch",
        action="store_true",
        help="let models that were exported for one photo take batches, where running them shows that they can",
    )
    parser.add_argument("--tensorrt", choices=("fp32", "fp16"), help="let TensorRT compute on GPUs, in this precision")
    given = parser.parse_args(arguments)
    names = [name.strip() for name in given.models.split(",")]
    unknown = [name for name in names if name not in SERVED]
    if unknown:
        parser.error(f"--models: unknown {', '.join(unknown)}; known are {', '.join(sorted(SERVED))}")
    if given.instances < 1 or given.threads < 0:
        parser.error("--instances must be at least 1 and --threads at least 0")
    if given.tensorrt and given.backend != "onnxruntime":
        parser.error("--tensorrt needs --backend onnxruntime")
    options = Options(given.backend, given.instances, given.threads, given.tensorrt)
    for name in names:
        model = SERVED[name]
        try:
            weights = model.weights(given.models_dir)
            signature = write_model(model, weights, given.out, options, open_batch_of_one=given.open_batch)
        except ModelError as error:
            print(f"{error} (the folder is --models-dir)", file=sys.stderr)  # noqa: T201
            return 2
        alone = "its nodes insist on it" if given.open_batch else "it was exported so, --open-batch may change that"
        batches = "with dynamic batching" if signature.takes_batches else f"one photo at a time: {alone}"
        print(f"{given.out / name}: {given.backend} backend, {batches}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
