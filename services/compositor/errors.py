"""What the compositor refuses, as types."""

from __future__ import annotations


class EmptyMatteError(ValueError):
    """The matte shows no product: no pixel of it is at least half opaque."""

    reason = "NO_PRODUCT"
