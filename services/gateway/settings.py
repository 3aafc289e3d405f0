"""The gateway's settings, from GATEWAY_* environment variables."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServerSettings


class GatewaySettings(ServerSettings):
    """Where the stages are, who may call, where events go."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    listen: str = "127.0.0.1:50051"
    segmenter_address: str = "127.0.0.1:50052"
    compositor_address: str = "127.0.0.1:50053"
    validator_address: str = "127.0.0.1:50054"
    nats_url: str = Field(default="", description="empty: no events")
    auth: Literal["api-key", "off"] = Field(default="api-key", description='"off" only on loopback')
    api_keys_file: Path | None = Field(default=None, description="see services/gateway/keys.py")
    role: Literal["api", "worker", "all"] = Field(
        default="all", description="answer callers, work on jobs, or both; also --role"
    )
    database_url: str = Field(
        default="",
        description="sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME; empty: no jobs, no reviews",
    )
    objects_url: str = Field(default="", description="file:///FOLDER or s3://BUCKET/PREFIX: photos and results of jobs")
    default_marketplace: str = Field(default="amazon-us", description="for requests that name none")
    max_concurrent_photos: int = Field(default=64, ge=1, description="photos in work at the same time")
    max_stream_items: int = Field(default=16, ge=1, description="unanswered photos of one stream")
    max_upload_bytes: int = Field(default=64 * 2**20, ge=1, description="a photo that comes in chunks")

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> Self:
        if self.auth == "off" and not _is_loopback(self.listen):
            raise ValueError(f"auth=off is for loopback only, not for {self.listen}; use api-key")
        if self.auth == "api-key" and self.api_keys_file is None:
            raise ValueError(
                "auth=api-key needs GATEWAY_API_KEYS_FILE; make one with "
                "`python -m services.gateway.keys add --file keys.json --tenant NAME`"
            )
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
