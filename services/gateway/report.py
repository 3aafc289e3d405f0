"""Puts the report together: rules, measurements, confidence and verdict of one marketplace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packshot.v1.image_pb2 import BackgroundClass, Segmentation, StageTiming, Trait
from packshot.v1.report_pb2 import (
    RESOLUTION_AUTO_CORRECTED,
    RESOLUTION_MANUAL,
    RULE_STATUS_FAIL,
    RULE_STATUS_NOT_EVALUATED,
    RULE_STATUS_PASS,
    RULE_STATUS_WARN,
    SEVERITY_ERROR,
    VERDICT_PUBLISH,
    VERDICT_REJECT,
    VERDICT_REVIEW,
    Confidence,
    ConfidenceFactor,
    Finding,
    Placement,
    Repair,
    Report,
    RuleResult,
)
from packshot.v1.report_pb2 import Verdict as VerdictMessage
from packshot.v1.rules_pb2 import RulePack
from packshot.v1.segmenter_pb2 import SegmentImageResponse
from packshot.v1.validator_pb2 import (
    CURE_LOWER_QUALITY,
    CURE_RESCALE,
    CURE_TIGHTEN_EDGE,
    Cure,
    Evaluation,
    ValidateImageResponse,
)
from services.gateway import confidence, repair, verdict
from services.gateway.request import Scope
from services.gateway.verdict import Decision, Thresholds, Verdict

_BROKEN: Final = (RULE_STATUS_FAIL, RULE_STATUS_WARN)

_CURES: Final[Mapping[Cure.ValueType, repair.Cure]] = {
    CURE_RESCALE: repair.Cure.RESCALE,
    CURE_TIGHTEN_EDGE: repair.Cure.TIGHTEN_EDGE,
    CURE_LOWER_QUALITY: repair.Cure.LOWER_QUALITY,
}

_VERDICTS: Final[Mapping[Verdict, VerdictMessage.ValueType]] = {
    Verdict.PUBLISH: VERDICT_PUBLISH,
    Verdict.REVIEW: VERDICT_REVIEW,
    Verdict.REJECT: VERDICT_REJECT,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a photo before its packshot is looked at.

    Args:
        scope: Which rules apply.
        pack: The marketplace's.
        segmented: The segmenter's answer.
        on_photo: The validator's answer about the photo as it came.
        photo_evaluation: The part of it about this marketplace.
    """

    scope: Scope
    pack: RulePack
    segmented: SegmentImageResponse
    on_photo: ValidateImageResponse
    photo_evaluation: Evaluation


def of_packshot(
    facts: Facts,
    evaluation: Evaluation,
    validation: ValidateImageResponse,
    placement: Placement,
    repairs: Sequence[Repair],
    findings: Sequence[Finding],
) -> Report:
    """The report on a packshot we made; timings are added when all is done."""
    segmentation = facts.segmented.segmentation
    measured = {m.name: m.value for m in validation.measurements if m.HasField("value")}
    sure = confidence.combine(
        (
            *_segmentation_factors(segmentation),
            *confidence.of_packshot(halo=measured.get("halo"), upscale_factor=placement.upscale_factor),
        )
    )
    decision = verdict.of_packshot(
        confidence=sure.value,
        violations=_violations(evaluation),
        touches_frame=segmentation.touches_frame,
        findings=[finding.message for finding in findings if finding.resolution == RESOLUTION_MANUAL],
        thresholds=Thresholds(facts.pack.verdict.publish_at, facts.pack.verdict.reject_below),
    )
    report = _report(facts.scope, evaluation, validation, decision)
    report.rules.extend(_resolved(evaluation, facts.photo_evaluation, repairs))
    report.confidence.CopyFrom(_confidence_message(sure))
    report.segmentation.CopyFrom(segmentation)
    report.placement.CopyFrom(placement)
    report.repairs.extend(repairs)
    report.findings.extend(findings)
    report.warnings.extend(facts.segmented.warnings)
    return report


def without_product(facts: Facts) -> Report:
    """The report on a photo in which no product was found: there is no packshot, the rules are the photo's."""
    report = _report(facts.scope, facts.photo_evaluation, facts.on_photo, verdict.without_product())
    report.rules.extend(_as_is(facts.photo_evaluation))
    report.confidence.CopyFrom(Confidence(value=0.0))
    report.segmentation.CopyFrom(facts.segmented.segmentation)
    report.warnings.extend(facts.segmented.warnings)
    return report


