"""Who calls, however they have shown it."""

from dataclasses import dataclass
from typing import Final

SCOPES: Final = ("photos", "jobs", "reviews")
"""What a caller may do: one for each public service."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a call is done for.

    Args:
        id: Of the API key or of the token's subject; not secret.
        tenant: Whose photos, jobs and limits.
        scopes: What they may do.
    """

    id: str
    tenant: str
    scopes: frozenset[str]
