"""Settings every service has. Each service adds its own and the prefix of its environment variables."""

import os
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

MAX_MESSAGE_BYTES = 160 * 2**20
"""A 64 MiB photo and its matte fit, with room."""


class ServerSettings(BaseSettings):
    """How a service listens, how much it takes on, how it stops."""

    listen: str = Field(description="HOST:PORT (port 0: any free one) or unix:/PATH")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    queue_size: int = Field(default=32, ge=0, le=10_000, description="photos that may wait for a worker")
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
