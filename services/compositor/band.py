"""The pixels of a band as flat lists and the blocks they lie in: work grows with the band, not with the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Band:
    """A set of pixels of an (H, W) picture.

    rows, cols: (N,) int32.
    shape: (H, W).
    """

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    shape: tuple[int, int]

    @classmethod
    def where(cls, mask: NDArray[np.bool_]) -> Band:
        """The pixels where `mask` (H, W) holds, in row order."""
        height, width = mask.shape
        rows, cols = np.divmod(np.flatnonzero(mask).astype(np.int32), np.int32(width))
        return cls(rows, cols, (height, width))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def index(self) -> Index:
        """(N,) positions in the flattened picture."""
        return self._flat(self.rows, self.cols)

    def shifted(self, rows: NDArray[np.floating[Any]] | int, cols: NDArray[np.floating[Any]] | int) -> Index:
        """(N,) flat positions of the pixels that many (fractional: nearest) px further; the frame stops the step."""
        return self._flat(
            np.clip(np.rint(self.rows + rows), 0, self.shape[0] - 1),
            np.clip(np.rint(self.cols + cols), 0, self.shape[1] - 1),
        )

    def _flat(self, rows: NDArray[np.generic], cols: NDArray[np.generic]) -> Index:
        return rows.astype(np.intp) * self.shape[1] + cols.astype(np.intp)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a picture to work on, with room around it to look into.

    core: rows and columns of the frame that are this block's own; cores do not overlap.
    roomy: the core and the room around it, as far as the frame goes.
    core_in_roomy: the core counted from the upper left of `roomy`.
    """

    core: tuple[slice, slice]
    roomy: tuple[slice, slice]
    core_in_roomy: tuple[slice, slice]


def window_of(mask: NDArray[np.bool_], room_px: int) -> tuple[slice, slice] | None:
    """The rows and columns of the true pixels of `mask` (H, W), with room around them; None if there are none."""
    extents = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not extents[0].size:
        return None
    rows, cols = (slice(max(int(at[0]) - room_px, 0), int(at[-1]) + 1 + room_px) for at in extents)
    return rows, cols


def blocks_with(mask: NDArray[np.bool_], *, core_px: int = 384, room_px: int) -> Iterator[Block]:
    """Cut a frame into blocks and give those that hold a true pixel of `mask` (H, W), row by row."""
    height, width = mask.shape
    for top in range(0, height, core_px):
        for left in range(0, width, core_px):
            bottom, right = min(top + core_px, height), min(left + core_px, width)
            if not mask[top:bottom, left:right].any():
                continue
            upper, outer = max(top - room_px, 0), max(left - room_px, 0)
            yield Block(
                core=(slice(top, bottom), slice(left, right)),
                roomy=(slice(upper, bottom + room_px), slice(outer, right + room_px)),
                core_in_roomy=(slice(top - upper, bottom - upper), slice(left - outer, right - outer)),
            )
