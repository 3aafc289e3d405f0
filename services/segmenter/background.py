"""What the product stands in front of: kind, colour and a smooth colour field fitted from the frame's rim.

The field is a polynomial surface in CIELAB. It is found by consensus, not by an average, so that a product that
covers part of the rim does not bend it, and is then refitted to everything in the frame that continues it.

References
----------
Fischler and Bolles, "Random sample consensus", CACM 24(6), 1981.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLES = 1500  # rim pixels used to find the consensus
_TRIALS = 80
_CONSENSUS_DELTA_E = 4.0  # a rim pixel agrees with a trial plane within this
_MIN_PLAIN_SHARE = 0.7  # of the rim must follow the field
_MAX_PLAIN_NOISE = 1.6  # ΔE76, after averaging down to the working size
_MIN_CLEAN_SHARE = 0.85
_MAX_CLEAN_NOISE = 0.8
_MAX_SOLID_RANGE = 6.0  # ΔE76 between the extremes of the field
_MIN_PATTERN_SIMILARITY = 0.6
_RIM_SEGMENTS = 12
_MIN_NOISE = 0.35  # ΔE76; 8-bit rounding alone gives about this


class BackgroundKind(Enum):
    SOLID = "solid"  # one colour
    GRADIENT = "gradient"  # a smooth change of colour
    PATTERN = "pattern"  # the same texture all around
    SCENE = "scene"  # anything else
    TRANSPARENT = "transparent"  # the photo came with its own alpha


@dataclass(frozen=True, slots=True)
class Background:
    """Attributes:
    kind: what sort of background it is.
    color_rgb: its typical colour, sRGB bytes.
    noise: robust standard deviation of its colour around the field, ΔE76 at the working size.
    rim_share: share of the frame's rim that follows the field, in [0, 1].
    coefficients: float32 (6, 3): CIELAB over 1, r, c, r², rc, c² with row and column in [-1, 1] across the frame.
    """

    kind: BackgroundKind
    color_rgb: tuple[int, int, int]
    noise: float
    rim_share: float
    coefficients: NDArray[np.float32]

    @property
    def is_plain(self) -> bool:
        """Whether the field alone describes it."""
        return self.kind in (BackgroundKind.SOLID, BackgroundKind.GRADIENT)

    @property
    def is_clean(self) -> bool:
        """Whether the field describes it so well that what differs from the field is product."""
        return self.is_plain and self.rim_share >= _MIN_CLEAN_SHARE and self.noise <= _MAX_CLEAN_NOISE

    def field(self, height: int, width: int) -> NDArray[np.float32]:
        """The fitted colour at every pixel of the frame: CIELAB, float32 (height, width, 3)."""
        terms = _terms(*_unit_grid(height, width))
        return np.asarray((terms @ self.coefficients).reshape(height, width, 3), dtype=np.float32)


def rim(height: int, width: int, roi: tuple[int, int, int, int] | None = None) -> NDArray[np.bool_]:
    """Pixels that are background for sure, or nearly so: bool (height, width).

    Without a region of interest it is a band of 1.5 % of the longest side along the frame; with one it is all that lies
    outside the region (top, left, bottom, right; half-open) as well.
    """
    band = max(1, round(0.015 * max(height, width)))
    mask = np.ones((height, width), np.bool_)
    if roi is None:
        mask[band : height - band, band : width - band] = False
        return mask
    top, left, bottom, right = roi
    mask[max(top, 1) : min(bottom, height - 1), max(left, 1) : min(right, width - 1)] = False
    return mask


def describe_background(lab: NDArray[np.float32], outside: NDArray[np.bool_]) -> Background:
    """Describe the background of an image at its working size.

    Args:
        lab: CIELAB, float32 (H, W, 3).
        outside: bool (H, W), the rim; see `rim`.
    """
    height, width = lab.shape[:2]
    rows, cols = _unit_grid(height, width)
    outside_flat = outside.ravel()
    pixels = lab.reshape(-1, 3)
    rim_terms = _terms(rows[outside_flat], cols[outside_flat])
    rim_pixels = pixels[outside_flat]

    coefficients = _consensus_plane(rim_terms, rim_pixels)
    coefficients = _refit(rim_terms, rim_pixels, coefficients, order_terms=6)
    rim_residual = np.linalg.norm(rim_pixels - rim_terms @ coefficients, axis=1)
    follows = rim_residual <= _CONSENSUS_DELTA_E
    share = float(follows.mean())
    noise = _noise(rim_residual[follows])

    if share >= _MIN_PLAIN_SHARE and noise <= _MAX_PLAIN_NOISE:
        terms = _terms(rows, cols)
        coefficients = _refit_to_frame(lab, terms, coefficients, outside)
        field = terms @ coefficients
        low, high = np.percentile(field[::7], [1, 99], axis=0)
        solid = float(np.linalg.norm(high - low)) <= _MAX_SOLID_RANGE
        kind = BackgroundKind.SOLID if solid else BackgroundKind.GRADIENT
        typical = np.median(field[::7], axis=0)
        share = float((np.linalg.norm(rim_pixels - field[outside_flat], axis=1) <= _CONSENSUS_DELTA_E).mean())
    else:
        alike = _rim_similarity(rim_pixels, rows[outside_flat], cols[outside_flat])
        kind = BackgroundKind.PATTERN if alike >= _MIN_PATTERN_SIMILARITY else BackgroundKind.SCENE
        noise = _noise(rim_residual)
        typical = np.median(rim_pixels, axis=0)
    return Background(
        kind=kind,
        color_rgb=_lab_to_rgb(typical),
        noise=noise,
        rim_share=share,
        coefficients=coefficients.astype(np.float32),
    )


def _unit_grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Row and column of every pixel in [-1, 1], flat (height * width,)."""
    rows = np.linspace(-1, 1, height, dtype=np.float32) if height > 1 else np.zeros(1, np.float32)
    cols = np.linspace(-1, 1, width, dtype=np.float32) if width > 1 else np.zeros(1, np.float32)
    return np.repeat(rows, width), np.tile(cols, height)


