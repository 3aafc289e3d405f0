"""Jaggedness: stair-steps and wobble of the outline."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.validator.measurements.outline import STRETCH, Outline

_FEWEST_STRETCHES = 4
_DEGREE = 3
_QUANTILE = 0.75


def jaggedness(outline: Outline) -> float | None:
    """How far the outline strays from its own smoothed curve, in px of the image.

    Each stretch of 64 points is compared with the cubic nearest to it; the root mean square of the distance across the
    outline is the stretch's jaggedness, and the upper quartile of the stretches is the product's: steps do not show on
    stretches that run along the pixel grid. Scale: a clean edge gives 0.05 to 0.15 (grain and JPEG move it), a mask
    without grey levels 0.25, a mask enlarged four times 1.

    Args:
        outline: of the product. Corners, hair and lace are not in it, so that rich detail is no jaggedness.

    Returns:
        The distance, or None if there are fewer than 4 stretches of outline to judge it by.
    """
    if len(outline.crossing) < _FEWEST_STRETCHES:
        return None
    strayed = np.einsum("ij,njk->nik", _residual(), outline.crossing - outline.crossing[:, :1])
    across = (strayed * outline.normal).sum(axis=2)
    return float(np.quantile(np.sqrt(np.square(across).mean(axis=1)), _QUANTILE))


@cache
def _residual() -> NDArray[np.float32]:
    """float32 (64, 64): takes the points of a stretch to their distances from the cubic nearest to them."""
    powers = np.vander(np.linspace(-1, 1, STRETCH), _DEGREE + 1)
    basis, _ = np.linalg.qr(powers)
    return (np.eye(STRETCH) - basis @ basis.T).astype(np.float32)
