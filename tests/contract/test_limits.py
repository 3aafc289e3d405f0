"""Whatever a caller may send has a limit: every field of every request of every service."""

import importlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

import packshot.v1
from packshot.v1.compositor_pb2 import CanvasTarget
from packshot.v1.packshot_pb2 import CanvasOptions
from services.common import validation
from services.common.errors import ServiceError

TEXTS = {FieldDescriptor.TYPE_STRING: "string", FieldDescriptor.TYPE_BYTES: "bytes"}


def services() -> Iterator[Any]:
    for file in sorted(Path(packshot.v1.__file__).parent.glob("*_pb2.py")):
        module = importlib.import_module(f"packshot.v1.{file.stem}")
        yield from module.DESCRIPTOR.services_by_name.values()


def requests() -> list[Descriptor]:
    return [method.input_type for service in services() for method in service.methods]


def fields(message: Descriptor, path: str = "") -> Iterator[tuple[str, FieldDescriptor]]:
    """All fields, those of messages in the message too."""
    for field in message.fields:
        yield f"{path}{field.name}", field
        nested = field.message_type
        if nested is not None and nested.full_name.startswith("packshot.") and not is_map(field):
            yield from fields(nested, f"{path}{field.name}.")


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def has_limit(kind: str, rules: Any) -> bool:
    """Of a text: a longest length, or a pattern without `*`, `+` and `{n,}`."""
    own = getattr(rules, kind)
    pattern = own.pattern if kind == "string" else ""
    bounded = bool(pattern) and not re.search(r"[*+]|,\}", re.sub(r"\[[^]]*\]", "", pattern))
    return own.HasField("max_len") or bounded


@pytest.mark.parametrize("request_type", requests(), ids=lambda request: str(request.name))
def test_every_list_and_text_of_a_request_has_a_limit(request_type: Descriptor) -> None:
    rules_of_field: Any = descriptor_pool.Default().FindExtensionByName("buf.validate.field")
    without = []
    for path, field in fields(request_type):
        rules = field.GetOptions().Extensions[rules_of_field]
        if is_map(field):
            if not rules.map.HasField("max_pairs") or not has_limit("string", rules.map.keys):
                without.append(path)
            continue
        if field.is_repeated:
            if not rules.repeated.HasField("max_items"):
                without.append(path)
            rules = rules.repeated.items
        kind = TEXTS.get(field.type)
        if kind is not None and not has_limit(kind, rules):
            without.append(path)
    assert without == []


def test_the_walk_sees_what_it_should() -> None:
    """Were it blind, every request would pass."""
    seen = {path for request in requests() for path, _ in fields(request)}
    assert {"photo", "options.marketplaces", "items.items.content", "hints.points", "known"} <= seen


@pytest.mark.parametrize(
    "canvas", [CanvasOptions, partial(CanvasTarget, target_id="a", fill_ratio=0.8, keep_fill_from=0.8)]
)
def test_a_canvas_has_no_more_pixels_than_a_photo_may_have(canvas: Callable[..., Message]) -> None:
    validation.check(canvas(width_px=10_000, height_px=6_400, jpeg_quality=90))
    with pytest.raises(ServiceError, match="at most 64,000,000 pixels"):
        validation.check(canvas(width_px=10_000, height_px=6_401, jpeg_quality=90))
