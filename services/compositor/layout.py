"""Where the product goes on the canvas: pure geometry, no pixels.

Lengths and positions are in pixels; pixel (r, c) covers [r, r + 1) x [c, c + 1), so boxes are half-open and a point
of the photo at `source` lies on the canvas at `scale * source + offset`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.compositor.errors import EmptyMatteError

SOLID = 0.5  # alpha from which a pixel counts as product when the product is measured
VISIBLE = 0.02  # alpha below which a stray pixel must not decide how large the product is drawn


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box: rows top to bottom, columns left to right."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def centre(self) -> tuple[float, float]:
        return (self.top + self.bottom) / 2, (self.left + self.right) / 2


@dataclass(frozen=True, slots=True)
class CanvasSpec:
    """A white canvas and how much of it the product is to fill.

    width_px, height_px: size, at least 1.
    fill_ratio: what the product's longer side (relative to the canvas) is to cover, in (0, 1].
    keep_fill_from: a photo whose product would fill at least this much with the whole photo fitted to the canvas keeps
        that fill; above 1 nothing is kept.

    Raises:
        ValueError: naming the field that is out of range.
    """

    width_px: int = 2000
    height_px: int = 2000
    fill_ratio: float = 0.87
    keep_fill_from: float = 0.85

    def __post_init__(self) -> None:
        for name, size in (("width_px", self.width_px), ("height_px", self.height_px)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        if not 0 < self.fill_ratio <= 1:
            raise ValueError(f"fill_ratio must be above 0 and at most 1, not {self.fill_ratio}")
        if not self.keep_fill_from > 0:
            raise ValueError(f"keep_fill_from must be above 0, not {self.keep_fill_from}")


@dataclass(frozen=True, slots=True)
class Layout:
    """The place of one product on one canvas.

    scale: canvas pixels per photo pixel, the same in both directions.
    offset: (row, col) on the canvas of the photo's upper left corner; fractions and negative values are usual.
    bbox: the product on the canvas, centred; within the canvas.
    fill_ratio: max(bbox width / canvas width, bbox height / canvas height).
    upscale_factor: how much the photo is enlarged, 1 when it is not.
    rescaled: False when the product kept the fill it had in the photo.
    """

    scale: float
    offset: tuple[float, float]
    bbox: Box
    fill_ratio: float
    upscale_factor: float
    rescaled: bool


def bounding_box(matte: NDArray[np.float32]) -> Box:
    """The box around what is at least half opaque, to a fraction of a pixel: where alpha passes a half between centres.

    Args:
        matte: (H, W) float32 in [0, 1].

    Raises:
        EmptyMatteError: no pixel is.
    """
    top, bottom = _crossings(matte.max(axis=1))
    left, right = _crossings(matte.max(axis=0))
    return Box(top, left, bottom, right)


def fringe_box(matte: NDArray[np.float32]) -> Box:
    """The box of whole pixels around everything of a matte (H, W) that can be seen.

    Raises:
        EmptyMatteError: nothing can.
    """
    rows, cols = np.flatnonzero(matte.max(axis=1) >= VISIBLE), np.flatnonzero(matte.max(axis=0) >= VISIBLE)
    if not rows.size:
        raise EmptyMatteError("nothing of the matte can be seen")
    return Box(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)


def _crossings(profile: NDArray[np.float32]) -> tuple[float, float]:
    """Where a profile of pixel values, 0 beyond its ends, first and last passes `SOLID`; pixel i covers [i, i + 1)."""
    solid = np.flatnonzero(profile >= SOLID)
    if not solid.size:
        raise EmptyMatteError(f"no pixel of the matte reaches {SOLID:g}; the highest is {profile.max(initial=0):.3g}")
    padded = np.concatenate([[0.0], profile, [0.0]])
    first, last = int(solid[0]), int(solid[-1])

    def share(outside: int, inside: int) -> float:
        return float((SOLID - padded[outside]) / (padded[inside] - padded[outside]))

    return first - 0.5 + share(first, first + 1), last + 1.5 - share(last + 2, last + 1)


def plan_layout(bbox: Box, matte_shape: tuple[int, int], canvas: CanvasSpec, *, fringe: Box | None = None) -> Layout:
    """Scale the product to the canvas's fill ratio on its dominant axis and centre it by its bounding box.

    Args:
        bbox: the product in the photo, not empty.
        matte_shape: (H, W) of the photo.
        canvas: the target.
        fringe: everything of the product that can be seen, such as hair; it ends on the canvas too, and
            the product is made smaller where it otherwise would not. Taken to be `bbox` when not given.
    """
    fringe = fringe or bbox
    unit_fill = max(bbox.width / canvas.width_px, bbox.height / canvas.height_px)
    frame_scale = min(canvas.width_px / matte_shape[1], canvas.height_px / matte_shape[0])
    keeps = unit_fill * frame_scale >= canvas.keep_fill_from
    scale = frame_scale if keeps else canvas.fill_ratio / unit_fill

    row, col = bbox.centre
    reach_row = max(row - fringe.top, fringe.bottom - row, bbox.height / 2)
    reach_col = max(col - fringe.left, fringe.right - col, bbox.width / 2)
    scale = min(scale, canvas.height_px / 2 / reach_row, canvas.width_px / 2 / reach_col)

    offset = canvas.height_px / 2 - scale * row, canvas.width_px / 2 - scale * col
    return Layout(
        scale=scale,
        offset=offset,
        bbox=Box(
            scale * bbox.top + offset[0],
            scale * bbox.left + offset[1],
            scale * bbox.bottom + offset[0],
            scale * bbox.right + offset[1],
        ),
        fill_ratio=scale * unit_fill,
        upscale_factor=max(1.0, scale),
        rescaled=not keeps,
    )
