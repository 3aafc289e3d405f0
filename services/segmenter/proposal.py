"""What a proposer is: something that looks at an image and says where it thinks the product is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Roi = tuple[int, int, int, int]  # top, left, bottom, right in pixels, half-open


@dataclass(frozen=True, slots=True)
class Point:
    """A pixel of the image of which a person said whether it is product."""

    row: int
    col: int
    is_product: bool


@dataclass(frozen=True, slots=True)
class SegmentationWarning:
    code: str  # UPPER_SNAKE
    message: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Attributes:
    name: the proposer's.
    matte: float32 (h, w) in [0, 1] at the proposer's own working size; it covers the whole image.
    confidence: in [0, 1], how sure the proposer is of itself: see each proposer for what it measures.
    warnings: what the caller should know about how it came about.
    is_coarse: its outline is only roughly where the image's edges are.
    """

    name: str
    matte: NDArray[np.float32]
    confidence: float
    warnings: tuple[SegmentationWarning, ...] = ()
    is_coarse: bool = False


class Proposer(Protocol):
    """Thread-safe: one proposer serves many photos at once."""

    @property
    def name(self) -> str: ...

    def propose(self, image: NDArray[np.uint8], roi: Roi | None = None) -> Proposal:
        """Propose a matte for an image (H, W, 3) uint8 RGB.

        `roi`, in the image's pixels, bounds the product: everything outside is background.
        """
        ...


class Refiner(Protocol):
    """Proposes too, but starts from what the proposers made together; thread-safe."""

    @property
    def name(self) -> str: ...

    def refine(
        self, image: NDArray[np.uint8], prior: Proposal, roi: Roi | None = None, points: Sequence[Point] = ()
    ) -> Proposal:
        """Propose a matte for an image (H, W, 3) uint8 RGB.

        `prior` says what the product is; `roi`, in the image's pixels, bounds it; `points` are of it or are not.
        """
        ...
