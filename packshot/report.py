"""The report as JSON, as packshot/report.schema.json describes it.

Keys are the proto's, in its order. Enums become short lower-case words ("pass", "not_evaluated"); unspecified ones
and messages that are not set become null; lists are always there; numbers carry six significant digits;
times are ISO 8601 in UTC.
"""

import json
from typing import Any, cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from packshot.v1.report_pb2 import Report


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report as plain dicts, lists, strings, numbers and None."""
    return message_to_dict(report)


def report_to_json(report: Report) -> str:
    """The report as a JSON document, indented, with a line break at its end.

    Raises:
        ValueError: A number is not finite: JSON has no word for it.
    """
    return json.dumps(report_to_dict(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def message_to_dict(message: Message) -> dict[str, Any]:
    """Any message of the API without bytes, in the report's style."""
    fields = cast("list[FieldDescriptor]", message.DESCRIPTOR.fields)  # the stubs also name protobuf's C twin
    return {field.name: _field(message, field) for field in fields}


def enum_word(descriptor: EnumDescriptor, number: int) -> str | None:
    """ "not_evaluated" for RULE_STATUS_NOT_EVALUATED; None for unspecified."""
    if number == 0:
        return None
    name = descriptor.values_by_number[number].name
    return name.removeprefix(_upper_snake(descriptor.name) + "_").lower()


def _field(message: Message, field: FieldDescriptor) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_value(element, field) for element in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(value, field)


def _value(value: Any, field: FieldDescriptor) -> Any:
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    if field.message_type is not None:
        return message_to_dict(value)
    if field.enum_type is not None:
        return enum_word(field.enum_type, value)
    return _plain(value) if isinstance(value, float) else value


def _plain(number: float) -> float | int:
    """2000 for 2000.0, 0.666667 for 2 / 3: whole numbers stay exact."""
    return int(number) if number.is_integer() else float(f"{number:.6g}")


def _upper_snake(name: str) -> str:
    """RULE_STATUS for RuleStatus."""
    return "".join(f"_{c}" if c.isupper() and i else c.upper() for i, c in enumerate(name))
