"""The images' lock files fit pyproject.toml. When a dependency was added or moved: `make locks`."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.containers.dockerfile import REPOSITORY, SERVICES

_PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
_EXTRAS: dict[str, list[str]] = _PROJECT["project"]["optional-dependencies"]
_LOCKED_EXTRAS = {name: (name,) for name in SERVICES} | {"segmenter": ("segmenter", "triton")}


def _required(extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What the project needs with these extras; `packshot[…]` among them is looked up in turn."""
    texts = [*_PROJECT["project"]["dependencies"], *(text for extra in extras for text in _EXTRAS[extra])]
    for requirement in map(Requirement, texts):
        if requirement.name == "packshot":
            yield from _required(tuple(requirement.extras))
        else:
            yield requirement


def _locked(path: Path) -> dict[str, str]:
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pinned}


@pytest.mark.parametrize("service", SERVICES)
def test_all_that_a_service_needs_is_locked(service: str) -> None:
    locked = _locked(REPOSITORY / "services" / service / "requirements.lock")
    for requirement in _required(_LOCKED_EXTRAS[service]):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not locked: make locks"
        assert version in requirement.specifier, f"{requirement} is locked as {version}: make locks"


def test_what_builds_the_wheel_is_locked() -> None:
    locked = _locked(REPOSITORY / "deploy/containers/build.lock")
    for text in _PROJECT["build-system"]["requires"]:
        assert locked[Requirement(text).name] in Requirement(text).specifier


@pytest.mark.parametrize(
    "path", [*(f"services/{name}/requirements.lock" for name in SERVICES), "deploy/containers/build.lock"]
)
def test_every_package_is_pinned_by_hash_and_no_index_is_named(path: str) -> None:
    text = (REPOSITORY / path).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))

    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_the_gateways_image_needs_no_models() -> None:
    assert not {"onnxruntime", "scipy", "onnx", "torch"} & set(
        _locked(REPOSITORY / "services/gateway/requirements.lock")
    )
