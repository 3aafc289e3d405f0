"""Matte refinement at full resolution, in the band where the matte is unsure and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.compositor.band import window_of
from services.compositor.ghosts import without_ghosts
from services.compositor.hard_edges import unmix_edges
from services.compositor.matting import revise, soft_stretches, solve
from services.compositor.mixing import as_light_mixes
from services.compositor.tighten import tighten_matte
from services.compositor.trimap import make_trimap, with_doubt

_SNAP = 0.03  # what an estimate leaves where there is nothing, and misses where there is everything
_ROOM_PX = 256  # around the product: further than any band reaches and a patch sees
_VISIBLE = 1 / 255  # the least that 8 bits show


@dataclass(frozen=True, slots=True)
class EdgeTreatment:
    """How the product's edge is to be drawn.

    tighten_px: pull the edge this far inwards, in photo pixels, fractions count; 0 to 16.

    Raises:
        ValueError: naming the field that is out of range.
    """

    tighten_px: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.tighten_px <= 16:
            raise ValueError(f"tighten_px must be from 0 to 16, not {self.tighten_px}")


AS_FOUND = EdgeTreatment()


def refine_matte(
    image: NDArray[np.uint8],
    matte: NDArray[np.float32],
    edge: EdgeTreatment = AS_FOUND,
    *,
    uncertainty: NDArray[np.float32] | None = None,
    hairy: bool = False,
) -> NDArray[np.float32]:
    """Work alpha out again where the matte is unsure: in a band along the edge (`trimap.make_trimap`).

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].
        edge: what to do to the edge afterwards.
        uncertainty: (h, w) float32 in [0, 1], any size: where the matte is undecided; None if nobody knows.
        hairy: the product has hair, which takes more work (`matting.revise`).

    Returns:
        (H, W) float32 in [0, 1], exactly 0 or 1 outside of the band.
    """
    refined = np.zeros_like(matte)
    window = window_of(matte > 0, _ROOM_PX)  # what is farther away costs nothing
    if window is None:
        return refined
    trimap = make_trimap(matte[window])
    doubtful = trimap if uncertainty is None else with_doubt(trimap, _part(uncertainty, window, matte.shape))
    alpha = revise(image[window], matte[window], trimap, doubtful, hairy=hairy)
    refined[window] = tighten_matte(_finished(image[window], alpha, hairy=hairy), edge.tighten_px)
    return refined


def _part(uncertainty: NDArray[np.float32], window: tuple[slice, slice], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """What lies in a window of a frame of that shape, of a map (h, w) of the frame."""
    rows, cols = (
        slice(at.start * small // large, -(-min(at.stop, large) * small // large))
        for at, small, large in zip(window, uncertainty.shape, shape, strict=True)
    )
    return uncertainty[rows, cols]


def refine_trimap(image: NDArray[np.uint8], trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Alpha where somebody else has drawn the trimap: (H, W) uint8, 0 background, 128 unknown, 255 product."""
    return _finished(image, solve(image, trimap), hairy=True)


def _finished(image: NDArray[np.uint8], alpha: NDArray[np.float32], *, hairy: bool) -> NDArray[np.float32]:
    """Alpha that is almost 0 or 1 becomes that, the rest is spread over the range; then hair is told as light mixes,
    and hard edges put right."""
    spread = np.clip((alpha - np.float32(_SNAP)) / np.float32(1 - 2 * _SNAP), 0, 1)
    finished = unmix_edges(image, as_light_mixes(image, spread, soft_stretches(spread)))
    finished[finished < _VISIBLE] = 0
    finished[finished > 1 - _VISIBLE] = 1
    return finished if hairy else without_ghosts(finished)  # a loose hair may be faint all along
