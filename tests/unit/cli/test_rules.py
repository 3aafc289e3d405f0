import datetime
import json
from collections.abc import Iterator

import pytest

from packshot.cli.tables import value_in_force
from packshot.v1.report_pb2 import SEVERITY_ERROR
from packshot.v1.rules_pb2 import DatedValue, PackTarget, Rule, RulePack
from tests.helpers.scripted_gateway import ScriptedGateway
from tests.unit.cli.conftest import Run

LONGEST_SIDE = Rule(
    rule_id="longest-side",
    title="Longest side",
    severity=SEVERITY_ERROR,
    values=[
        DatedValue(effective_from="2027-01-31", required="≥ 500 px"),
        DatedValue(effective_from="2020-01-01", required="≥ 100 px", references=["help page 6324350"]),
        DatedValue(effective_from="2030-01-01", ended=True),
    ],
)


@pytest.fixture(autouse=True)
def packs(gateway: ScriptedGateway) -> Iterator[None]:
    target = PackTarget(width_px=2000, height_px=2000, jpeg_quality=95, fill_ratio=0.87)
    gateway.packs = [
        RulePack(id="amazon-us", title="Amazon US", version="1.2.0", target=target, rules=[LONGEST_SIDE]),
        RulePack(id="amazon-de", title="Amazon Germany", version="1.0.1", target=target),
    ]
    yield


def test_list(run: Run) -> None:
    result = run("rules", "list")
    assert result.exit_code == 0
    (germany,) = [line for line in result.stdout.splitlines() if "amazon-de" in line]
    assert "Amazon Germany" in germany
    assert "2000 × 2000" in germany
    assert "1.0.1" in germany


def test_show_has_the_value_in_force_and_what_is_announced(run: Run) -> None:
    text = run("rules", "show", "amazon-us", "--as-of", "2026-11-20").stdout
    assert "≥ 100 px" in text
    assert "from 2027-01-31: ≥ 500 px" in text
    assert "from 2030-01-01: ends" in text
    assert "help page 6324350" in text


def test_show_says_whether_a_shadow_may_be_drawn(run: Run, gateway: ScriptedGateway) -> None:
    gateway.packs[1].target.allows_shadow = True
    assert "no shadow" in run("rules", "show", "amazon-us").stdout
    assert "a soft shadow on request" in run("rules", "show", "amazon-de").stdout


def test_show_on_a_later_day(run: Run) -> None:
    text = run("rules", "show", "amazon-us", "--as-of", "2027-01-31").stdout
    assert "≥ 100 px" not in text
    assert "from 2027" not in text
    assert "≥ 500 px" in text


@pytest.mark.parametrize(
    ("day", "required"),
    [
        ("2019-12-31", None),
        ("2020-01-01", "≥ 100 px"),
        ("2027-01-30", "≥ 100 px"),
        ("2027-01-31", "≥ 500 px"),
        ("2029-12-31", "≥ 500 px"),
        ("2030-01-01", None),
    ],
)
def test_value_in_force(day: str, required: str | None) -> None:
    value = value_in_force(LONGEST_SIDE, datetime.date.fromisoformat(day))
    assert (value.required if value else None) == required


def test_a_pack_nobody_knows(run: Run) -> None:
    result = run("rules", "show", "amazon-mars")
    assert result.exit_code == 2
    assert "amazon-mars" in result.stderr
    assert "packshot rules list" in result.stderr


def test_json(run: Run) -> None:
    assert [pack["id"] for pack in json.loads(run("rules", "list", "--json").stdout)["packs"]] == [
        "amazon-us",
        "amazon-de",
    ]
    (rule,) = json.loads(run("rules", "show", "amazon-us", "--json").stdout)["rules"]
    assert rule["severity"] == "error"
    assert rule["values"][2] == {"effective_from": "2030-01-01", "required": "", "ended": True, "references": []}
