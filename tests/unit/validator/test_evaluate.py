from dataclasses import replace
from datetime import date

import pytest

from services.validator.catalogue import CATALOGUE, Measurement, Measurements
from services.validator.checks import CHECKS
from services.validator.evaluate import RuleStatus, evaluate
from services.validator.packs import Cure, DatedValue, Mark, Severity, Source, UnknownCategoryError
from tests.unit.validator.test_packs import pack, rule

TODAY = date(2026, 11, 20)
FILL = rule({date(2020, 1, 1): 0.85})


def measured(name: str, value: float | str | None, why_not: str = "") -> Measurements:
    return {name: Measurement(name, value, CATALOGUE[name].unit, why_not)}


def test_a_met_rule_passes_and_asks_nothing() -> None:
    evaluation = evaluate(pack(FILL), "", TODAY, measured("fill_ratio", 0.87))
    (result,) = evaluation.results
    assert result.status is RuleStatus.PASS
    assert (result.measured, result.required, result.unit) == ("0.870", "≥ 0.85", "ratio")
    assert (result.why, result.action) == ("", "")
    assert evaluation.compliant
    assert (evaluation.pack_id, evaluation.pack_version, evaluation.pack_hash) == ("shop", "1.0.0", "sha256:0")


def test_a_broken_error_fails_the_image() -> None:
    evaluation = evaluate(pack(FILL), "", TODAY, measured("fill_ratio", 0.5))
    (result,) = evaluation.results
    assert result.status is RuleStatus.FAIL
    assert (result.why, result.action) == ("Too small.", "Enlarge it.")
    assert (result.minimum, result.maximum) == (0.85, None)
    assert not evaluation.compliant


def test_a_broken_warning_does_not() -> None:
    evaluation = evaluate(pack(replace(FILL, severity=Severity.WARNING)), "", TODAY, measured("fill_ratio", 0.5))
    assert evaluation.results[0].status is RuleStatus.WARN
    assert evaluation.compliant


def test_a_measurement_that_could_not_be_made_is_no_pass() -> None:
    evaluation = evaluate(pack(FILL), "", TODAY, measured("fill_ratio", None, "it is dark"))
    (result,) = evaluation.results
    assert (result.status, result.why, result.measured) == (RuleStatus.NOT_EVALUATED, "it is dark", "")
    assert result.required == "≥ 0.85"
    assert evaluation.not_evaluated_count == 1


def test_a_measurement_nobody_handed_in_is_no_pass() -> None:
    (result,) = evaluate(pack(FILL), "", TODAY, {}).results
    assert (result.status, result.why) == (RuleStatus.NOT_EVALUATED, "fill_ratio was not measured")


def test_before_its_first_value_a_rule_is_not_evaluated() -> None:
    (result,) = evaluate(pack(FILL), "", date(2019, 12, 31), measured("fill_ratio", 0.9)).results
    assert (result.status, result.why) == (RuleStatus.NOT_EVALUATED, "no value in force on 2019-12-31")
    assert result.required == ""


def test_an_ended_rule_is_not_evaluated_and_says_why() -> None:
    source = Source("page", "A page", Mark.SECOND_HAND)
    ended = replace(FILL, values=(*FILL.values, DatedValue(date(2026, 1, 1), None, (source,), "it is flexible")))
    (result,) = evaluate(pack(ended), "", TODAY, measured("fill_ratio", 0.1)).results
    assert result.status is RuleStatus.NOT_EVALUATED
    assert result.why == "no value in force on 2026-11-20: it is flexible"
    assert result.references == ("[S] A page",)


def test_only_a_failed_error_makes_an_image_non_compliant() -> None:
    unmeasured = replace(FILL, id="halo", measurement="halo")
    evaluation = evaluate(pack(FILL, unmeasured), "", TODAY, measured("fill_ratio", 0.9))
    assert evaluation.compliant
    assert evaluation.not_evaluated_count == 1


def test_the_cure_is_named_for_the_repair_loop() -> None:
    (result,) = evaluate(pack(replace(FILL, cure=Cure.RESCALE)), "", TODAY, measured("fill_ratio", 0.5)).results
    assert result.cure is Cure.RESCALE


@pytest.mark.parametrize(
    ("value", "shown"), [(0.85, "0.850"), (0.8499, "0.8499"), (0.84999996, "0.84999996"), (1.0, "1"), (0.9, "0.900")]
)
def test_the_shown_value_is_on_the_same_side_of_the_line_as_the_measured_one(value: float, shown: str) -> None:
    (result,) = evaluate(pack(FILL), "", TODAY, measured("fill_ratio", value)).results
    assert result.measured == shown


def test_flags_and_texts_read_like_words() -> None:
    touches = replace(FILL, measurement="touches_frame", check=CHECKS["is_false"])
    touches = replace(touches, values=(DatedValue(date(2020, 1, 1), True, ()),))
    (result,) = evaluate(pack(touches), "", TODAY, measured("touches_frame", 1.0)).results
    assert (result.measured, result.required) == ("yes", "no")
    kind = replace(FILL, measurement="format", check=CHECKS["one_of"])
    kind = replace(kind, values=(DatedValue(date(2020, 1, 1), ("JPEG", "PNG"), ()),))
    (result,) = evaluate(pack(kind), "", TODAY, measured("format", "BMP")).results
    assert (result.measured, result.required) == ("BMP", "JPEG or PNG")


def test_an_unknown_category_is_an_error() -> None:
    with pytest.raises(UnknownCategoryError):
        evaluate(pack(FILL), "food", TODAY, {})
