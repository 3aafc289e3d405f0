"""What the compositor costs on large photos: time, memory, and how both grow with the frame."""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from bench.edges.scores import Image, Matte
from bench.memory import peak_mb
from bench.photos import EXAMPLES, example_image
from services.common.photo import encode_jpeg
from services.compositor.compose import place, prepare_product
from services.compositor.layout import CanvasSpec
from tests.helpers.composites import coarse

_MATTES = Path(__file__).resolve().parent.parent / "scenes" / "mattes"
_SIDES_PX = (2048, 4900)
_FRAME_PX = 2048
_JPEG_QUALITY = 95
_HEADER = "| photo | size | refine and colour | layout and canvas | encode | together | processor | peak MB |\n" + (
    "|---" * 8 + "|"
)


def print_cost(runs: int, wanted: Callable[[str], bool]) -> None:
    """Print the tables: every wanted example at two sizes, and in a frame of twice the side around the same pixels."""
    photos = sorted(path.name for path in EXAMPLES.glob("*.jpg") if wanted(path.stem))
    print("Warm medians in ms of wall time, the processor time of all steps (all threads; other work on the machine")
    print("inflates the former more), and the highest resident memory of a fresh process that does nothing else.")
    print("The matte is the exact one, averaged down to 320 px and enlarged.\n")
    print(_HEADER)
    for side in _SIDES_PX:
        for photo in photos:
            print(_row(photo, f"{side}²", *_measured(*_squared(photo, side), runs)), flush=True)
    print("\nThe same product in a frame of twice the side, of which all that is added is background.\n")
    print(_HEADER.replace("peak MB |", "peak MB | adds |") + "---|")
    for photo in photos:
        image, matte = _squared(photo, _FRAME_PX)
        alone = _measured(image, matte, runs)
        room = (_FRAME_PX // 2,) * 4
        wider = _measured(
            np.asarray(cv2.copyMakeBorder(image, *room, cv2.BORDER_REPLICATE)),
            np.asarray(cv2.copyMakeBorder(matte, *room, cv2.BORDER_CONSTANT, value=0)),
            runs,
        )
        print(_row(photo, f"{_FRAME_PX}²", *alone) + " |")
        print(_row(photo, f"in {2 * _FRAME_PX}²", *wider) + f" {sum(wider[0]) / sum(alone[0]) - 1:+.0%} |", flush=True)


def _row(photo: str, size: str, steps: list[float], processor: float, memory: float) -> str:
    milliseconds = " | ".join(f"{1000 * seconds:.0f}" for seconds in (*steps, sum(steps), processor))
    return f"| {Path(photo).stem} | {size} | {milliseconds} | {memory:.0f} |"


def _squared(photo: str, side: int) -> tuple[Image, Matte]:
    """The middle square of a photo at another size, with a matte as a 320 px network would give it."""
    exact = PillowImage.open(_MATTES / f"{Path(photo).stem}.png").convert("L")
    floating = PillowImage.fromarray(np.asarray(exact).astype(np.float32) / np.float32(255))
    image = np.asarray(ImageOps.fit(PillowImage.fromarray(example_image(photo)), (side, side)))
    return image, coarse(np.clip(np.asarray(ImageOps.fit(floating, (side, side))), 0, 1))


def _measured(image: Image, matte: Matte, runs: int) -> tuple[list[float], float, float]:
    """Median seconds of each step, median processor seconds, peak MB: in a process that only gets the arrays."""
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, image=image, matte=matte)
        file.flush()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_timed, (file.name, runs))


def _timed(file: str, runs: int) -> tuple[list[float], float, float]:
    with np.load(file) as arrays:
        image: Image = arrays["image"]
        matte: Matte = arrays["matte"]
    timings: list[NDArray[np.float64]] = []
    processor = []
    for _ in range(runs + 1):
        busy = time.process_time()
        marks = [time.perf_counter()]
        product = prepare_product(image, matte)
        marks.append(time.perf_counter())
        _, packshot = place(product, CanvasSpec())
        marks.append(time.perf_counter())
        encode_jpeg(packshot.image, _JPEG_QUALITY)
        marks.append(time.perf_counter())
        timings.append(np.diff(marks))
        processor.append(time.process_time() - busy)
        del product, packshot
    steps = [statistics.median(step) for step in zip(*timings[1:], strict=True)]
    return steps, statistics.median(processor[1:]), peak_mb()
