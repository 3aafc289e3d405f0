"""How long models take for one image with ONNX Runtime, several by turns in one run.

    python -m bench.model_speed packshot=services/segmenter/models/packshot.onnx u2netp=../shared/models/u2netp.onnx

Each is NAME=WEIGHTS with a name of the registry. Measured as the segmenter runs it: the network alone at its input
size, and from a photo of 1024 × 1024, which is made that size first.
"""

import argparse
import statistics
import time
from pathlib import Path

from bench.photos import square_photo
from services.common.photo import decode_photo
from services.segmenter.learned import LearnedProposer, prepare
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import MODELS, model_spec

_WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=WEIGHTS", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()

    image = decode_photo(square_photo(1024)).image
    loaded = []
    for given in arguments.models:
        name, _, weights = given.partition("=")
        spec = model_spec(name)
        loaded.append((spec, OnnxModel(spec, Path(weights), threads=arguments.threads), Path(weights)))
    alone_ms: dict[str, list[float]] = {spec.name: [] for spec, _, _ in loaded}
    whole_ms: dict[str, list[float]] = {spec.name: [] for spec, _, _ in loaded}
    for run in range(_WARM_UP + arguments.runs):
        for spec, model, _ in loaded:
            prepared = prepare(image, spec)
            started = time.perf_counter()
            model.run(prepared)
            between = time.perf_counter()
            LearnedProposer(spec, model).probabilities(image)
            ended = time.perf_counter()
            if run >= _WARM_UP:
                alone_ms[spec.name].append((between - started) * 1000)
                whole_ms[spec.name].append((ended - between) * 1000)
    print(f"{arguments.runs} runs by turns, {arguments.threads} threads.\n")
    print("| model | weights MB | input px | network median ms | min | max | from a 1024² photo, median ms |")
    print("|---|---|---|---|---|---|---|")
    for spec, _, weights in loaded:
        alone = alone_ms[spec.name]
        print(
            f"| {spec.name} | {weights.stat().st_size / 1e6:.1f} | {spec.input_side_px} "
            f"| {statistics.median(alone):.0f} | {min(alone):.0f} | {max(alone):.0f} "
            f"| {statistics.median(whole_ms[spec.name]):.0f} |"
        )


if __name__ == "__main__":
    main()
