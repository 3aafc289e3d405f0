"""The keys tokens are signed with, as their issuer publishes them (RFC 7517), from a URL or a file."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import grpc
import httpx
import jwt
import structlog

from services.common.errors import ServiceError

_ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
"""What a key may be used with: never one secret for both sides, never none (RFC 8725, 3.1)."""
_FRESH_S: Final = 300.0
"""Keys read longer ago are read again before they are used."""
_USABLE_S: Final = 3600.0
"""Keys read longer ago verify nothing, should the issuer be away: a key that was withdrawn must end at some time."""
_PAUSE_S: Final = 10.0
"""Between two readings, whatever strangers send: an unknown key may be new."""
_TIMEOUT_S: Final = 5.0
_MOST_BYTES: Final = 2**20

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, and what it may be used with."""

    key: Any
    algorithms: tuple[str, ...]


class Jwks:
    """An issuer's keys by their `kid`.

    Args:
        source: https://…, or the path of a file. http:// reaches this machine only, by setting.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: Mapping[str, VerificationKey] = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> VerificationKey | None:
        """The key; None for one the issuer does not have.

        Raises:
            ServiceError: UNAVAILABLE, when the issuer's keys could not be read for too long.
        """
        age_s = monotonic() - self._read_at
        if age_s > _FRESH_S or key_id not in self._keys:
            self._refresh()
            # Keys that are still good enough are used meanwhile.
            if self._reading is not None and (age_s > _USABLE_S or key_id not in self._keys):
                await asyncio.shield(self._reading)
        if monotonic() - self._read_at > _USABLE_S:
            raise ServiceError(
                grpc.StatusCode.UNAVAILABLE,
                "TOKEN_KEYS_UNAVAILABLE",
                "tokens cannot be verified now: their issuer's keys cannot be read; try again later",
                retry_after_s=_PAUSE_S,
            )
        return self._keys.get(key_id)

    async def close(self) -> None:
        """Lets a reading end."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    def _refresh(self) -> None:
        """Begins to read the keys again, unless that was tried just now."""
        now = monotonic()
        if (self._reading is None or self._reading.done()) and now - self._tried_at >= _PAUSE_S:
            self._tried_at = now
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        started_at = monotonic()
        try:
            keys = _keys(json.loads(await self._load()))
        except Exception as error:
            # Whatever it is: keys that cannot be read verify nothing, as soon as the last ones are too old.
            log.warning("the issuer's keys cannot be read", source=self._source, error=repr(error))
            return
        if set(keys) != set(self._keys):
            log.info("the issuer's keys", source=self._source, key_ids=sorted(keys))
        self._keys, self._read_at = keys, started_at

    async def _load(self) -> bytes:
        if "://" not in self._source:
            return await asyncio.to_thread(Path(self._source).read_bytes)
        content = bytearray()
        async with (
            asyncio.timeout(_TIMEOUT_S),
            httpx.AsyncClient(timeout=_TIMEOUT_S) as client,
            client.stream("GET", self._source, headers={"accept": "application/json"}) as response,
        ):
            response.raise_for_status()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > _MOST_BYTES:
                    raise ValueError(f"more than {_MOST_BYTES} bytes")
        return bytes(content)


def _keys(document: Any) -> dict[str, VerificationKey]:
    """Of a JWK set, those that verify signatures; others are none of our business. Raises ValueError."""
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise ValueError("it holds no JWK set")  # noqa: TRY004 - what it says is wrong, not what we were given
    keys = {}
    for member in members:
        family = _ALGORITHMS.get(member.get("kty", ""), ()) if isinstance(member, dict) else ()
        stated = member.get("alg") if family else None
        algorithms = tuple(name for name in family if stated in (None, name))
        if not algorithms or "kid" not in member or member.get("use", "sig") != "sig":
            continue
        try:
            keys[str(member["kid"])] = VerificationKey(jwt.PyJWK(member, stated).key, algorithms)
        except jwt.PyJWTError as error:
            log.warning("a key of the issuer cannot be used", key_id=str(member["kid"]), error=type(error).__name__)
    return keys
