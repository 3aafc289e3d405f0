"""compose.yaml: what it says is understood by those it says it to. `make images-proof` runs it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.common.settings import ServerSettings, env_name
from services.compositor.settings import CompositorSettings
from services.gateway.settings import GatewaySettings
from services.segmenter.settings import SegmenterSettings
from services.validator.settings import ValidatorSettings
from tests.containers.dockerfile import dockerfile_environment

_REPOSITORY = Path(__file__).parents[2]
_COMPOSE: dict[str, Any] = yaml.safe_load((_REPOSITORY / "compose.yaml").read_text())
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_Settings = type[GatewaySettings] | type[SegmenterSettings] | type[CompositorSettings] | type[ValidatorSettings]
_SETTINGS: dict[str, _Settings] = {
    "gateway": GatewaySettings,
    "worker": GatewaySettings,
    "segmenter": SegmenterSettings,
    "compositor": CompositorSettings,
    "validator": ValidatorSettings,
}
_OURS = sorted(name for name, service in _SERVICES.items() if service["image"].startswith("packshot-"))
_STANDARD = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_ENDPOINT_URL"}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    subprocess.run([_REPOSITORY / "tools/containers/secrets.sh", folder], check=True, capture_output=True)
    return folder


def _image(service: dict[str, Any]) -> str:
    return str(service["image"]).removeprefix("packshot-").partition(":")[0]


def _settings(name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """As the container has them: the image's environment, compose's over it, and the secrets it names."""
    environment = dockerfile_environment(_image(_SERVICES[name])) | _SERVICES[name].get("environment", {})
    for variable, value in environment.items():
        monkeypatch.setenv(variable, str(secrets) if value == "/run/secrets" else value)
    return _SETTINGS[name]()


def test_it_is_valid_compose() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=_REPOSITORY)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(_SETTINGS))
def test_a_services_environment_is_settings_it_has(name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_type = _SETTINGS[name]
    known = {env_name(settings_type, field) for field in (*settings_type.model_fields, "secrets_dir")}
    given = {variable for variable in _SERVICES[name].get("environment", {}) if variable not in _STANDARD}
    assert given <= known

    settings = _settings(name, secrets, monkeypatch)
    assert settings.health_listen == "0.0.0.0:50060"
    assert settings.metrics_listen == "0.0.0.0:9464"
    assert _seconds(_SERVICES[name]["stop_grace_period"]) > settings.grace_s


def test_the_gateway_calls_the_stages_where_they_listen(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = _settings("gateway", secrets, monkeypatch)
    for stage in ("segmenter", "compositor", "validator"):
        port = _settings(stage, secrets, monkeypatch).listen.rpartition(":")[2]
        assert getattr(gateway, f"{stage}_address") == f"dns:///{stage}:{port}"


def test_secrets_are_for_their_containers_alone(secrets: Path) -> None:
    assert {path.name for path in secrets.iterdir()} == set(_COMPOSE["secrets"])
    assert secrets.stat().st_mode & 0o077 == 0
    values = {path.name: path.read_text() for path in secrets.iterdir()}
    assert values["postgres_password"] in values["gateway_database_url"]
    assert values["s3_secret_key"] in values["aws_credentials"]
    assert len({values[name] for name in ("postgres_password", "s3_access_key", "s3_secret_key")}) == 3
    for stage in ("segmenter", "compositor", "validator"):
        assert "secrets" not in _SERVICES[stage]
    text = (_REPOSITORY / "compose.yaml").read_text()
    assert not [value for value in values.values() if value in text]


def test_secrets_are_made_once(secrets: Path) -> None:
    before = (secrets / "postgres_password").read_text()
    subprocess.run([_REPOSITORY / "tools/containers/secrets.sh", secrets], check=True, capture_output=True)

    assert (secrets / "postgres_password").read_text() == before


@pytest.mark.parametrize("name", sorted(_SERVICES))
def test_a_container_can_do_little(name: str) -> None:
    service = _SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert "privileged" not in service
    assert "cap_add" not in service
    tag = service["image"].rpartition(":")[2]
    assert tag[0].isdigit() or tag[1].isdigit(), "an image without a version is another one tomorrow"
    if name in _OURS:
        assert service["user"] == "65532:65532"
    else:
        assert "healthcheck" in service


def test_only_the_gateway_is_reached_and_reaches_out() -> None:
    assert [name for name, service in _SERVICES.items() if "ports" in service] == ["gateway"]
    assert all(port.startswith("127.0.0.1:") for port in _SERVICES["gateway"]["ports"])
    outside = {name for name, service in _SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"gateway", "worker"}
    assert _COMPOSE["networks"]["stages"]["internal"] is True
    assert _COMPOSE["networks"]["data"]["internal"] is True


def test_who_is_needed_is_there_first() -> None:
    for name in ("gateway", "worker"):
        conditions = {needed: how["condition"] for needed, how in _SERVICES[name]["depends_on"].items()}
        assert conditions == {
            "topology": "service_completed_successfully",
            "migration": "service_completed_successfully",
            "s3": "service_healthy",
            "segmenter": "service_healthy",
            "compositor": "service_healthy",
            "validator": "service_healthy",
        }
    assert _SERVICES["topology"]["depends_on"] == {"nats": {"condition": "service_healthy"}}
    assert _SERVICES["migration"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_nats_accepts_its_configuration(secrets: Path, tmp_path: Path) -> None:
    mounted = {entry["target"]: secrets / entry["source"] for entry in _SERVICES["nats"]["secrets"]}
    (tmp_path / "nats.conf").write_text((_REPOSITORY / "deploy/containers/nats.conf").read_text())
    (tmp_path / "auth.conf").write_text(mounted["/etc/nats/auth.conf"].read_text())
    done = subprocess.run(
        ["nats-server", "-t", "--config", tmp_path / "nats.conf"], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def _seconds(period: str) -> float:
    return float(period.removesuffix("s"))