def _terms(rows: NDArray[np.float32], cols: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([np.ones_like(rows), rows, cols, rows * rows, rows * cols, cols * cols], axis=1)


def _consensus_plane(terms: NDArray[np.float32], pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The plane (constant and linear terms) through three rim pixels that the most rim pixels follow."""
    generator = np.random.default_rng(0)
    if len(pixels) > _SAMPLES:
        chosen = generator.choice(len(pixels), _SAMPLES, replace=False)
        terms, pixels = terms[chosen], pixels[chosen]
    best = np.zeros((6, 3), np.float32)
    best[0] = np.median(pixels, axis=0)
    best_score = _consensus(terms, pixels, best)
    for _ in range(_TRIALS):
        three = generator.integers(0, len(pixels), 3)
        corner = terms[three, :3].astype(np.float64)
        if abs(np.linalg.det(corner)) < 0.1:
            continue
        trial = np.zeros((6, 3), np.float32)
        trial[:3] = np.linalg.solve(corner, pixels[three])
        # A plane steeper than any photographed backdrop is a coincidence of unlike pixels.
        if np.abs(trial[1:3]).max() > 40:
            continue
        score = _consensus(terms, pixels, trial)
        if score > best_score:
            best, best_score = trial, score
    return best


def _consensus(terms: NDArray[np.float32], pixels: NDArray[np.float32], coefficients: NDArray[np.float32]) -> float:
    residual = np.linalg.norm(pixels - terms @ coefficients, axis=1)
    return float(np.maximum(1.0 - (residual / (2 * _CONSENSUS_DELTA_E)) ** 2, 0.0).sum())


def _refit(
    terms: NDArray[np.float32], pixels: NDArray[np.float32], coefficients: NDArray[np.float32], order_terms: int
) -> NDArray[np.float32]:
    """Least squares on the pixels that follow, with Tukey's weights, three times."""
    for reach in (3.0, 2.0, 1.5):
        residual = np.linalg.norm(pixels - terms @ coefficients, axis=1)
        weight = np.maximum(1.0 - (residual / (reach * _CONSENSUS_DELTA_E)) ** 2, 0.0) ** 2
        used = terms[:, :order_terms]
        normal = (used * weight[:, None]).T @ used
        # A little ridge on the curved terms keeps them quiet where the rim says nothing about them.
        ridge = np.diag([1e-6, 1e-6, 1e-6, 1e-2, 1e-2, 1e-2][:order_terms]) * max(float(weight.sum()), 1e-3)
        solved = np.linalg.solve(normal + ridge, (used * weight[:, None]).T @ pixels)
        coefficients = np.zeros((6, 3), np.float32)
        coefficients[:order_terms] = solved
    return coefficients


def _refit_to_frame(
    lab: NDArray[np.float32],
    terms: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    outside: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Refit to the pixels that follow the field and are connected to the rim through pixels that do."""
    height, width = outside.shape
    pixels = lab.reshape(-1, 3)
    for _ in range(2):
        residual = np.linalg.norm(pixels - terms @ coefficients, axis=1).reshape(height, width)
        count, labels = cv2.connectedComponents((residual <= 1.5 * _CONSENSUS_DELTA_E).astype(np.uint8), connectivity=4)
        reached = np.zeros(count, np.bool_)
        reached[labels[outside]] = True
        reached[0] = False
        member = reached[labels].ravel()
        if member.sum() < 32:
            break
        every = max(1, int(member.sum()) // 8_000)
        coefficients = _refit(terms[member][::every], pixels[member][::every], coefficients, order_terms=6)
    return coefficients


def _noise(residual: NDArray[np.float32]) -> float:
    """Robust spread of colour distances; a norm over three channels of deviation s has a median of about 1.54 s."""
    if residual.size == 0:
        return _MIN_NOISE
    return max(_MIN_NOISE, float(np.median(residual)) / 1.54)


def _rim_similarity(pixels: NDArray[np.float32], rows: NDArray[np.float32], cols: NDArray[np.float32]) -> float:
    """Median overlap of the colour histograms of segments of the rim with that of the whole rim, in [0, 1]."""
    keys = np.round(pixels / np.array([12.0, 10.0, 10.0], np.float32)).astype(int) + 20
    _, cells = np.unique(keys[:, 0] * 1600 + keys[:, 1] * 40 + keys[:, 2], return_inverse=True)
    angle = np.arctan2(rows, cols)
    segment = np.minimum(((angle + np.pi) / (2 * np.pi) * _RIM_SEGMENTS).astype(int), _RIM_SEGMENTS - 1)
    table = np.zeros((_RIM_SEGMENTS, int(cells.max()) + 1))
    np.add.at(table, (segment, cells), 1)
    whole = table.sum(axis=0) / max(table.sum(), 1)
    used = table.sum(axis=1) > 0
    shares = table[used] / table[used].sum(axis=1, keepdims=True)
    return float(np.median(np.minimum(shares, whole).sum(axis=1)))


def _lab_to_rgb(lab: NDArray[np.float32]) -> tuple[int, int, int]:
    rgb = cv2.cvtColor(np.asarray(lab, np.float32).reshape(1, 1, 3), cv2.COLOR_LAB2RGB)
    red, green, blue = (int(v) for v in np.clip(np.rint(rgb.reshape(3) * 255), 0, 255))
    return red, green, blue
