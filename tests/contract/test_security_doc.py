"""docs/security.md names tests and settings that there are."""

import ast
import re
from pathlib import Path

import pytest

from services.common.settings import StageSettings
from services.gateway.settings import GatewaySettings

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs/security.md").read_text()
THREATS = [line for line in TEXT.splitlines() if re.match(r"\| [STRIDE] \|", line)]
TESTS = sorted(set(re.findall(r"`(tests/[^`]+)`", TEXT)))


def names(tree: ast.AST, prefix: str = "") -> set[str]:
    """Tests and classes of tests: `Class::test`."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(f"{prefix}{node.name}")
            found |= names(node, f"{prefix}{node.name}::") if isinstance(node, ast.ClassDef) else set()
    return found


@pytest.mark.parametrize("test", TESTS)
def test_the_tests_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert (REPOSITORY / file).is_file()
    found = names(ast.parse((REPOSITORY / file).read_text()))
    assert name in found if name else any(test.rpartition("::")[2].startswith("test_") for test in found)


@pytest.mark.parametrize("threat", THREATS)
def test_every_threat_names_the_test_of_its_defence(threat: str) -> None:
    *_, test, _ = threat.split("|")
    assert "`tests/" in test


def test_every_kind_of_threat_is_looked_at() -> None:
    assert {threat[2] for threat in THREATS} == set("STRIDE")


def test_the_settings_are_there() -> None:
    known = {name.upper() for settings in (GatewaySettings, StageSettings) for name in settings.model_fields}
    named = re.findall(r"`(?:<NAME>|GATEWAY|SEGMENTER)_([A-Z_]+)(?:=|`)", TEXT)
    assert len(named) > 20
    assert set(named) - known == {"SECRETS_DIR"}  # where settings come from
