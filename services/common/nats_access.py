"""How NATS is reached: where, with which password, and whether the connection must be encrypted."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.settings import OptionalFile, SecretsInFiles

CONNECT_TIMEOUT_S: Final = 5.0
"""How long to wait for NATS at the start."""
_TLS_SCHEME: Final = "tls://"


class NatsSettings(SecretsInFiles):
    """Where NATS is. User and password, or a token, stand in the URL: nats://USER:PASSWORD@HOST:4222."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    nats_url: SecretStr = Field(default=SecretStr(""), description="empty: no events; tls://… is always encrypted")
    nats_tls_ca_file: OptionalFile = Field(
        default=None, description="PEM: the connection is encrypted, and these authorities have signed for NATS"
    )


class NatsClient(Client):  # type: ignore[misc] # nats-py has no types
    """A client that says neither password nor anything else to a server that does not encrypt, where it must.

    nats-py by itself encrypts only when the server asks for it, which anybody on the way can unsay.
    """

    def __init__(self, *, must_encrypt: bool) -> None:
        super().__init__()
        self._must_encrypt = must_encrypt

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self._must_encrypt and initial_connection and not info.get("tls_required"):
            raise NatsError("the server does not encrypt, but must: GATEWAY_NATS_TLS_CA_FILE or tls:// asks for it")
        await super()._process_info(info, initial_connection)


async def connect(
    url: str, ca_file: Path | None = None, *, error_cb: Callable[[Exception], Awaitable[None]], **options: Any
) -> NatsClient:
    """A client that is connected.

    Args:
        ca_file: The connection must be encrypted, and these authorities have signed for NATS.
        error_cb, options: nats-py's own.

    Raises:
        nats.errors.Error, OSError, TimeoutError: It cannot be reached: what the server said last within five seconds,
            or else what went wrong last.
    """
    client = NatsClient(must_encrypt=ca_file is not None or url.startswith(_TLS_SCHEME))
    if ca_file is not None:
        options["tls"] = ssl.create_default_context(cafile=ca_file)
    last: list[Exception] = []

    async def heard(error: Exception) -> None:
        # A server that refuses says why and hangs up, and then either is heard first.
        if isinstance(error, NatsError) or not last or not isinstance(last[0], NatsError):
            last[:] = [error]
        await error_cb(error)

    try:
        # The client itself would go on trying for ever.
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.connect(url, error_cb=heard, **options)
    except BaseException as error:
        await client.close()
        if isinstance(error, TimeoutError) and last:
            raise last[0] from error
        raise
    return client


def without_password(url: str) -> str:
    """A URL that may be shown: the part before @ holds user and password."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
