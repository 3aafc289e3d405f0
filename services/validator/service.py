"""The validator's servicer: proto to domain and back."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import grpc

from packshot.v1 import report_pb2, rules_pb2, validator_pb2, validator_pb2_grpc
from packshot.v1.report_pb2 import RulePackVersion
from packshot.v1.rules_pb2 import (
    GetRulePackRequest,
    GetRulePackResponse,
    ListRulePacksRequest,
    ListRulePacksResponse,
)
from packshot.v1.validator_pb2 import EvaluatedRule, ValidateImageRequest, ValidateImageResponse
from services.common.dates import day_or_today
from services.common.errors import ServiceError, invalid_argument, unusable_photo
from services.common.executor import BoundedExecutor
from services.common.photo import Decode, PhotoError, decode_matte, decode_photo
from services.common.telemetry.steps import step
from services.validator.catalogue import Measurement, Measurements
from services.validator.evaluate import Evaluation, RuleResult, RuleStatus, evaluate
from services.validator.measure import MeasureError, measure
from services.validator.packs import (
    Cure,
    DatedValue,
    PackRegistry,
    Rule,
    RulePack,
    Severity,
    UnknownCategoryError,
    UnknownPackError,
)

T = TypeVar("T")

_STATUSES: Final = {
    RuleStatus.PASS: report_pb2.RULE_STATUS_PASS,
    RuleStatus.FAIL: report_pb2.RULE_STATUS_FAIL,
    RuleStatus.WARN: report_pb2.RULE_STATUS_WARN,
    RuleStatus.NOT_EVALUATED: report_pb2.RULE_STATUS_NOT_EVALUATED,
}
_SEVERITIES: Final = {
    Severity.ERROR: report_pb2.SEVERITY_ERROR,
    Severity.WARNING: report_pb2.SEVERITY_WARNING,
}
_CURES: Final = {
    None: validator_pb2.CURE_UNSPECIFIED,
    Cure.RESCALE: validator_pb2.CURE_RESCALE,
    Cure.TIGHTEN_EDGE: validator_pb2.CURE_TIGHTEN_EDGE,
    Cure.LOWER_QUALITY: validator_pb2.CURE_LOWER_QUALITY,
}


class ValidatorServicer(validator_pb2_grpc.ValidatorServiceServicer):
    """ValidatorService over the rule packs."""

    def __init__(self, packs: PackRegistry, executor: BoundedExecutor, decode: Decode = decode_photo) -> None:
        self._packs = packs
        self._executor = executor
        self._decode = decode

    async def ValidateImage(
        self, request: ValidateImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ValidateImageResponse:
        packs = [
            _known(f"marketplaces[{index}]", self._packs.get, pack_id)
            for index, pack_id in enumerate(request.marketplaces)
        ]
        for pack in packs:
            _known("category", pack.rules_for, request.category)
        day = day_or_today(request.as_of_date, "as_of_date")
        measurements = await self._executor.run(_measure, request, self._decode)
        return ValidateImageResponse(
            measurements=[_measurement_message(measurement) for measurement in measurements.values()],
            evaluations=[
                _evaluation_message(pack.id, evaluate(pack, request.category, day, measurements)) for pack in packs
            ],
        )

    async def ListRulePacks(
        self, request: ListRulePacksRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ListRulePacksResponse:
        return ListRulePacksResponse(packs=[_pack_message(pack, ()) for pack in self._packs])

    async def GetRulePack(
        self, request: GetRulePackRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> GetRulePackResponse:
        pack = _known("id", self._packs.get, request.id)
        rules = _known("category", pack.rules_for, request.category) if request.category else pack.rules
        return GetRulePackResponse(pack=_pack_message(pack, rules, request.category))


def _measure(request: ValidateImageRequest, decode: Decode) -> Measurements:
    try:
        with step("decode"):
            matte = decode_matte(request.matte_png) if request.matte_png else None
    except PhotoError as error:
        raise unusable_photo("matte_png", error) from error
    try:
        with step("measure"):
            return measure(request.image, matte=matte, known=dict(request.known), decode=decode)
    except PhotoError as error:
        raise unusable_photo("image", error) from error
    except MeasureError as error:
        field = "matte_png" if error.field == "matte" else error.field
        raise invalid_argument(field, error.reason, str(error)) from error


def _known(field: str, look_up: Callable[[str], T], name: str) -> T:
    try:
        return look_up(name)
    except UnknownPackError as error:
        raise _unknown(field, "UNKNOWN_MARKETPLACE", error) from None
    except UnknownCategoryError as error:
        raise _unknown(field, "UNKNOWN_CATEGORY", error) from None


def _unknown(field: str, reason: str, error: UnknownPackError | UnknownCategoryError) -> ServiceError:
    return invalid_argument(field, reason, str(error), {"known": ",".join(error.known)})


def _measurement_message(measurement: Measurement) -> report_pb2.Measurement:
    value = measurement.value
    return report_pb2.Measurement(
        name=measurement.name,
        value=None if value is None or isinstance(value, str) else float(value),
        text=value if isinstance(value, str) else "",
        unit=measurement.unit,
        why_not=measurement.why_not,
    )


def _evaluation_message(marketplace: str, evaluation: Evaluation) -> validator_pb2.Evaluation:
    return validator_pb2.Evaluation(
        marketplace=marketplace,
        pack=RulePackVersion(id=evaluation.pack_id, version=evaluation.pack_version, hash=evaluation.pack_hash),
        as_of_date=evaluation.as_of.isoformat(),
        compliant=evaluation.compliant,
        not_evaluated_count=evaluation.not_evaluated_count,
        rules=[_result_message(result) for result in evaluation.results],
    )


def _result_message(result: RuleResult) -> EvaluatedRule:
    return EvaluatedRule(
        result=report_pb2.RuleResult(
            rule_id=result.rule_id,
            title=result.title,
            severity=_SEVERITIES[result.severity],
            status=_STATUSES[result.status],
            measurement=result.measurement,
            measured=result.measured,
            required=result.required,
            unit=result.unit,
            why=result.why,
            action=result.action,
            references=result.references,
        ),
        cure=_CURES[result.cure],
        minimum=result.minimum,
        maximum=result.maximum,
    )


def _pack_message(pack: RulePack, rules: tuple[Rule, ...], category: str = "") -> rules_pb2.RulePack:
    return rules_pb2.RulePack(
        id=pack.id,
        title=pack.title,
        marketplace=pack.marketplace,
        jurisdiction=pack.jurisdiction,
        version=pack.version,
        hash=pack.hash,
        categories=pack.categories,
        target=rules_pb2.PackTarget(
            width_px=pack.target.width_px,
            height_px=pack.target.height_px,
            jpeg_quality=pack.target.quality,
            fill_ratio=pack.target.fill_ratio,
            keep_fill_from=pack.target.keep_fill_from,
            allows_shadow=pack.target.allows_shadow,
        ),
        verdict=rules_pb2.VerdictThresholds(publish_at=pack.verdict.publish_at, reject_below=pack.verdict.reject_below),
        rules=[_rule_message(rule, category) for rule in rules],
    )


def _rule_message(rule: Rule, category: str) -> rules_pb2.Rule:
    return rules_pb2.Rule(
        rule_id=rule.id,
        title=rule.title,
        measurement=rule.measurement,
        check=rule.check_name,
        severity=_SEVERITIES[rule.severity],
        categories=rule.categories,
        values=[_value_message(rule, value) for value in rule.values_for(category)],
        action=rule.action,
    )


def _value_message(rule: Rule, value: DatedValue) -> rules_pb2.DatedValue:
    return rules_pb2.DatedValue(
        effective_from=value.effective_from.isoformat(),
        required=rule.check.describe(value.required) if value.required is not None else "",
        ended=value.required is None,
        references=[str(source) for source in value.sources],
    )
