"""The compositor's settings, from COMPOSITOR_* environment variables."""

from pydantic_settings import SettingsConfigDict

from services.common.settings import ServerSettings


class CompositorSettings(ServerSettings):
    """The compositor adds nothing to what every service has."""

    model_config = SettingsConfigDict(env_prefix="COMPOSITOR_")

    listen: str = "127.0.0.1:50053"
