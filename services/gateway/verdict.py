"""Publish, review or reject: from confidence and violations; the lines are drawn by the marketplace's pack."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What to do with a packshot."""

    PUBLISH = "publish"
    REVIEW = "review"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """On confidence in [0, 1]."""

    publish_at: float
    reject_below: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict and, in words, what led to it."""

    verdict: Verdict
    reasons: tuple[str, ...]


def of_packshot(
    *,
    confidence: float,
    violations: Sequence[str],
    touches_frame: bool,
    findings: Sequence[str],
    thresholds: Thresholds,
) -> Decision:
    """The verdict on a packshot we made.

    Args:
        confidence: In [0, 1].
        violations: Titles of the error rules the packshot breaks.
        touches_frame: Part of the product may be missing, which no rule can see on the canvas.
        findings: What was noticed about the product's look and needs a person.
        thresholds: The pack's.
    """
    if confidence < thresholds.reject_below:
        return Decision(
            Verdict.REJECT,
            (f"confidence {confidence:.2f} is below {thresholds.reject_below:.2f}: shoot it again or retouch by hand",),
        )
    reasons = [f"breaks the rule: {title}" for title in violations]
    if confidence < thresholds.publish_at:
        reasons.append(f"confidence {confidence:.2f} is below {thresholds.publish_at:.2f}: a person should look")
    if touches_frame:
        reasons.append("the product reaches the edge of the photo: part of it may be missing")
    reasons.extend(findings)
    if reasons:
        return Decision(Verdict.REVIEW, tuple(reasons))
    return Decision(Verdict.PUBLISH, (f"compliant, confidence {confidence:.2f}",))


def of_checked_image(violations: Sequence[str]) -> Decision:
    """The verdict on an image that was only checked: as it is, it may be uploaded or not."""
    if violations:
        return Decision(Verdict.REJECT, tuple(f"breaks the rule: {title}" for title in violations))
    return Decision(Verdict.PUBLISH, ("breaks no rule that could be checked",))


def without_product() -> Decision:
    """The verdict on a photo in which no product was found."""
    return Decision(
        Verdict.REJECT,
        ("no product was found: shoot it again with the product clearly in the frame, or mark it",),
    )
