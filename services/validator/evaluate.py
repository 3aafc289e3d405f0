"""Compare measurements with the rules in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from services.validator.catalogue import CATALOGUE, Kind, Measurement, Measurements
from services.validator.packs import Cure, DatedValue, Rule, RulePack, Severity


class RuleStatus(Enum):
    """What became of a rule."""

    PASS = "pass"  # noqa: S105 - of a rule  # nosec B105
    FAIL = "fail"
    WARN = "warn"  # a rule of severity warning is not met
    NOT_EVALUATED = "not_evaluated"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule's answer about one image.

    measured and required are as people read them, empty where there is none. minimum and maximum bound the numbers that
    pass, for a cure that aims at one. why is empty for a pass. references say how far each source can be trusted.
    """

    rule_id: str
    title: str
    status: RuleStatus
    severity: Severity
    measurement: str
    measured: str
    required: str
    unit: str
    why: str
    action: str
    cure: Cure | None
    minimum: float | None
    maximum: float | None
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A pack's answer about one image.

    compliant: no rule of severity error failed. Rules that were not evaluated do not count, see `not_evaluated_count`.
    """

    pack_id: str
    pack_version: str
    pack_hash: str
    category: str
    as_of: date
    compliant: bool
    not_evaluated_count: int
    results: tuple[RuleResult, ...]


def evaluate(pack: RulePack, category: str, as_of: date, measurements: Measurements) -> Evaluation:
    """Compare an image's measurements with the rules in force for a category on a day.

    Args:
        category: one of the pack's, or "" (unspecified) for the rules common to all.
        as_of: the day whose rules apply.

    Returns:
        One result for every rule asked of the category, in the pack's order. A rule without a value in force, or whose
        measurement could not be made, is NOT_EVALUATED with the reason, never a pass.

    Raises:
        UnknownCategoryError: the pack has no such category.
    """
    results = tuple(_result(rule, category, as_of, measurements) for rule in pack.rules_for(category))
    return Evaluation(
        pack_id=pack.id,
        pack_version=pack.version,
        pack_hash=pack.hash,
        category=category,
        as_of=as_of,
        compliant=all(result.status is not RuleStatus.FAIL for result in results),
        not_evaluated_count=sum(result.status is RuleStatus.NOT_EVALUATED for result in results),
        results=results,
    )


def _result(rule: Rule, category: str, as_of: date, measurements: Measurements) -> RuleResult:
    quantity = CATALOGUE[rule.measurement]
    in_force = rule.value_on(as_of, category)
    measurement = measurements.get(rule.measurement)
    status, why = _compare(rule, as_of, in_force, measurement)
    required = in_force.required if in_force is not None else None
    minimum, maximum = rule.check.bounds(required) if required is not None else (None, None)
    return RuleResult(
        rule_id=rule.id,
        title=rule.title,
        status=status,
        severity=rule.severity,
        measurement=rule.measurement,
        measured=_readable(rule, required, measurement),
        required=rule.check.describe(required) if required is not None else "",
        unit=quantity.unit,
        why=why,
        action="" if status is RuleStatus.PASS else rule.action,
        cure=rule.cure,
        minimum=minimum,
        maximum=maximum,
        references=tuple(map(str, in_force.sources)) if in_force is not None else (),
    )


def _compare(
    rule: Rule, as_of: date, in_force: DatedValue | None, measurement: Measurement | None
) -> tuple[RuleStatus, str]:
    if in_force is None or in_force.required is None:
        note = f": {in_force.note}" if in_force is not None and in_force.note else ""
        return RuleStatus.NOT_EVALUATED, f"no value in force on {as_of}{note}"
    if measurement is None:
        return RuleStatus.NOT_EVALUATED, f"{rule.measurement} was not measured"
    if measurement.value is None:
        return RuleStatus.NOT_EVALUATED, measurement.why_not
    if rule.check.passes(measurement.value, in_force.required):
        return RuleStatus.PASS, ""
    return (RuleStatus.FAIL if rule.severity is Severity.ERROR else RuleStatus.WARN), rule.message


def _readable(rule: Rule, required: object, measurement: Measurement | None) -> str:
    """The measured value as people read it, with as many digits as it takes to see on which side of the line it is."""
    if measurement is None or measurement.value is None:
        return ""
    value = measurement.value
    if isinstance(value, str):
        return value
    if CATALOGUE[rule.measurement].kind is Kind.FLAG:
        return "yes" if value else "no"
    if float(value).is_integer():
        return str(int(value))
    bounds = [bound for bound in rule.check.bounds(required) if bound is not None] if required is not None else []  # type: ignore[arg-type]
    for digits in range(3, 17):
        text = f"{value:.{digits}f}"
        if all(
            (float(text) < bound) == (value < bound) and (float(text) > bound) == (value > bound) for bound in bounds
        ):
            return text
    return repr(value)
