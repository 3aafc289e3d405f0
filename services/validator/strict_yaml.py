"""Read YAML that says what it means: one value a key, no aliases, no tags, dates as ISO text."""

from __future__ import annotations

import math
from collections.abc import Hashable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

_MAX_DEPTH = 32


class PackError(ValueError):
    """A file of a rule pack cannot be used.

    file: the file's path. path: place in the file, e.g. "rules[2].values.2026-01-01.value", empty for all of it.
    """

    def __init__(self, file: Path, path: str, reason: str) -> None:
        super().__init__(f"{file}: {path + ': ' if path else ''}{reason}")
        self.file = file
        self.path = path
        self.reason = reason


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file.

    Returns:
        The mapping as JSON would hold it: text keys, and dates (also as keys) as ISO text.

    Raises:
        PackError: unreadable, not YAML, not a mapping, a key given twice, an alias, a number that is not finite, or a
            value JSON has no form for.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(file, "", f"cannot be read: {error}") from error
    return parse_yaml(text, file)


def parse_yaml(text: str, file: Path) -> dict[str, Any]:
    """The same as `read_yaml` for a text; the file is only named in errors."""
    try:
        document = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader  # nosec B506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f" (line {mark.line + 1})" if mark else ""
        raise PackError(file, "", f"is no valid YAML: {error.problem}{at}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise PackError(file, "", f"is no valid YAML: {error}") from error
    except RecursionError as error:
        raise PackError(file, "", "is nested too deeply") from error
    if not isinstance(document, dict):
        raise PackError(file, "", f"must hold a mapping, not {type(document).__name__}")
    plain: dict[str, Any] = _plain(document, file, "", 0)
    return plain


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys and aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", self.get_mark())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "merge keys are not allowed", key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _plain(value: Any, file: Path, path: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise PackError(file, path, "is nested too deeply")
    if isinstance(value, dict):
        plain: dict[str, Any] = {}
        for key, entry in value.items():
            name = key.isoformat() if isinstance(key, date) else key
            if not isinstance(name, str) or isinstance(key, datetime):
                raise PackError(file, path, f"the key {key!r} must be a text or a date")
            if name in plain:
                raise PackError(file, path, f"the key {name} is given twice")
            plain[name] = _plain(entry, file, f"{path}.{name}" if path else name, depth + 1)
        return plain
    if isinstance(value, list):
        return [_plain(entry, file, f"{path}[{index}]", depth + 1) for index, entry in enumerate(value)]
    if isinstance(value, datetime):
        raise PackError(file, path, f"must be a date without a time, not {value}")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise PackError(file, path, f"must be a finite number, not {value}")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise PackError(file, path, f"must not be a {type(value).__name__}")
