import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LISTEN", "0.0.0.0:7000")
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "sqlite+aiosqlite:////var/lib/packshot/gateway.db")
    monkeypatch.setenv("GATEWAY_MAX_STREAM_ITEMS", "3")
    settings = GatewaySettings()
    assert settings.listen == "0.0.0.0:7000"
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:////var/lib/packshot/gateway.db"
    assert settings.max_stream_items == 3


def test_keys_are_needed_unless_authentication_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="GATEWAY_DATABASE_URL"):
        GatewaySettings()
    monkeypatch.setenv("GATEWAY_AUTH", "off")
    assert not GatewaySettings().database_url


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


JOBS = {
    "GATEWAY_DATABASE_URL": "sqlite+aiosqlite:///jobs.db",
    "GATEWAY_OBJECTS_URL": "file:///objects",
    "GATEWAY_NATS_URL": "nats://127.0.0.1:4222",
}


@pytest.mark.parametrize("missing", ["GATEWAY_DATABASE_URL", "GATEWAY_NATS_URL"])
def test_jobs_need_database_objects_and_nats_together(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("GATEWAY_AUTH", "off")
    for name, value in JOBS.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=f"{missing} is missing"):
        GatewaySettings()


def test_without_database_there_are_no_jobs_and_nats_alone_is_for_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_AUTH", "off")
    monkeypatch.setenv("GATEWAY_NATS_URL", "nats://127.0.0.1:4222")
    settings = GatewaySettings()
    assert (settings.has_jobs, settings.works, settings.answers_callers) == (False, False, True)


def test_a_worker_needs_all_of_it_and_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="role=worker needs GATEWAY_DATABASE_URL and GATEWAY_OBJECTS_URL and"):
        GatewaySettings(role="worker")
    for name, value in JOBS.items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings(role="worker")
    assert (settings.works, settings.answers_callers) == (True, False)


@pytest.mark.parametrize(("role", "works", "answers"), [("api", False, True), ("all", True, True)])
def test_the_role_says_what_a_gateway_does(
    monkeypatch: pytest.MonkeyPatch, role: str, works: bool, answers: bool
) -> None:
    for name, value in {**JOBS, "GATEWAY_AUTH": "off", "GATEWAY_ROLE": role}.items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings()
    assert (settings.works, settings.answers_callers) == (works, answers)
