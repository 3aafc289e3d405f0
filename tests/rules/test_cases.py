"""Every case beside the rules holds, and no rule lacks one."""

from pathlib import Path

import pytest

from services.validator.cases import Case, missing_cases, read_cases
from services.validator.pack_loader import load_packs

RULES = Path(__file__).parents[2] / "rules"
CASES = read_cases(RULES)
PACKS = load_packs(RULES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    assert case.run() is case.expect


@pytest.mark.parametrize("pack_id", PACKS.ids)
def test_no_rule_lacks_a_case(pack_id: str) -> None:
    assert list(missing_cases(PACKS.get(pack_id), CASES)) == []
