"""Cases beside the rules: what a measured value must give, and whether every rule has enough of them.

`python -m services.validator.cases [RULES_DIR]` runs them all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from services.validator.catalogue import CATALOGUE, Measurement
from services.validator.evaluate import RuleStatus, evaluate
from services.validator.pack_loader import build_pack, check_schema, lineage, load_packs, read_documents, read_schema
from services.validator.packs import DatedValue, Rule, RulePack
from services.validator.strict_yaml import PackError, read_yaml

CASES_FILE = "cases.yaml"
CASES_SCHEMA_FILE = Path("schema", "rule-cases.schema.json")
_MET = (RuleStatus.PASS,)
_BROKEN = (RuleStatus.FAIL, RuleStatus.WARN)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a cases file, for one pack that has the rule."""

    pack: RulePack
    rule: Rule
    category: str
    as_of: date
    measured: float | str | None
    expect: RuleStatus

    def __str__(self) -> str:
        category = f" {self.category}" if self.category else ""
        return f"{self.pack.id} {self.rule.id}{category} on {self.as_of} measured {self.measured}"

    def run(self) -> RuleStatus:
        """What the rule gives for the measured value."""
        quantity = CATALOGUE[self.rule.measurement]
        why_not = "" if self.measured is not None else "left out by the case"
        measurement = Measurement(quantity.name, self.measured, quantity.unit, why_not)
        evaluation = evaluate(self.pack, self.category, self.as_of, {quantity.name: measurement})
        return next(result.status for result in evaluation.results if result.rule_id == self.rule.id)


def read_cases(rules_dir: Path) -> list[Case]:
    """Every pack's cases; a rule without any in the pack takes those of the pack it is inherited from.

    Raises:
        PackError: a file that cannot be used, or a case of a rule that does not exist.
    """
    documents = read_documents(rules_dir)
    validator = Draft202012Validator(read_schema(rules_dir / CASES_SCHEMA_FILE))
    tables = {pack_id: _read_table(document["file"], validator) for pack_id, document in documents.items()}
    cases: list[Case] = []
    used: set[tuple[str, str]] = set()
    for pack_id, document in documents.items():
        if document["abstract"]:
            continue
        pack = build_pack(documents, pack_id)
        ancestors = lineage(documents, pack_id)
        for rule in pack.rules:
            owner = next((ancestor for ancestor in ancestors if rule.id in tables[ancestor]), None)
            if owner is not None:
                used.add((owner, rule.id))
                file = documents[owner]["file"].with_name(CASES_FILE)
                cases += [
                    _case(pack, rule, entry, file, f"{rule.id}[{index}]")
                    for index, entry in enumerate(tables[owner][rule.id])
                ]
    for owner, table in tables.items():
        for rule_id in table:
            if (owner, rule_id) not in used:
                file = documents[owner]["file"].with_name(CASES_FILE)
                raise PackError(file, rule_id, "there is no such rule in any pack that takes cases from here")
    return cases


def missing_cases(pack: RulePack, cases: list[Case]) -> Iterator[str]:
    """What the cases of a pack lack: a pass and a fail of every rule, and both sides of every change of a value."""
    for rule in pack.rules:
        own = [case for case in cases if case.pack.id == pack.id and case.rule.id == rule.id]
        name = f"{pack.id} {rule.id}"
        for word, statuses in (("passes", _MET), ("fails", _BROKEN)):
            if _is_ever_in_force(rule) and not any(case.expect in statuses for case in own):
                yield f"{name}: no case that {word}"
        plain = {case.as_of for case in own if case.category not in rule.by_category}
        yield from _missing_days(name, rule.values, plain)
        for category, values in rule.by_category.items():
            days = {case.as_of for case in own if case.category == category}
            yield from _missing_days(f"{name} {category}", values, days)


def main(arguments: list[str]) -> int:
    """Run every case; 0 if all hold and none is missing."""
    rules_dir = Path(arguments[0]) if arguments else Path("rules")
    try:
        packs = load_packs(rules_dir)
        cases = read_cases(rules_dir)
    except PackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    problems = [problem for pack in packs for problem in missing_cases(pack, cases)]
    problems += [
        f"{case}: expected {case.expect.value}, got {status.value}"
        for case in cases
        if (status := case.run()) is not case.expect
    ]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    rules = sum(len(pack.rules) for pack in packs)
    sys.stdout.write(f"{len(packs)} packs, {rules} rules, {len(cases)} cases, {len(problems)} problems\n")
    return 1 if problems else 0


def _read_table(pack_file: Path, validator: Draft202012Validator) -> Mapping[str, Any]:
    file = pack_file.with_name(CASES_FILE)
    if not file.exists():
        return {}
    table = read_yaml(file)
    check_schema(validator, table, file)
    return table


def _case(pack: RulePack, rule: Rule, entry: Mapping[str, Any], file: Path, path: str) -> Case:
    category = entry.get("category", rule.categories[0] if rule.categories else "")
    if category and category not in pack.categories:
        raise PackError(file, path, f"there is no category {category!r}")
    if not rule.applies_to(category):
        raise PackError(file, path, f"the rule is not asked of category {category!r}")
    try:
        day = date.fromisoformat(entry["as_of"]) if "as_of" in entry else rule.values_for(category)[-1].effective_from
    except ValueError as error:
        raise PackError(file, f"{path}.as_of", f"{entry['as_of']!r} is no date") from error
    return Case(pack, rule, category, day, entry.get("measured"), RuleStatus(entry["expect"]))


def _is_ever_in_force(rule: Rule) -> bool:
    return any(value.required is not None for values in (rule.values, *rule.by_category.values()) for value in values)


def _missing_days(name: str, values: tuple[DatedValue, ...], days: set[date]) -> Iterator[str]:
    for value in values:
        change = value.effective_from
        for day, word in ((change - timedelta(days=1), "the day before"), (change, "the day of")):
            if day not in days:
                yield f"{name}: no case on {day}, {word} a change"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
