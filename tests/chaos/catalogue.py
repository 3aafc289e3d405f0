"""Photos for jobs under chaos: small, cheap to process, no two alike."""

import numpy as np

from packshot.client import JobPhoto
from services.common.photo import encode_jpeg
from tests.chaos.poisoned_segmenter import POISON
from tests.helpers.product_photos import mug_image

SIDE_PX = 160


def good(count: int) -> list[JobPhoto]:
    """Mugs of as many colours."""
    colors = np.random.default_rng(3).permutation(64**3)[:count]
    return [
        JobPhoto(key=f"mug-{index:04}", sku=f"MUG-{index:04}", photo=_mug(int(color)))
        for index, color in enumerate(colors)
    ]


def corrupt(count: int) -> list[JobPhoto]:
    """Files that end in the middle, and web pages in place of photos, in turns."""
    return [
        JobPhoto(
            key=f"corrupt-{index:04}",
            photo=_mug(1000 + index)[:1500] if index % 2 else f"<html>not found {index}</html>".encode(),
        )
        for index in range(count)
    ]


def poison() -> JobPhoto:
    """A photo like any other, but `poisoned_segmenter` dies of it."""
    return JobPhoto(key="poison", photo=_mug(4242) + POISON)


def _mug(color: int) -> bytes:
    red, green, blue = (int(part) for part in np.unravel_index(color, (64, 64, 64)))
    return encode_jpeg(mug_image(SIDE_PX, (2 * red + 10, 2 * green + 10, 2 * blue + 10)), 90)
