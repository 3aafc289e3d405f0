"""The segmenter's settings, from SEGMENTER_* environment variables."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.common.settings import StageSettings


class SegmenterSettings(StageSettings):
    """What proposes mattes and where the models' weights lie."""

    model_config = SettingsConfigDict(env_prefix="SEGMENTER_")

    listen: str = "127.0.0.1:50052"
    proposers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("classical", "packshot"),
        min_length=1,
        description='comma-separated: "classical", names of registry models, and "sam", which refines their answer',
    )
    models_dir: Path = Field(default=Path("models"), description="folder with the models' weights")
    weights_sha256: dict[str, str] = Field(
        default={},
        description='digests the weights must have, e.g. {"u2netp": "309c…"}; others are accepted as they are',
    )
    onnx_threads: int = Field(default=0, ge=0, description="threads a model may use; 0: all cores")
    backend: Literal["local", "triton"] = Field(
        default="local", description="where models run: in this process or on a Triton server"
    )
    triton_url: str = Field(
        default="127.0.0.1:8001",
        min_length=1,
        description="Triton's gRPC address: HOST:PORT or dns:///headless-name:PORT",
    )
    triton_timeout_s: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="for one run of a model; a photo takes two"
    )
    fallback: Literal["none", "local"] = Field(
        default="none", description="what answers where Triton does not: nothing, or the model in this process"
    )

    @field_validator("proposers", mode="before")
    @classmethod
    def _split_proposers(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("proposers")
    @classmethod
    def _check_once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError(f"every proposer may be named once only, not {', '.join(value)}")
        return value
