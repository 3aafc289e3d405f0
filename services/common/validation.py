"""Checks messages against the constraints written in the protos."""

import grpc
import protovalidate
from google.protobuf.message import Message

from services.common.errors import FieldViolation, ServiceError

_VALIDATOR = protovalidate.Validator()

_MOST_NAMED = 8
"""Errors travel in HTTP/2 trailers, which callers accept up to 8 KiB of; more violations than this are counted."""


def check(message: Message) -> None:
    """Raises ServiceError INVALID_ARGUMENT naming the fields that break a constraint."""
    found = _VALIDATOR.collect_violations(message)
    if not found:
        return
    violations = tuple(
        FieldViolation(_path(violation.proto.field), violation.proto.message or violation.proto.rule_id)
        for violation in found[:_MOST_NAMED]
    )
    text = "; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations)
    if len(found) > _MOST_NAMED:
        text += f"; and {len(found) - _MOST_NAMED} more"
    raise ServiceError(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", text, violations)


def _path(field: protovalidate.FieldPathPb | None) -> str:
    """`options.marketplaces[1]` from the path's elements."""
    if field is None:
        return ""
    parts = []
    for element in field.elements:
        subscript = element.subscript
        parts.append(element.field_name + (f"[{subscript.value}]" if subscript is not None else ""))
    return ".".join(parts)
