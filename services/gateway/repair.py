"""The repair loop's choice: which treatment to change so that a failed rule may pass, or none."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

MAX_ATTEMPTS: Final = 2

RESCALE_ALWAYS: Final = 2.0
"""A keep_fill_from no photo reaches: the product is always rescaled."""

_TIGHTEN_STEP_PX: Final = 0.75
_QUALITY_STEP: Final = 10
_LOWEST_QUALITY: Final = 70
_FILL_CLEARANCE: Final = 0.01
"""How far inside its bound the fill is aimed, so that rounding to pixels cannot miss it again."""


class Cure(Enum):
    """A treatment that can make a failed rule pass."""

    RESCALE = auto()
    TIGHTEN_EDGE = auto()
    LOWER_QUALITY = auto()


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a packshot is made."""

    fill_ratio: float
    keep_fill_from: float
    tighten_px: float
    jpeg_quality: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that failed and can be cured; the bounds are of the value in force."""

    rule_id: str
    cure: Cure
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What to try next and how to say it."""

    treatment: Treatment
    change: str


def next_attempt(treatment: Treatment, failures: Sequence[Failure], *, fixed: Collection[Cure] = ()) -> Attempt | None:
    """The treatment to try next; None when nothing can be changed.

    Args:
        treatment: What the failing packshot was made with.
        failures: The rules it fails and their cures.
        fixed: What the caller has decided and no cure may change.
    """
    better = treatment
    changes = []
    for cure in dict.fromkeys(failure.cure for failure in failures if failure.cure not in fixed):
        bounds = [failure for failure in failures if failure.cure is cure]
        if cure is Cure.RESCALE:
            fill = _fill_within(better.fill_ratio, bounds)
            if (fill, RESCALE_ALWAYS) != (better.fill_ratio, better.keep_fill_from):
                same = fill == better.fill_ratio
                changes.append(f"rescaled to fill {fill:.2f}" if same else f"fill {better.fill_ratio:.2f} → {fill:.2f}")
                better = replace(better, fill_ratio=fill, keep_fill_from=RESCALE_ALWAYS)
        elif cure is Cure.TIGHTEN_EDGE:
            tighten_px = better.tighten_px + _TIGHTEN_STEP_PX
            changes.append(f"edge tightened by {tighten_px:g} px")
            better = replace(better, tighten_px=tighten_px)
        elif cure is Cure.LOWER_QUALITY and better.jpeg_quality > _LOWEST_QUALITY:
            quality = max(better.jpeg_quality - _QUALITY_STEP, _LOWEST_QUALITY)
            changes.append(f"JPEG quality {better.jpeg_quality} → {quality}")
            better = replace(better, jpeg_quality=quality)
    return Attempt(better, "; ".join(changes)) if changes else None


def _fill_within(fill: float, failures: Sequence[Failure]) -> float:
    lowest = max((f.minimum for f in failures if f.minimum is not None), default=0.0)
    highest = min((f.maximum for f in failures if f.maximum is not None), default=math.inf)
    return min(max(fill, lowest + _FILL_CLEARANCE), highest - _FILL_CLEARANCE, 1.0)
