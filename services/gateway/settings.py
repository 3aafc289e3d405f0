"""The gateway's settings, from GATEWAY_* environment variables."""

from ipaddress import ip_address
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.nats_access import NatsSettings
from services.common.settings import OptionalFile, ServerSettings
from services.gateway.sources.settings import SourceSettings
from services.gateway.state.settings import DatabaseSettings


class GatewaySettings(ServerSettings, NatsSettings, DatabaseSettings):
    """Where the stages are, who may call, where events go."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_nested_delimiter="__")

    listen: str = "127.0.0.1:50051"
    max_message_bytes: int = Field(
        default=64 * 2**20, ge=1, le=2**31 - 1, description="of a request; larger photos come in chunks"
    )
    segmenter_address: str = "127.0.0.1:50052"
    compositor_address: str = "127.0.0.1:50053"
    validator_address: str = "127.0.0.1:50054"
    stage_tls_ca_file: OptionalFile = Field(
        default=None, description="PEM: calls to the stages are encrypted, and these authorities have signed for them"
    )
    stage_tls_cert_file: OptionalFile = Field(default=None, description="PEM: the gateway's certificate for the stages")
    stage_tls_key_file: OptionalFile = Field(default=None, description="PEM, its key")
    auth: Literal["api-key", "jwt", "both", "off"] = Field(
        default="api-key",
        description='API keys, tokens of an issuer, or both open; "off", on loopback only: all do',
    )
    jwt_issuer: str = Field(default="", description="tokens' iss")
    jwt_audience: str = Field(default="", description="one of tokens' aud")
    jwt_jwks: str = Field(
        default="", description="the issuer's keys: https://… (SSL_CERT_FILE names a private authority), or a file"
    )
    jwt_tenant_claim: str = Field(default="tenant", min_length=1, description="the claim with the tenant's name")
    jwt_scope_claim: str = Field(
        default="scope",
        min_length=1,
        description="the claim with photos, jobs, reviews: a list, or words",
    )
    jwt_leeway_s: float = Field(default=30.0, ge=0, le=300, description="how far clocks may differ")
    role: Literal["api", "worker", "all"] = Field(
        default="all", description="answer callers, work on jobs, or both; also --role"
    )
    objects_url: str = Field(default="", description="file:///FOLDER or s3://BUCKET/PREFIX; empty: no jobs")
    default_marketplace: str = Field(default="amazon-us", description="for requests that name none")
    max_concurrent_photos: int = Field(
        default=64, ge=1, description="photos in work at the same time, at the most; fewer when stages are slow"
    )
    target_wait_ms: int = Field(
        default=1_000, ge=1, description="photos are let in as long as they wait no longer than this in stages' queues"
    )
    stage_away_s: float = Field(
        default=10.0, ge=0, allow_inf_nan=False, description="a stage may be away for so long, e.g. to restart"
    )
    max_stream_items: int = Field(default=16, ge=1, description="unanswered photos of one stream")
    max_upload_bytes: int = Field(default=64 * 2**20, ge=1, description="a photo that comes in chunks")
    worker_concurrency: int = Field(default=4, ge=1, le=256, description="items of jobs in work at the same time")
    dispatch_window: int = Field(
        default=16, ge=1, le=10_000, description="items in the queue, for all workers: a longer one is less fair"
    )
    item_attempts: int = Field(default=5, ge=1, le=100, description="then an item is given up: a dead letter")
    item_retry_ms: int = Field(
        default=3_000, ge=1, description="the wait after an item's first failed attempt; doubles with each"
    )
    ack_wait_ms: int = Field(
        default=30_000,
        ge=500,
        le=60_000,
        description="an item whose worker is not heard of for this long goes to another",
    )
    sources: SourceSettings = Field(default=SourceSettings(), description="e.g. GATEWAY_SOURCES__TIMEOUT_S=30")
    webhook_concurrency: int = Field(default=16, ge=1, le=256, description="webhook calls at the same time")
    webhook_retry_hours: float = Field(
        default=24.0, gt=0, allow_inf_nan=False, description="how long after its event a webhook call is repeated"
    )
    file_url_lifetime_s: float = Field(
        default=3600.0, ge=1, le=7 * 24 * 3600, description="how long the signed URLs of jobs' files may be used"
    )
    retention_days: int = Field(default=90, ge=1, le=36_500, description="how long jobs' photos and results are kept")

    @property
    def has_jobs(self) -> bool:
        """Whether there is what jobs need: see `_jobs_need_three_things`."""
        return bool(self.objects_url)

    @property
    def answers_callers(self) -> bool:
        """Serves the API."""
        return self.role in ("api", "all")

    @property
    def works(self) -> bool:
        """Works on jobs."""
        return self.role in ("worker", "all") and self.has_jobs

    @model_validator(mode="after")
    def _jobs_need_three_things(self) -> Self:
        needed = {
            "GATEWAY_DATABASE_URL": self.database_url.get_secret_value(),
            "GATEWAY_OBJECTS_URL": self.objects_url,
            "GATEWAY_NATS_URL": self.nats_url.get_secret_value(),
        }
        missing = [name for name, value in needed.items() if not value]
        if self.role == "worker" and missing:
            raise ValueError(f"role=worker needs {' and '.join(missing)}")
        # Without objects the database is for API keys and limits, and NATS for events.
        if missing and self.objects_url:
            raise ValueError(f"jobs need database, objects and NATS together: {' and '.join(missing)} is missing")
        return self

    @model_validator(mode="after")
    def _stage_tls_is_whole(self) -> Self:
        if bool(self.stage_tls_cert_file) != bool(self.stage_tls_key_file):
            raise ValueError("GATEWAY_STAGE_TLS_CERT_FILE and GATEWAY_STAGE_TLS_KEY_FILE need each other")
        if self.stage_tls_cert_file and not self.stage_tls_ca_file:
            raise ValueError("GATEWAY_STAGE_TLS_CERT_FILE needs GATEWAY_STAGE_TLS_CA_FILE")
        return self

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> Self:
        if not self.answers_callers:
            return self
        if self.auth == "off" and not _is_loopback(self.listen):
            raise ValueError(f"auth=off is for loopback only, not for {self.listen}; use api-key or jwt")
        if self.auth in ("api-key", "both") and not self.database_url:
            raise ValueError(f"auth={self.auth} needs GATEWAY_DATABASE_URL, where the keys are")
        return self

    @model_validator(mode="after")
    def _tokens_need_an_issuer(self) -> Self:
        if self.auth not in ("jwt", "both"):
            return self
        needed = {
            "GATEWAY_JWT_ISSUER": self.jwt_issuer,
            "GATEWAY_JWT_AUDIENCE": self.jwt_audience,
            "GATEWAY_JWT_JWKS": self.jwt_jwks,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise ValueError(f"auth={self.auth} needs {' and '.join(missing)}")
        scheme, separator, rest = self.jwt_jwks.partition("://")
        if separator and scheme != "https" and not (scheme == "http" and _is_loopback(rest.partition("/")[0])):
            raise ValueError(f"GATEWAY_JWT_JWKS: {scheme}:// lets anybody on the way replace the keys; use https://")
        return self


def _is_loopback(listen: str) -> bool:
    if listen.startswith("unix:"):
        return True
    host = listen.rsplit(":", 1)[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
