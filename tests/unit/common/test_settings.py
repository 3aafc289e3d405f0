import pytest
from pydantic import ValidationError

from tests.helpers.tiny_service import TinySettings


def test_every_setting_has_a_default() -> None:
    settings = TinySettings()
    assert settings.workers >= 1
    assert settings.default_deadline_ms == 60_000
    assert not settings.reflection


def test_the_environment_comes_with_the_services_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINY_WORKERS", "3")
    monkeypatch.setenv("TINY_REFLECTION", "true")
    monkeypatch.setenv("TINY_GRACE_S", "2.5")
    monkeypatch.setenv("WORKERS", "7")
    settings = TinySettings()
    assert (settings.workers, settings.reflection, settings.grace_s) == (3, True, 2.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("QUEUE_SIZE", "-1"),
        ("DEFAULT_DEADLINE_MS", "0"),
        ("GRACE_S", "-1"),
        ("GRACE_S", "nan"),
        ("MAX_CONNECTION_AGE_S", "inf"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("REFLECTION", "perhaps"),
    ],
)
def test_values_without_sense_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TINY_{name}", value)
    with pytest.raises(ValidationError) as caught:
        TinySettings()
    assert [error["loc"] for error in caught.value.errors()] == [(name.lower(),)]
