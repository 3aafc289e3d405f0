"""Generates packshot/report.schema.json from report.proto; `--check` only says whether it is up to date.

Titles and descriptions are the proto's comments, so the schema says what the API says.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from packshot.report import enum_word
from packshot.v1.report_pb2 import Report
from tools.protos import ROOT, descriptor_set

SCHEMA: Final = ROOT / "packshot" / "report.schema.json"

_INTEGERS: Final = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
_NUMBERS: Final = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is checked in; write nothing")
    arguments = parser.parse_args()
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    name = SCHEMA.relative_to(ROOT)
    up_to_date = SCHEMA.exists() and SCHEMA.read_text(encoding="utf-8") == text
    if arguments.check:
        if not up_to_date:
            print(f"{name} does not match protos/: run `make protos`", file=sys.stderr)
        return 0 if up_to_date else 1
    SCHEMA.write_text(text, encoding="utf-8")
    print(f"{name}: {'unchanged' if up_to_date else 'written'}")
    return 0


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what packshot.report.report_to_dict returns."""
    comments = _comments(descriptor_set())
    root = Report.DESCRIPTOR
    definitions: dict[str, Any] = {}
    for descriptor in _reachable(root):
        if isinstance(descriptor, EnumDescriptor):
            definitions[descriptor.name] = _enum(descriptor, comments)
        elif descriptor is not root:
            definitions[descriptor.name] = _object(descriptor, comments)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{root.file.package.replace('.', ':')}:report",
        **_object(root, comments),
        "$defs": dict(sorted(definitions.items())),
    }


def _object(descriptor: Descriptor, comments: dict[str, str]) -> dict[str, Any]:
    return {
        "title": descriptor.name,
        **_described(comments, descriptor.full_name),
        "type": "object",
        "properties": {f.name: _property(f, comments) for f in descriptor.fields},
        "required": [f.name for f in descriptor.fields],
        "additionalProperties": False,
    }


def _property(field: FieldDescriptor, comments: dict[str, str]) -> dict[str, Any]:
    described = _described(comments, field.full_name)
    value = _value(field)
    if field.is_repeated:
        return {**described, "type": "array", "items": value}
    if field.message_type is not None:
        return {**described, "anyOf": [value, {"type": "null"}]}
    if field.has_presence:
        return {**described, "type": [value["type"], "null"]}
    return {**described, **value}


def _value(field: FieldDescriptor) -> dict[str, Any]:
    named = field.message_type or field.enum_type
    if named is not None:
        return {"$ref": f"#/$defs/{named.name}"}
    if field.cpp_type in _INTEGERS:
        return {"type": "integer"}
    if field.cpp_type in _NUMBERS:
        return {"type": "number"}
    return {"type": {FieldDescriptor.CPPTYPE_BOOL: "boolean", FieldDescriptor.CPPTYPE_STRING: "string"}[field.cpp_type]}


def _enum(descriptor: EnumDescriptor, comments: dict[str, str]) -> dict[str, Any]:
    words = []
    lines = [comments[descriptor.full_name]] if descriptor.full_name in comments else []
    for value in descriptor.values:
        word = enum_word(descriptor, value.number)
        words.append(word)
        comment = comments.get(f"{descriptor.full_name}.{value.name}")
        if comment:
            lines.append(f"{word or 'null'}: {comment}")
    described = {"description": "\n".join(lines)} if lines else {}
    return {"title": descriptor.name, **described, "enum": [*words[1:], words[0]]}


def _described(comments: dict[str, str], full_name: str) -> dict[str, str]:
    return {"description": comments[full_name]} if full_name in comments else {}


def _reachable(root: Descriptor) -> Iterator[Descriptor | EnumDescriptor]:
    """The message and everything its fields are made of, each once."""
    seen: set[str] = set()
    waiting: list[Descriptor | EnumDescriptor] = [root]
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name in seen:
            continue
        seen.add(descriptor.full_name)
        yield descriptor
        if isinstance(descriptor, Descriptor):
            kinds = [field.message_type or field.enum_type for field in descriptor.fields]
            waiting.extend(kind for kind in kinds if kind is not None)


def _comments(files: FileDescriptorSet) -> dict[str, str]:
    """Comment of every message, field, enum and (as Enum.VALUE) enum value, by full name."""
    found = {}
    for file in files.file:
        names = _names(file)
        for location in file.source_code_info.location:
            comment = location.leading_comments or location.trailing_comments
            name = names.get(tuple(location.path))
            if comment and name:
                found[f"{file.package}.{name}"] = " ".join(comment.split())
    return found


def _names(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Names by the path that source info uses: field numbers of FileDescriptorProto and below, and indices."""
    names: dict[tuple[int, ...], str] = {}
    for i, message in enumerate(file.message_type):
        names[4, i] = message.name
        names.update({(4, i, 2, j): f"{message.name}.{field.name}" for j, field in enumerate(message.field)})
    for i, enum in enumerate(file.enum_type):
        names[5, i] = enum.name
        names.update({(5, i, 2, j): f"{enum.name}.{value.name}" for j, value in enumerate(enum.value)})
    return names


if __name__ == "__main__":
    sys.exit(main())
