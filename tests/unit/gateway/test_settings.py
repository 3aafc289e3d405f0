from pathlib import Path

import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LISTEN", "0.0.0.0:7000")
    monkeypatch.setenv("GATEWAY_API_KEYS_FILE", "/etc/packshot/keys.json")
    monkeypatch.setenv("GATEWAY_MAX_STREAM_ITEMS", "3")
    settings = GatewaySettings()
    assert settings.listen == "0.0.0.0:7000"
    assert settings.api_keys_file == Path("/etc/packshot/keys.json")
    assert settings.max_stream_items == 3


def test_keys_are_needed_unless_authentication_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="GATEWAY_API_KEYS_FILE"):
        GatewaySettings()
    monkeypatch.setenv("GATEWAY_AUTH", "off")
    assert GatewaySettings().api_keys_file is None


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "127.8.8.8:1", "[::1]:50051", "localhost:50051", "unix:/run/gateway"]
)
def test_authentication_may_be_off_on_loopback(monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    monkeypatch.setenv("GATEWAY_AUTH", "off")
    monkeypatch.setenv("GATEWAY_LISTEN", listen)
    assert GatewaySettings().auth == "off"


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", "10.0.0.5:50051", "gateway:50051", ":50051"])
def test_authentication_may_not_be_off_elsewhere(monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    monkeypatch.setenv("GATEWAY_AUTH", "off")
    monkeypatch.setenv("GATEWAY_LISTEN", listen)
    with pytest.raises(ValidationError, match="loopback only"):
        GatewaySettings()
