"""Halo: colour of the old background left on the product's rim."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.color import ciede2000, linear_to_srgb, srgb_to_lab
from services.common.edge_color import rim_of

_FEWEST_RIM_PX = 30
# Side of the patches that colours are averaged over, on a canvas of 2000 px.
_PATCH_PX_AT_2000 = 24
_SMALLEST_PATCH_PX = 6
_FEWEST_IN_PATCH = 6
_QUANTILE = 0.25


def halo(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> float | None:
    """CIEDE2000 between the rim as it is and as its inside continued over white would look.

    Eyes see the colour of a stretch of rim, not of its pixels: both are averaged over patches of 24 px (on a canvas of
    2000 px) before they are compared, so that texture and grain cancel and what is left of an old background, which
    shifts all pixels the same way, does not. The lower quartile of the patches counts: a bad cut leaves its colour all
    around, while highlights and parts of several materials change single stretches of a clean rim as much.

    Products vary in colour without any halo, so the same is measured between the inside and pixels as much deeper as
    the rim is further out, laid over white in the same way, and subtracted.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product but for its holes.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        ΔE00, at least 0, or None if the product is too thin or too small to have an inside.
    """
    rim = rim_of(image, product, matte)
    if rim is None or rim.rows.size < _FEWEST_RIM_PX:
        return None
    side_px = max(_SMALLEST_PATCH_PX, round(_PATCH_PX_AT_2000 * max(image.shape[:2]) / 2000))
    at_rim = _by_patch(rim.rows // side_px, rim.cols // side_px, rim.observed, rim.expected)
    natural = _by_patch(
        rim.natural_rows // side_px, rim.natural_cols // side_px, rim.natural_observed, rim.natural_expected
    )
    return max(0.0, at_rim - natural)


def _by_patch(
    rows: NDArray[np.intp], cols: NDArray[np.intp], observed: NDArray[np.float32], expected: NDArray[np.float32]
) -> float:
    """Lower quartile over the patches of the ΔE00 between their mean colours; 0 without pixels."""
    if not rows.size:
        return 0.0
    _, patch, counts = np.unique(rows * (int(cols.max()) + 1) + cols, return_inverse=True, return_counts=True)
    means = [
        np.stack([np.bincount(patch, channel) for channel in srgb_to_lab(linear_to_srgb(colors)).T], axis=1)
        / counts[:, None]
        for colors in (observed, expected)
    ]
    kept = counts >= min(_FEWEST_IN_PATCH, counts.max())
    return float(np.quantile(ciede2000(*means)[kept], _QUANTILE))
