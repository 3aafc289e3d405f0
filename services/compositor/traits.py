"""What makes a product hard to cut out, as far as it changes how the compositor treats it."""

from __future__ import annotations

from enum import Enum


class Trait(Enum):
    TRANSPARENT = "transparent"
    HAIRY = "hairy"
    REFLECTIVE = "reflective"
    WORN_OR_HELD = "worn or held"
