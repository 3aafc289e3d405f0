"""A model behind Triton and in this process: the same mattes, and how many images a second for one caller and for many.

    python -m bench.triton --model packshot --weights services/segmenter/models/packshot.onnx --photos DIR

A real Triton server (`make triton`) serves the model with the python backend on this machine's CPU. A caller prepares
a photo and waits for its matte before it takes the next one, as a worker of the segmenter does; "in process" is the
same callers on one session of ONNX Runtime in this process.
"""

import argparse
import asyncio
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray
from tritonclient.grpc.aio import InferenceServerClient

from bench.photos import example_image
from services.common.photo import decode_photo
from services.segmenter.learned import LearnedProposer
from services.segmenter.masks import resize, working_size
from services.segmenter.model_repository.catalogue import ServedModel
from services.segmenter.model_repository.config import Options
from services.segmenter.model_repository.writer import write_model
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import model_spec
from services.segmenter.triton_model import Triton
from tools.triton_server import TritonServer

_WARM_UP = 8
_PHOTO_SIDE_PX = 1024
_TIMEOUT_S = 120.0
_ONE_STEP = 1 / 255 + 1e-6


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="packshot", help="a name of the registry")
    parser.add_argument("--weights", type=Path, required=True, help="its ONNX file")
    parser.add_argument("--photos", type=Path, help="folder of .jpg photos; without it an example")
    parser.add_argument("--images", type=int, default=160, help="images for each row of the table")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--instances", type=int, default=1, help="of the model, on Triton")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of one run, there and here")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    photos = _photos(arguments.photos)
    spec = model_spec(arguments.model)
    here = LearnedProposer(spec, OnnxModel(spec, arguments.weights, threads=arguments.threads))
    with tempfile.TemporaryDirectory(prefix="triton-") as folder:
        repository = Path(folder) / "repository"
        row = ServedModel(spec.name, arguments.weights.name, spec.input_side_px)
        options = Options("python", instances=arguments.instances, threads=arguments.threads)
        signature = write_model(row, arguments.weights, repository, options, open_batch_of_one=True)
        server = TritonServer(repository, start_timeout_s=900.0)
        server.start()
        triton = Triton(server.url, _TIMEOUT_S)
        there = LearnedProposer(spec, triton.model(spec))
        try:
            batching = "with" if signature.takes_batches else "without"
            print(
                f"{spec.name}, {spec.input_side_px} px, {os.cpu_count()} cores, {arguments.threads} threads a run, "
                f"{arguments.instances} instances on Triton, {batching} dynamic batching.\n"
            )
            print("| model runs | callers | images | images/s | median ms | images a run |")
            print("|---|---|---|---|---|---|")
            for where, proposer in (("in process", here), ("on Triton", there)):
                for callers in arguments.callers:
                    before = await _counts(server.url, spec.name)
                    seconds, each_ms = await asyncio.to_thread(
                        _measure, proposer.probabilities, photos, callers, arguments.images
                    )
                    inferences, runs = (
                        b - a for a, b in zip(before, await _counts(server.url, spec.name), strict=True)
                    )
                    print(
                        f"| {where} | {callers} | {arguments.images} | {arguments.images / seconds:.1f} "
                        f"| {statistics.median(each_ms):.0f} | {f'{inferences / runs:.1f}' if runs else '1.0'} |"
                    )
            await asyncio.to_thread(_compare, here, there, photos)
        finally:
            await triton.close()
            server.stop()


def _measure(
    run: Callable[[NDArray[np.uint8]], object], photos: list[NDArray[np.uint8]], callers: int, images: int
) -> tuple[float, list[float]]:
    """Seconds for all images, and milliseconds of each."""

    def timed(photo: NDArray[np.uint8]) -> float:
        started = time.perf_counter()
        run(photo)
        return (time.perf_counter() - started) * 1000

    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(timed, islice(cycle(photos), max(_WARM_UP, callers))))
        started = time.perf_counter()
        each_ms = list(pool.map(timed, islice(cycle(photos), images)))
        return time.perf_counter() - started, each_ms


async def _counts(url: str, model: str) -> tuple[int, int]:
    """Images and runs that Triton has counted."""
    async with InferenceServerClient(url) as client:
        found = (await client.get_inference_statistics(model)).model_stats[0]
    return found.inference_count, found.execution_count


def _compare(here: LearnedProposer, there: LearnedProposer, photos: list[NDArray[np.uint8]]) -> None:
    """The proposals' mattes, after both looks."""
    within, largest = [], []
    for photo in photos:
        difference = np.abs(here.propose(photo).matte - there.propose(photo).matte)
        within.append(float((difference <= _ONE_STEP).mean()))
        largest.append(float(difference.max()))
    print("\n| photos | pixels within 1/255, mean | worst photo | largest difference |\n|---|---|---|---|")
    print(f"| {len(photos)} | {100 * statistics.mean(within):.3f} % | {100 * min(within):.3f} % | {max(largest):.1e} |")


def _photos(folder: Path | None) -> list[NDArray[np.uint8]]:
    """Photos at 1024 px at the most, as the segmenter's work on larger ones is not what is measured here."""
    if folder is None:
        images = [example_image()]
    else:
        images = [decode_photo(file.read_bytes()).image for file in sorted(folder.glob("*.jpg"))]
    if not images:
        raise SystemExit(f"no .jpg photos in {folder}")
    return [resize(image, *working_size(image.shape[0], image.shape[1], _PHOTO_SIDE_PX)) for image in images]


if __name__ == "__main__":
    asyncio.run(main())
