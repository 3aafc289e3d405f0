"""The pixels of a band as flat lists, so that work on them grows with the band and not with the frame."""

from __future__ import annotations

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


def window_of(mask: NDArray[np.bool_], *, room_px: int) -> tuple[slice, slice] | None:
    """The part of the frame with every true pixel of `mask` (H, W) and `room_px` around; None if there is none."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return (
        slice(max(0, int(rows[0]) - room_px), int(rows[-1]) + 1 + room_px),
        slice(max(0, int(cols[0]) - room_px), int(cols[-1]) + 1 + room_px),
    )
