"""Jaggedness: stair-steps and wobble of the outline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.validator.measurements.outline import STRETCH, Outline

# Long enough for two steps of a matte enlarged eight times, short enough for real shapes to be nearly cubic.
_RUN = STRETCH // 2
_DEGREE = 3
_FEWEST_RUNS = 8
# Along the pixel grid steps do not show; runs this much off it (sine) can tell.
_SLANTED = 0.12


def jaggedness(outline: Outline) -> float | None:
    """How far the outline strays from its own smoothed curve, in px of the image.

    Each run of 32 points is compared with the cubic nearest to it; the root mean square of the distance across the
    outline is the run's jaggedness. The median of the runs at a slant to the pixel grid counts: a coarse matte steps
    along all of them, corners and details of the shape are in some. Scale: a clean edge gives 0.03 to 0.12 (grain and
    JPEG move it), a mask without grey levels 0.25, one enlarged four times 0.7.

    Args:
        outline: of the product. Hair and lace are not in it, so that rich detail is no jaggedness.

    Returns:
        The distance, or None if there is too little outline at a slant to judge it by.
    """
    crossing = outline.crossing.reshape(-1, _RUN, 2)
    normal = outline.normal.reshape(-1, _RUN, 2)
    slanted = np.abs(normal.mean(axis=1)).min(axis=1) > _SLANTED
    if np.count_nonzero(slanted) < _FEWEST_RUNS:
        return None
    crossing, normal = crossing[slanted], normal[slanted]
    strayed = np.einsum("ij,njk->nik", _residual(), crossing - crossing[:, :1])
    across = (strayed * normal).sum(axis=2)
    return float(np.median(np.sqrt(np.square(across).mean(axis=1))))


def _residual() -> NDArray[np.float32]:
    """float32 (32, 32): takes the points of a run to their distances from the cubic nearest to them."""
    powers = np.vander(np.linspace(-1, 1, _RUN), _DEGREE + 1)
    basis, _ = np.linalg.qr(powers)
    residual: NDArray[np.float32] = (np.eye(_RUN) - basis @ basis.T).astype(np.float32)
    return residual
