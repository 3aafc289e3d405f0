"""An identity provider: signs tokens, and publishes its keys as a JWK set."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER: Final = "https://login.example/tenants"
AUDIENCE: Final = "packshot"

_HOW: Final[dict[str, tuple[Callable[[], Any], Any]]] = {
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
}


class Issuer:
    """Attributes:
    keys: Private keys by kid, with their algorithms.
    """

    def __init__(self, *key_ids: str, algorithm: str = "ES256") -> None:
        self.keys: dict[str, tuple[Any, str]] = {}
        for key_id in key_ids or ("first",):
            self.add(key_id, algorithm)

    def add(self, key_id: str, algorithm: str = "ES256") -> None:
        self.keys[key_id] = (_HOW[algorithm][0](), algorithm)

    def jwks(self) -> bytes:
        members = []
        for key_id, (key, algorithm) in self.keys.items():
            member = _HOW[algorithm][1].to_jwk(key.public_key(), as_dict=True)
            members.append(member | {"kid": key_id, "use": "sig", "alg": algorithm})
        return json.dumps({"keys": members}).encode()

    def token(self, key_id: str = "first", lifetime_s: float = 600.0, **claims: Any) -> str:
        """Of tenant acme with all scopes, unless claims say otherwise; None leaves one out."""
        now = datetime.now(UTC)
        stated: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "robot-7",
            "iat": now,
            "exp": now + timedelta(seconds=lifetime_s),
            "tenant": "acme",
            "scope": "openid photos jobs reviews",
        }
        key, algorithm = self.keys[key_id]
        payload = {name: value for name, value in (stated | claims).items() if value is not None}
        return jwt.encode(payload, key, algorithm, {"kid": key_id})


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call with the token."""
    return (("authorization", f"Bearer {token}"),)
