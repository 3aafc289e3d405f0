"""How sure the processing is of its result: a weighted geometric mean of named factors in [0, 1].

One very low factor pulls the whole down, as it should: a perfect edge around the wrong object is worth nothing.
It says nothing about rules; a sure result may still break one.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

HARD_TRAITS: Final[Mapping[str, float]] = {
    "transparent": 0.6,
    "hairy": 0.85,
    "reflective": 0.85,
    "white_on_white": 0.75,
    "worn_or_held": 0.6,
}
"""What a trait leaves of the certainty; a product with several has the lowest."""

CLASSICAL_ON: Final[Mapping[str, float]] = {
    "transparent": 1.0,
    "solid": 0.95,
    "gradient": 0.9,
    "pattern": 0.5,
    "scene": 0.35,
    "unspecified": 0.35,
}
"""How far colour alone can be trusted, by background class: in a room it has no idea what the product is."""

_FLOOR: Final = 1e-4
"""Keeps the logarithm finite: a factor of 0 gives a confidence near 0, not an error."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A reason to be sure or not. `value` in [0, 1]; `weight` is its exponent."""

    name: str
    value: float
    weight: float
    explanation: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """`value` in [0, 1] and where it comes from."""

    value: float
    factors: tuple[Factor, ...]


def combine(factors: tuple[Factor, ...]) -> Confidence:
    """Weighted geometric mean; the weights need not sum to 1."""
    total = sum(factor.weight for factor in factors)
    # In this order max() turns a value that is not a number into the floor: unsure, never sure.
    mean = sum(factor.weight * math.log(min(max(_FLOOR, factor.value), 1.0)) for factor in factors) / total
    return Confidence(math.exp(mean), factors)


def of_segmentation(
    *,
    expected_iou: float,
    consistency: float,
    soft_share: float,
    background: str,
    proposals: Collection[str],
    touches_frame: bool,
    traits: Collection[str],
) -> tuple[Factor, ...]:
    """Factors known once the product is cut out.

    The curves and weights were chosen so that the confidence is about the chance of an IoU of 0.9 or more, on photos
    and composites of the training pack: see bench/README.md.

    Args:
        expected_iou: What the mattes' own probabilities promise of the overlap with the true product, in [0, 1].
        consistency: How far the surest proposal that was used agrees with itself, in [0, 1].
        soft_share: Undecided pixels of the matte as a share of the product's.
        background: Lower-case name of the background class.
        proposals: Names of those that made the matte.
        touches_frame: The product reaches the edge of the photo.
        traits: Lower-case trait names.
    """
    hard = {trait: HARD_TRAITS[trait] for trait in traits if trait in HARD_TRAITS}
    evidence, on_what = _evidence(background, proposals)
    return (
        Factor(
            "overlap", expected_iou**2, 0.3, f"the mattes promise {100 * expected_iou:.0f} % overlap with the product"
        ),
        Factor("consistency", consistency**2, 0.2, "how far a proposal that looks twice sees the same product"),
        Factor("evidence", evidence, 0.3, on_what),
        Factor(
            "edge_certainty",
            _falling(soft_share, good=0.012, bad=0.04),
            0.05,
            f"undecided edge pixels are {100 * soft_share:.1f} % of the product",
        ),
        Factor(
            "completeness",
            0.6 if touches_frame else 1.0,
            0.1,
            "the product reaches the photo's edge" if touches_frame else "the whole product is in the photo",
        ),
        Factor(
            "difficulty",
            min(hard.values(), default=1.0),
            0.1,
            f"hard to cut out: {', '.join(sorted(hard))}" if hard else "no trait that makes cutting out hard",
        ),
    )


def _evidence(background: str, proposals: Collection[str]) -> tuple[float, str]:
    """How far the way the product was found can be trusted, and in words."""
    if "alpha" in proposals:
        return 1.0, "the photo came with its own alpha"
    if any(name != "classical" for name in proposals):
        return 0.95, "a learned model knows what products look like"
    return (
        CLASSICAL_ON[background],
        f"found by colour alone on a background of class {background}",
    )


def of_packshot(*, halo: float | None, upscale_factor: float) -> tuple[Factor, ...]:
    """Factors known once the packshot is made.

    Args:
        halo: CIEDE2000 of the boundary band against the interior; None when it could not be measured.
        upscale_factor: How much the product was enlarged.
    """
    edge = 0.5 if halo is None else _falling(halo, good=2.5, bad=8.0)
    return (
        Factor(
            "clean_edge",
            edge,
            0.1,
            "the halo could not be measured" if halo is None else f"halo of {halo:.1f} ΔE00 at the edge",
        ),
        Factor(
            "resolution",
            _falling(upscale_factor, good=1.0, bad=5.0),
            0.05,
            f"the product was enlarged {upscale_factor:.2f} times" if upscale_factor > 1 else "not enlarged",
        ),
    )


def _falling(value: float, *, good: float, bad: float) -> float:
    """1 up to `good`, falling in a line to 0.2 at `bad` and beyond."""
    share = min(max((value - good) / (bad - good), 0.0), 1.0)
    return 1.0 - 0.8 * share
