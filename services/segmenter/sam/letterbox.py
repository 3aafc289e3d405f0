"""How an image lies in SAM's square: scaled to its longest side, in the upper left corner, padding below or right.

SAM answers masks at a quarter of the square's side; that quarter is called the grid here. For the published models the
square is 1024 px and the grid 256 px.

Reference: Kirillov et al., "Segment Anything", ICCV 2023, appendix A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.segmenter.masks import resize
from services.segmenter.proposal import Point

GRID_STRIDE_PX = 4  # square pixels per grid pixel

_MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # of sRGB bytes, as SAM was trained
_STD = np.array([58.395, 57.12, 57.375], np.float32)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Attributes:
    side_px: the square's side.
    height, width: what of the square the image fills, in square pixels.
    """

    side_px: int
    height: int
    width: int

    @classmethod
    def of(cls, height: int, width: int, side_px: int) -> Letterbox:
        """The letterbox of an image of one size; no side gets under 1 px."""
        scale = side_px / max(height, width)
        return cls(side_px, max(1, math.floor(height * scale + 0.5)), max(1, math.floor(width * scale + 0.5)))

    @property
    def grid_side(self) -> int:
        return self.side_px // GRID_STRIDE_PX

    @property
    def grid_size(self) -> tuple[int, int]:
        """(height, width) of the grid that shows anything of the image."""
        return math.ceil(self.height / GRID_STRIDE_PX), math.ceil(self.width / GRID_STRIDE_PX)

    def to_input(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Image (H, W, 3) uint8 RGB to the encoder's (1, 3, S, S) float32: normalised, 0 where padded."""
        scaled = np.asarray(Image.fromarray(image).resize((self.width, self.height), Image.Resampling.BILINEAR))
        square = np.zeros((1, 3, self.side_px, self.side_px), np.float32)
        square[0, :, : self.height, : self.width] = ((scaled.astype(np.float32) - _MEAN) / _STD).transpose(2, 0, 1)
        return square

    def to_grid(self, matte: NDArray[np.float32]) -> NDArray[np.float32]:
        """Matte of the whole image, any size, to the grid (G, G), 0 where padded."""
        square = np.zeros((self.side_px, self.side_px), np.float32)
        square[: self.height, : self.width] = resize(matte, self.height, self.width)
        return resize(square, self.grid_side, self.grid_side)

    def point_to_grid(self, point: Point, source: tuple[int, ...]) -> Point:
        """A point of an image of one (height, width) on the grid."""
        row = point.row * self.height // source[0] // GRID_STRIDE_PX
        col = point.col * self.width // source[1] // GRID_STRIDE_PX
        return Point(row, col, point.is_product)

    def from_grid(self, logits: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
        """Logits on the grid (G, G) to the whole image at a size (height, width)."""
        square = cv2.resize(logits, (self.side_px, self.side_px), interpolation=cv2.INTER_LINEAR)
        return resize(np.ascontiguousarray(square[: self.height, : self.width]), height, width)
