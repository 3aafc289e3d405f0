"""The compositor's settings, from COMPOSITOR_* environment variables."""

from pydantic_settings import SettingsConfigDict

from services.common.settings import StageSettings


class CompositorSettings(StageSettings):
    """The compositor adds nothing to what every stage has."""

    model_config = SettingsConfigDict(env_prefix="COMPOSITOR_")

    listen: str = "127.0.0.1:50053"
