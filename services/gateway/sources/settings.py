"""What may be fetched from where, and how much of it."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SourceSettings(BaseModel):
    """Limits of fetching photos and catalogues, and of the addresses that any outgoing call may reach."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    internal_hosts: frozenset[str] = Field(
        default=frozenset(),
        description="HOST or HOST:PORT ([ADDRESS]:PORT for IPv6) of our own that may be fetched from although their "
        "addresses are private; http is allowed there",
    )
    ports: frozenset[int] = Field(default=frozenset({443}), description="of hosts that are not internal")
    ca_file: Path | None = Field(default=None, description="PEM of authorities trusted besides the public ones")
    buckets: frozenset[str] = Field(
        default=frozenset(),
        description="s3://BUCKET and gs://BUCKET that photos may be read from with the gateway's credentials, by every "
        "tenant: never name the bucket of GATEWAY_OBJECTS_URL",
    )
    max_photo_bytes: int = Field(default=64 * 2**20, ge=1)
    max_catalogue_bytes: int = Field(default=64 * 2**20, ge=1)
    connect_timeout_s: float = Field(default=10.0, gt=0, description="name, address and TLS")
    read_timeout_s: float = Field(default=20.0, gt=0, description="between two pieces of an answer")
    timeout_s: float = Field(
        default=60.0, gt=0, description="for all of a fetch, its redirects and repetitions; not waiting for its turn"
    )
    max_redirects: int = Field(default=5, ge=0, le=20)
    attempts: int = Field(default=3, ge=1, le=10, description="while the server is busy or fails")
    max_retry_wait_s: float = Field(
        default=10.0, ge=0, description="a server that asks for a longer break is left to the caller to ask again"
    )
    max_connections_per_host: int = Field(default=4, ge=1)
    max_connections: int = Field(default=64, ge=1)

    @model_validator(mode="after")
    def _written_as_they_are_compared(self) -> Self:
        for host in self.internal_hosts:
            if host != host.lower() or "/" in host or "@" in host or not host:
                raise ValueError(f"internal_hosts: {host!r} is not HOST or HOST:PORT in lower case")
        for bucket in self.buckets:
            scheme, _, name = bucket.partition("://")
            if scheme not in ("s3", "gs") or not name or "/" in name:
                raise ValueError(f"buckets: {bucket!r} is not s3://BUCKET or gs://BUCKET")
        return self

    def is_internal(self, host: str, port: int) -> bool:
        """Whether the operator vouches for a host.

        Args:
            host: A name in lower case, or an address (IPv6 without brackets).
        """
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{port}" in self.internal_hosts or (port in (80, 443) and shown in self.internal_hosts)
