"""Who calls, however they have shown it."""

from dataclasses import dataclass
from typing import Final

TENANT_SCOPES: Final = ("photos", "jobs", "reviews")
"""What a tenant may do with what is theirs."""
SCOPES: Final = (*TENANT_SCOPES, "status")
"""What a caller may do: one for each public service. Status is of all tenants together: for who runs the house."""


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
