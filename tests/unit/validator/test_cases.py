import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.validator.cases import main, read_cases
from services.validator.strict_yaml import PackError
from tests.unit.validator.test_pack_loader import PACK, RULES, write

CASES: dict[str, list[dict[str, Any]]] = {
    "fill": [
        {"as_of": "2025-12-31", "measured": 0.9, "expect": "not_evaluated"},
        {"as_of": "2026-01-01", "measured": 0.85, "expect": "pass"},
        {"measured": 0.84, "expect": "fail"},
        {"as_of": "2025-12-31", "category": "jewelry", "measured": 0.9, "expect": "not_evaluated"},
        {"as_of": "2026-01-01", "category": "jewelry", "measured": 0.9, "expect": "not_evaluated"},
    ]
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    shutil.copytree(RULES / "schema", tmp_path / "schema")
    write(tmp_path, PACK)
    return tmp_path


def write_cases(rules: Path, cases: Any, folder: str = "shop") -> None:
    (rules / "packs" / folder / "cases.yaml").write_text(yaml.safe_dump(cases), encoding="utf-8")


def test_complete_cases_that_hold_are_fine(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cases(rules, CASES)
    assert main([str(rules)]) == 0
    assert capsys.readouterr().out == "1 packs, 1 rules, 5 cases, 0 problems\n"


@pytest.mark.parametrize(
    ("leave_out", "problem"),
    [
        (0, "shop fill: no case on 2025-12-31, the day before a change"),
        (1, "shop fill: no case that passes"),
        (2, "shop fill: no case that fails"),
        (3, "shop fill jewelry: no case on 2025-12-31, the day before a change"),
        (4, "shop fill jewelry: no case on 2026-01-01, the day of a change"),
    ],
)
def test_a_missing_case_is_a_problem(
    rules: Path, capsys: pytest.CaptureFixture[str], leave_out: int, problem: str
) -> None:
    cases = deepcopy(CASES)
    del cases["fill"][leave_out]
    write_cases(rules, cases)
    assert main([str(rules)]) == 1
    assert problem in capsys.readouterr().err


def test_a_case_that_does_not_hold_is_a_problem(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = deepcopy(CASES)
    cases["fill"][1]["measured"] = 0.8
    write_cases(rules, cases)
    assert main([str(rules)]) == 1
    assert "shop fill on 2026-01-01 measured 0.8: expected pass, got fail" in capsys.readouterr().err


def test_a_rule_without_any_case_is_a_problem(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(rules)]) == 1
    assert "shop fill: no case that passes" in capsys.readouterr().err


def test_inherited_rules_bring_their_cases_unless_the_pack_has_its_own(rules: Path) -> None:
    write_cases(rules, CASES)
    write(rules, {"id": "heir", "version": "1.0.0", "extends": "shop"}, "heir")
    assert len(read_cases(rules)) == 10
    write_cases(rules, {"fill": CASES["fill"][:1]}, "heir")
    assert len(read_cases(rules)) == 6


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        ({"fil": CASES["fill"]}, "no such rule"),
        ({"fill": []}, "should be non-empty"),
        ({"fill": [{"expect": "maybe"}]}, "is not one of"),
        ({"fill": [{"expect": "pass", "category": "food"}]}, "no category 'food'"),
        ({"fill": [{"expect": "pass", "as_of": "2026-02-31"}]}, "no date"),
    ],
)
def test_wrong_cases_are_errors(rules: Path, cases: Any, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_cases(rules, cases)
    with pytest.raises(PackError, match=reason):
        read_cases(rules)
    assert main([str(rules)]) == 1
    assert reason in capsys.readouterr().err