def of_checked_image(
    scope: Scope, evaluation: Evaluation, validation: ValidateImageResponse, timings: Sequence[StageTiming]
) -> Report:
    """The report on an image that was only checked."""
    report = _report(scope, evaluation, validation, verdict.of_checked_image(_violations(evaluation)))
    report.rules.extend(_as_is(evaluation))
    report.timings.extend(timings)
    return report


def confidence_of_cutout(segmentation: Segmentation) -> Confidence:
    """How sure a cutout is; there is no packshot to measure. 0 when no product was found."""
    if not segmentation.pieces:
        return Confidence(value=0.0)
    return _confidence_message(confidence.combine(_segmentation_factors(segmentation)))


def curable(evaluation: Evaluation) -> list[repair.Failure]:
    """The broken rules that another treatment may cure."""
    return [
        repair.Failure(
            rule.result.rule_id,
            _CURES[rule.cure],
            rule.minimum if rule.HasField("minimum") else None,
            rule.maximum if rule.HasField("maximum") else None,
        )
        for rule in evaluation.rules
        if rule.result.status in _BROKEN and rule.cure in _CURES
    ]


def passed(evaluation: Evaluation) -> set[str]:
    """The rules that passed; one that could not be evaluated did not."""
    return {rule.result.rule_id for rule in evaluation.rules if rule.result.status == RULE_STATUS_PASS}


def count_unmet(evaluation: Evaluation) -> tuple[int, int]:
    """Rules that failed or could not be evaluated, and rules warned about."""
    statuses = [rule.result.status for rule in evaluation.rules]
    failed = statuses.count(RULE_STATUS_FAIL) + statuses.count(RULE_STATUS_NOT_EVALUATED)
    return failed, statuses.count(RULE_STATUS_WARN)


def _report(scope: Scope, evaluation: Evaluation, validation: ValidateImageResponse, decision: Decision) -> Report:
    """What every report has."""
    return Report(
        marketplace=evaluation.marketplace,
        category=scope.category,
        as_of_date=scope.as_of_date,
        pack=evaluation.pack,
        compliant=evaluation.compliant,
        not_evaluated_count=evaluation.not_evaluated_count,
        measurements=validation.measurements,
        verdict=_VERDICTS[decision.verdict],
        verdict_reasons=decision.reasons,
    )


def _violations(evaluation: Evaluation) -> list[str]:
    return [
        rule.result.title
        for rule in evaluation.rules
        if rule.result.status == RULE_STATUS_FAIL and rule.result.severity == SEVERITY_ERROR
    ]


def _resolved(evaluation: Evaluation, on_photo: Evaluation, repairs: Sequence[Repair]) -> list[RuleResult]:
    """The packshot's rules, each with what the photo measured and whether we corrected it."""
    before = {rule.result.rule_id: rule.result for rule in on_photo.rules}
    broken = {rule_id for rule_id, result in before.items() if result.status in _BROKEN}
    broken.update(rule_id for attempt in repairs for rule_id in attempt.rule_ids)
    resolved = []
    for rule in evaluation.rules:
        result = RuleResult()
        result.CopyFrom(rule.result)
        photo = before.get(result.rule_id)
        if photo is not None:
            result.measured_on_photo = photo.measured
        if result.status in _BROKEN:
            result.resolution = RESOLUTION_MANUAL
        elif result.status == RULE_STATUS_PASS and result.rule_id in broken:
            result.resolution = RESOLUTION_AUTO_CORRECTED
            result.action = ""
        resolved.append(result)
    return resolved


def _as_is(evaluation: Evaluation) -> list[RuleResult]:
    results = [rule.result for rule in evaluation.rules]
    for result in results:
        if result.status in _BROKEN:
            result.resolution = RESOLUTION_MANUAL
    return results


def _segmentation_factors(segmentation: Segmentation) -> tuple[confidence.Factor, ...]:
    used = [proposal for proposal in segmentation.proposals if proposal.weight > 0]
    return confidence.of_segmentation(
        expected_iou=segmentation.expected_iou,
        consistency=max((proposal.score for proposal in used), default=0.0),
        soft_share=segmentation.soft_share,
        background=BackgroundClass.Name(segmentation.background_class).removeprefix("BACKGROUND_CLASS_").lower(),
        proposals=[proposal.name for proposal in used],
        touches_frame=segmentation.touches_frame,
        traits={Trait.Name(trait).removeprefix("TRAIT_").lower() for trait in segmentation.traits},
    )


def _confidence_message(sure: confidence.Confidence) -> Confidence:
    return Confidence(
        value=round(sure.value, 4),
        factors=[
            ConfidenceFactor(name=f.name, value=round(f.value, 4), weight=f.weight, explanation=f.explanation)
            for f in sure.factors
        ],
    )
