"""The validator's settings, from VALIDATOR_* environment variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.settings import StageSettings

REPOSITORY_RULES = Path(__file__).resolve().parents[2] / "rules"


class ValidatorSettings(StageSettings):
    """Where the rules lie."""

    model_config = SettingsConfigDict(env_prefix="VALIDATOR_")

    listen: str = "127.0.0.1:50054"
    rules_dir: Path = Field(default=REPOSITORY_RULES, description="folder with schema/ and packs/")
