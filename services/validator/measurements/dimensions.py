"""Size and shape of the canvas."""

from __future__ import annotations


def longest_side_px(height_px: int, width_px: int) -> int:
    """The larger side, in pixels."""
    return max(height_px, width_px)


def aspect_ratio(height_px: int, width_px: int) -> float:
    """Width over height: 1 for a square, 0.75 for an upright 3:4."""
    return width_px / height_px
