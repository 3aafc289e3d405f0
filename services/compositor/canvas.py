"""Drawing a product on a white canvas.

Resampling happens in linear light on premultiplied colours, so that no colour of transparent pixels bleeds in and fine
dark detail keeps its brightness. The product is laid on white in linear light too: alpha is coverage, and light adds up
linearly in a lens, so this is what the camera would have seen in front of a white wall. Viewers blend a transparent PNG
in sRGB, which draws the soft pixels of dark products darker than that; `bench/compose.py` shows both against the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.common.color import linear_to_srgb, srgb_to_linear
from services.compositor.layout import CanvasSpec, Layout

Float = NDArray[np.float32]

# Pillow's cubic is stretched over the source when it shrinks a picture, so it does not alias, takes fractional boxes,
# and has a single small negative lobe, so clipping alpha leaves no ghost line beside an edge.
_KERNEL = Image.Resampling.BICUBIC
_KERNEL_RADIUS = 2
_SNAP = 1 / 255


@dataclass(frozen=True, slots=True)
class Packshot:
    """A finished main image and its transparent twin.

    image: (h, w, 3) uint8 sRGB, exactly (255, 255, 255) wherever alpha is 0.
    alpha: (h, w) float32 in [0, 1].
    foreground: (h, w, 3) uint8 sRGB, the product's straight colour; 0 wherever alpha is 0.
    """

    image: NDArray[np.uint8]
    alpha: Float
    foreground: NDArray[np.uint8]


def render_canvas(foreground: NDArray[np.uint8], matte: Float, layout: Layout, canvas: CanvasSpec) -> Packshot:
    """Resample the product to its place on the canvas and lay it on white.

    Args:
        foreground: (H, W, 3) uint8 sRGB, straight colour.
        matte: (H, W) float32 in [0, 1].
        layout: from `layout.plan_layout`.
        canvas: the canvas it was planned for.
    """
    alpha = np.zeros((canvas.height_px, canvas.width_px), np.float32)
    colour = np.zeros((canvas.height_px, canvas.width_px, 3), np.uint8)
    image = np.full((canvas.height_px, canvas.width_px, 3), 255, np.uint8)
    covered = matte > 0
    rows, cols = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if rows.size:
        vertical = _Axis.plan(rows[0], rows[-1] + 1, layout.scale, layout.offset[0], canvas.height_px)
        horizontal = _Axis.plan(cols[0], cols[-1] + 1, layout.scale, layout.offset[1], canvas.width_px)
        place = vertical.target, horizontal.target
        source_alpha = _cut(matte, vertical, horizontal)
        coverage = _resample(source_alpha, vertical, horizontal)
        visible = coverage >= _SNAP
        per_coverage = np.where(visible, 1 / np.maximum(coverage, _SNAP), 0)
        alpha[place] = np.where(visible, np.minimum(coverage, 1), 0)
        for channel in range(3):
            light = srgb_to_linear(_cut(cv2.extractChannel(foreground, channel), vertical, horizontal))
            light *= source_alpha
            straight = np.clip(_resample(light, vertical, horizontal) * per_coverage, 0, 1)
            colour[place][..., channel] = linear_to_srgb(straight)
            image[place][..., channel] = linear_to_srgb(1 - alpha[place] * (1 - straight))
    return Packshot(image=image, alpha=alpha, foreground=colour)


@dataclass(frozen=True, slots=True)
class _Axis:
    """One direction of a resampling: the source pixels [first, last), which may lie beyond the frame, and what the box
    (start, end) among them becomes on the canvas."""

    first: int
    last: int
    start: float
    end: float
    target: slice

    @classmethod
    def plan(cls, begin: int, end: int, scale: float, offset: float, canvas_px: int) -> _Axis:
        room = _KERNEL_RADIUS * max(scale, 1)
        low = max(math.floor(scale * begin + offset - room), 0)
        high = min(math.ceil(scale * end + offset + room), canvas_px)
        source_low, source_high = (low - offset) / scale, (high - offset) / scale
        first, last = math.floor(source_low), math.ceil(source_high)
        return cls(first, last, source_low - first, source_high - first, slice(low, high))


def _cut(plane: NDArray[Any], vertical: _Axis, horizontal: _Axis) -> NDArray[Any]:
    """The part of a plane (H, W) an axis pair reads, 0 beyond the frame."""
    height, width = plane.shape
    part = plane[max(vertical.first, 0) : vertical.last, max(horizontal.first, 0) : horizontal.last]
    beyond = (
        max(-vertical.first, 0),
        max(vertical.last - height, 0),
        max(-horizontal.first, 0),
        max(horizontal.last - width, 0),
    )
    return cv2.copyMakeBorder(part, *beyond, cv2.BORDER_CONSTANT, value=0) if any(beyond) else part


def _resample(plane: Float, vertical: _Axis, horizontal: _Axis) -> Float:
    size = horizontal.target.stop - horizontal.target.start, vertical.target.stop - vertical.target.start
    box = horizontal.start, vertical.start, horizontal.end, vertical.end
    resampled: Float = np.asarray(Image.fromarray(plane).resize(size, _KERNEL, box=box))
    return resampled
