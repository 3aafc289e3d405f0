"""Fill: how much of the canvas the product takes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open bounding box in pixels; an empty one has no height and no width."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height_px(self) -> int:
        return self.bottom - self.top

    @property
    def width_px(self) -> int:
        return self.right - self.left

    def crop(self, array: NDArray[np.uint8], margin_px: int = 0) -> tuple[slice, slice]:
        """The box as slices of an array, widened by a margin as far as the array goes."""
        rows, cols = array.shape[:2]
        return (
            slice(max(0, self.top - margin_px), min(rows, self.bottom + margin_px)),
            slice(max(0, self.left - margin_px), min(cols, self.right + margin_px)),
        )


def bounding_box(product: NDArray[np.uint8]) -> Box:
    """Smallest box that holds every non-zero pixel.

    Args:
        product: uint8 (H, W), non-zero on the product.
    """
    left, top, width, height = cv2.boundingRect(product)
    return Box(top, left, top + height, left + width)


def fill_ratio(box: Box, height_px: int, width_px: int) -> float:
    """max(box width / canvas width, box height / canvas height), in [0, 1]; 0 without a product."""
    return max(box.width_px / width_px, box.height_px / height_px)


def bbox_area_share(box: Box, height_px: int, width_px: int) -> float:
    """The box's area as a share of the canvas, in [0, 1]."""
    return box.width_px * box.height_px / (width_px * height_px)


def matte_area_share(matte: NDArray[np.float32]) -> float:
    """The matte's mean: the product's own area as a share of the canvas, half covered pixels counting half."""
    return float(cv2.mean(matte)[0])
