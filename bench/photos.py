"""Photos to measure speed with, made from our own examples."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.photo import decode_photo, encode_jpeg

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def example_image(name: str = "mug.jpg") -> NDArray[np.uint8]:
    """One of the example photos: uint8 (H, W, 3) RGB."""
    return decode_photo((EXAMPLES / name).read_bytes()).image


def square_photo(side_px: int, name: str = "mug.jpg", quality: int = 92) -> bytes:
    """An example as a square JPEG of the side given: the middle of the photo, scaled."""
    image = example_image(name)
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = np.ascontiguousarray(image[top : top + side, left : left + side])
    interpolation = cv2.INTER_AREA if side_px < side else cv2.INTER_CUBIC
    return encode_jpeg(
        np.asarray(cv2.resize(square, (side_px, side_px), interpolation=interpolation), np.uint8), quality
    )
