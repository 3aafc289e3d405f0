import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

import packshot.report
from packshot.report import enum_word, message_to_dict, report_to_dict, report_to_json
from packshot.v1.image_pb2 import TRAIT_MULTI_PIECE, BackgroundClass, Trait
from packshot.v1.report_pb2 import (
    RESOLUTION_AUTO_CORRECTED,
    RULE_STATUS_NOT_EVALUATED,
    VERDICT_PUBLISH,
    Confidence,
    Measurement,
    Placement,
    Report,
    Resolution,
    RuleResult,
    RuleStatus,
    Severity,
    Verdict,
)
from tools import report_schema

SCHEMA = json.loads(Path(packshot.report.__file__).with_name("report.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ENUMS = [RuleStatus, Severity, Resolution, Verdict, BackgroundClass, Trait]


def filled(message: Message) -> Message:
    """Every field set, every list with an element for each enum value or one other element."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            target = getattr(message, field.name)
            filled(target.add() if field.is_repeated else target)
            continue
        if field.enum_type is not None:
            values: list[Any] = [value.number for value in field.enum_type.values if value.number]
        else:
            values = [{"string": "word", "double": 0.25, "int32": 7, "bool": True}[_kind(field)]]
        if field.is_repeated:
            getattr(message, field.name).extend(values)
        else:
            setattr(message, field.name, values[-1])
    return message


def _kind(field: Any) -> str:
    kinds = {field.CPPTYPE_STRING: "string", field.CPPTYPE_DOUBLE: "double", field.CPPTYPE_INT32: "int32"}
    return kinds.get(field.cpp_type, "bool")


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


class TestSchema:
    def test_is_up_to_date_with_the_proto(self) -> None:
        assert report_schema.schema() == SCHEMA

    def test_is_a_schema(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_accepts_a_filled_report(self) -> None:
        VALIDATOR.validate(report_to_dict(filled(Report())))  # type: ignore[arg-type]

    def test_accepts_an_empty_report(self) -> None:
        VALIDATOR.validate(report_to_dict(Report()))

    def test_names_every_enum_value(self) -> None:
        for enum in ENUMS:
            words = SCHEMA["$defs"][enum.DESCRIPTOR.name]["enum"]
            assert words == [*(enum_word(enum.DESCRIPTOR, v) for v in enum.values() if v), None]

    @pytest.mark.parametrize(
        "damage",
        [
            {"verdict": "publishable"},
            {"verdict": "PUBLISH"},
            {"rules": None},
            {"compliant": "yes"},
            {"not_evaluated_count": 0.5},
            {"extra": 1},
            {"placement": {}},
        ],
    )
    def test_refuses_what_is_no_report(self, damage: dict[str, Any]) -> None:
        assert not VALIDATOR.is_valid(report_to_dict(Report()) | damage)

    def test_every_key_is_required_and_no_other_allowed(self) -> None:
        objects = [node for node in nodes(SCHEMA) if node.get("type") == "object"]
        assert len(objects) > 10
        for node in objects:
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False

    def test_says_what_the_proto_comments_say(self) -> None:
        assert SCHEMA["description"] == "One marketplace's answer about one image."
        assert SCHEMA["$defs"]["Measurement"]["properties"]["value"]["description"].startswith("Unset when")
        assert "never a pass" in SCHEMA["$defs"]["RuleStatus"]["description"]


class TestReportToDict:
    def test_keys_are_the_protos_in_its_order(self) -> None:
        assert list(report_to_dict(Report())) == [field.name for field in Report.DESCRIPTOR.fields]

    def test_enums_are_short_words(self) -> None:
        report = Report(
            verdict=VERDICT_PUBLISH,
            rules=[RuleResult(status=RULE_STATUS_NOT_EVALUATED, resolution=RESOLUTION_AUTO_CORRECTED)],
        )
        report.segmentation.traits.append(TRAIT_MULTI_PIECE)
        words = report_to_dict(report)
        assert words["verdict"] == "publish"
        assert (words["rules"][0]["status"], words["rules"][0]["resolution"]) == ("not_evaluated", "auto_corrected")
        assert words["rules"][0]["severity"] is None
        assert words["segmentation"]["traits"] == ["multi_piece"]

    def test_what_is_not_set_is_null_and_lists_are_there(self) -> None:
        words = report_to_dict(Report())
        assert words["confidence"] is None
        assert words["placement"] is None
        assert words["rules"] == words["warnings"] == words["timings"] == []
        assert words["marketplace"] == ""

    def test_a_measurement_of_zero_is_not_an_unset_one(self) -> None:
        assert message_to_dict(Measurement(value=0.0))["value"] == 0
        assert message_to_dict(Measurement())["value"] is None

    @pytest.mark.parametrize(
        ("number", "text"),
        [(2000.0, "2000"), (2 / 3, "0.666667"), (1234567.0, "1234567"), (1.5e-7, "1.5e-07"), (0.0, "0")],
    )
    def test_numbers_are_plain(self, number: float, text: str) -> None:
        assert json.dumps(message_to_dict(Placement(scale=number))["scale"]) == text


def test_report_to_json_is_the_same_document() -> None:
    report = Report(marketplace="amazon-us", verdict_reasons=["Größe ≥ 0.85"])
    text = report_to_json(report)
    assert json.loads(text) == report_to_dict(report)
    assert "Größe ≥ 0.85" in text
    assert text.endswith("}\n")


def test_report_to_json_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        report_to_json(Report(confidence=Confidence(value=math.nan)))


def test_enum_word_needs_no_list_of_prefixes() -> None:
    descriptor: EnumDescriptor = RuleStatus.DESCRIPTOR
    assert [enum_word(descriptor, value) for value in RuleStatus.values()] == [
        None,
        "pass",
        "fail",
        "warn",
        "not_evaluated",
    ]
