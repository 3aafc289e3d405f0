"""The services' Dockerfiles: alike, in good style, with what they copy and no more."""

import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.containers.dockerfile import REPOSITORY, SERVICES, dockerfile, dockerfile_environment, instructions


@pytest.mark.parametrize("service", SERVICES)
def test_hadolint_finds_nothing(service: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, REPOSITORY / "services" / service / "Dockerfile"], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout


def _anonymous(service: str) -> list[str]:
    text = dockerfile(service).replace(service, "NAME").replace(service.upper(), "NAME")
    text = re.sub(r"5005[1-4]", "PORT", text)
    text = re.sub(r'image.description="[^"]*"', "", text)
    return [line for line in text.splitlines() if line != "COPY rules rules"]


@pytest.mark.parametrize("service", SERVICES[1:])
def test_they_differ_in_names_only(service: str) -> None:
    assert _anonymous(service) == _anonymous("gateway")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_own_service(service: str) -> None:
    copied = [words for line in instructions(service, "COPY") for words in line.split()[:-1]]
    services = {path for path in copied if path.startswith("services/")}

    assert services == {
        f"services/{name}" for name in ("__init__.py", "common", service, f"{service}/requirements.lock")
    }
    assert ("rules" in copied) == (service == "validator")


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_copied_is_there_and_not_ignored(service: str) -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    let_through = [line.removeprefix("!") for line in lines if line.startswith("!")]
    ignored = [line for line in lines if line and line[0] not in "!#*"]
    for line in instructions(service, "COPY"):
        if not line.startswith("--from"):
            for path in line.split()[:-1]:
                assert (REPOSITORY / path).exists()
                assert any(path == entry or path.startswith(f"{entry}/") for entry in let_through), path
                assert not any(fnmatch.fnmatch(path, entry) for entry in ignored), path


@pytest.mark.parametrize("service", SERVICES)
def test_it_runs_as_nobody_and_tells_its_health(service: str) -> None:
    assert instructions(service, "USER") == ["65532:65532"]
    assert instructions(service, "ENTRYPOINT") == [f'["python", "-m", "services.{service}"]']
    environment = dockerfile_environment(service)
    port = environment[f"{service.upper()}_LISTEN"].removeprefix("0.0.0.0:")
    assert instructions(service, "EXPOSE") == [f"{port} 50060 9464"]
    (check,) = instructions(service, "HEALTHCHECK")
    assert check.endswith('CMD ["python", "-m", "services.common.health_check", "127.0.0.1:50060"]')
    assert environment[f"{service.upper()}_HEALTH_LISTEN"] == "0.0.0.0:50060"


@pytest.mark.parametrize("service", SERVICES)
def test_versions_agree(service: str) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    compose = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", dockerfile(service), re.MULTILINE)

    assert f"VERSION={version}" in instructions(service, "ARG")
    assert compose["services"][service]["image"] == f"packshot-{service}:{version}"
    assert f'org.opencontainers.image.base.name="{base}"' in dockerfile(service)
