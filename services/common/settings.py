"""Settings every service has. Each service adds its own and the prefix of its environment variables."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SecretsSettingsSource

OptionalFile = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""A file; empty: none."""


class SecretsInFiles(BaseSettings):
    """Settings from the environment and, where it says nothing, from files of the folder `<NAME>_SECRETS_DIR`.

    A file is called as its variable in lower case, e.g. gateway_database_url, and holds the value alone.
    """

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What pydantic-settings asks, in this order. Raises ValueError when the folder is not there."""
        variable = env_name(settings_cls, "secrets_dir")
        folder = os.environ.get(variable, "")
        if not folder:
            return init_settings, env_settings
        if not Path(folder).is_dir():
            raise ValueError(f"{variable}: there is no folder {folder}")
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder)


class ServerSettings(SecretsInFiles):
    """How a service listens, whom it answers, how much it takes on, how it stops."""

    listen: str = Field(description="HOST:PORT (port 0: any free one) or unix:/PATH")
    health_listen: str = Field(
        default="", description="HOST:PORT that answers health only, unencrypted: for probes; empty: none"
    )
    metrics_listen: str = Field(
        default="", pattern=r"^$|:\d+$", description="HOST:PORT that shows Prometheus metrics at /metrics; empty: none"
    )
    tls_cert_file: OptionalFile = Field(default=None, description="PEM; read again when it changes; none: unencrypted")
    tls_key_file: OptionalFile = Field(default=None, description="PEM, the certificate's key")
    tls_client_ca_file: OptionalFile = Field(
        default=None, description="PEM; with it only clients with a certificate of these authorities can connect"
    )
    tls_allowed_clients: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="comma-separated DNS names or URIs, one of which a client's certificate must carry; empty: any",
    )
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    queue_size: int = Field(default=32, ge=0, le=10_000, description="photos that may wait for a worker")
    max_message_bytes: int = Field(
        default=160 * 2**20, ge=1, le=2**31 - 1, description="of a request; a 64 MiB photo and its matte fit, with room"
    )
    default_deadline_ms: int = Field(default=60_000, ge=1, description="for calls that come without a deadline")
    grace_s: float = Field(
        default=60.0, ge=0, allow_inf_nan=False, description="on SIGTERM, what runs may take this long to finish"
    )
    max_connection_age_s: float = Field(
        default=300.0, gt=0, allow_inf_nan=False, description="so that new replicas get traffic"
    )
    reflection: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("tls_allowed_clients", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(name for part in value.split(",") if (name := part.strip())) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        needs = (
            ("tls_cert_file", self.tls_cert_file, "tls_key_file", self.tls_key_file),
            ("tls_key_file", self.tls_key_file, "tls_cert_file", self.tls_cert_file),
            ("tls_client_ca_file", self.tls_client_ca_file, "tls_cert_file", self.tls_cert_file),
            ("tls_allowed_clients", self.tls_allowed_clients, "tls_client_ca_file", self.tls_client_ca_file),
        )
        for name, value, needed, found in needs:
            if value and not found:
                raise ValueError(f"{env_name(type(self), name)} needs {env_name(type(self), needed)}")
        return self


class StageSettings(ServerSettings):
    """What a photo may cost that is decoded; see `services.common.decoder`."""

    decode_workers: int = Field(
        default_factory=lambda: (os.cpu_count() or 1) if sys.platform == "linux" else 0,
        ge=0,
        le=256,
        description="photos decoded at the same time, each in a process of its own (Linux); 0: in the service's own",
    )
    decode_timeout_s: int = Field(
        default=15, ge=1, le=3600, description="processor time for one photo; four times as much by the clock"
    )
    decode_memory_mb: int = Field(
        default=1536, ge=32, description="for one photo, in MiB; one of 64 million pixels takes up to 1,200"
    )


def env_name(settings_type: type[BaseSettings], setting: str) -> str:
    """The environment variable of a setting."""
    return f"{settings_type.model_config.get('env_prefix', '')}{setting}".upper()
