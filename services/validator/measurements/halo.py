"""Halo: colour of the old background left on the product's rim."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.edge_color import difference, rim_of

_FEWEST_RIM_PX = 30


def halo(
    image: NDArray[np.uint8], product: NDArray[np.uint8], matte: NDArray[np.float32] | None = None
) -> float | None:
    """Mean CIEDE2000 between the rim as it is and as its inside continued over white would look.

    Products vary in colour without any halo, so the same difference is taken between the inside and a pixel as much
    deeper as the rim is further out, laid over white in the same way, and its mean is subtracted.

    Args:
        image: uint8 (H, W, 3) RGB, the product on white.
        product: uint8 (H, W), non-zero on the product but for its holes.
        matte: float32 (H, W) in [0, 1], if known.

    Returns:
        Mean ΔE00, at least 0, or None if the product is too thin or too small to have an inside.
    """
    rim = rim_of(image, product, matte)
    if rim is None or rim.rows.size < _FEWEST_RIM_PX:
        return None
    at_rim = float(difference(rim.observed, rim.expected).mean())
    natural = float(difference(rim.natural_observed, rim.natural_expected).mean()) if rim.natural_rows.size else 0.0
    return max(0.0, at_rim - natural)
