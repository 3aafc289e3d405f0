"""Tokens (JWT, RFC 7519) of an identity provider: who calls, for which tenant, and what they may."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import jwt

from services.common.errors import ServiceError
from services.gateway.caller import SCOPES, Caller
from services.gateway.jwks import Jwks
from services.gateway.state import tenants
from services.gateway.state.database import Database

_REQUIRED: Final = ["exp", "iss", "aud", "sub"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say, and where it says the rest.

    Args:
        issuer, audience: `iss`, and one of `aud`.
        tenant_claim: The claim with the tenant's name.
        scope_claim: The claim with the scopes: a list, or words with spaces between (RFC 8693, 4.2).
        leeway_s: How far clocks may differ.
    """

    issuer: str
    audience: str
    tenant_claim: str
    scope_claim: str
    leeway_s: float


class Tokens:
    """Verifies tokens.

    Args:
        keys: The issuer's.
        expected: See there.
        database: A tenant is made there with its first token; None: there is none.
    """

    def __init__(self, keys: Jwks, expected: Expected, database: Database | None) -> None:
        self._keys = keys
        self._expected = expected
        self._database = database
        self._tenants: set[str] = set()

    async def find(self, token: str) -> Caller:
        """Whose a token is.

        Raises:
            ServiceError: UNAUTHENTICATED TOKEN_INVALID or TOKEN_EXPIRED; UNAVAILABLE when it cannot be said.
        """
        claims = await self._verify(token)
        tenant = claims.get(self._expected.tenant_claim)
        if not isinstance(tenant, str) or not tenants.NAME_PATTERN.fullmatch(tenant):
            raise _invalid(f"its claim {self._expected.tenant_claim} is no tenant's name")
        if self._database is not None and tenant not in self._tenants:
            await self._database.write(lambda session: tenants.ensure(session, tenant, datetime.now(UTC)))
            self._tenants.add(tenant)
        return Caller(_id(claims), tenant, self._scopes(claims))

    async def close(self) -> None:
        """Lets what is being read end."""
        await self._keys.close()

    async def _verify(self, token: str) -> dict[str, Any]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            raise _invalid("it is no signed token") from None
        if not isinstance(key_id, str):
            raise _invalid("it does not name its key (kid)")
        found = await self._keys.find(key_id)
        if found is None:
            raise _invalid("its issuer has no such key")
        expected = self._expected
        try:
            return jwt.decode(
                token,
                found.key,
                algorithms=found.algorithms,
                audience=expected.audience,
                issuer=expected.issuer,
                leeway=expected.leeway_s,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise ServiceError(
                grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED", "this token has expired: get a new one"
            ) from None
        except jwt.InvalidAudienceError:
            raise _invalid(f"it is not for {expected.audience}") from None
        except jwt.InvalidIssuerError:
            raise _invalid(f"it is not from {expected.issuer}") from None
        except jwt.MissingRequiredClaimError as error:
            raise _invalid(f"it has no claim {error.claim}") from None
        except jwt.ImmatureSignatureError:
            raise _invalid("it is not valid yet") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _invalid("it cannot be verified") from None

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        stated = claims.get(self._expected.scope_claim, "")
        words = stated.split() if isinstance(stated, str) else stated
        return frozenset(scope for scope in SCOPES if isinstance(words, list) and scope in words)


def _id(claims: dict[str, Any]) -> str:
    """As short as an API key's id, and no personal data in logs: a digest of issuer and subject."""
    return "t-" + hashlib.sha256(f"{claims['iss']} {claims['sub']}".encode()).hexdigest()[:16]


def _invalid(why: str) -> ServiceError:
    return ServiceError(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", f"this token opens nothing here: {why}")
