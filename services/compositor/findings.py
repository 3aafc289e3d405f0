"""What the compositor noticed about a product's look that no rule speaks of, and whether it could mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed.

    code: UPPER_SNAKE, stable.
    is_corrected: it was mended, and nobody has to act.
    message: what was noticed.
    action: what a person should do; empty when it was corrected.
    """

    code: str
    is_corrected: bool
    message: str
    action: str = ""
