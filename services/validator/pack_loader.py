"""Load rule packs from their YAML files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from services.validator.catalogue import CATALOGUE
from services.validator.checks import CHECKS, Check, Required
from services.validator.packs import (
    CanvasTarget,
    Cure,
    DatedValue,
    Mark,
    PackRegistry,
    Rule,
    RulePack,
    Severity,
    Source,
    VerdictThresholds,
)
from services.validator.strict_yaml import PackError, read_yaml

PACK_FILE = "pack.yaml"
SCHEMA_FILE = Path("schema", "rule-pack.schema.json")


def load_packs(rules_dir: Path) -> PackRegistry:
    """Load every pack below `rules_dir/packs`.

    Args:
        rules_dir: folder that holds `packs/<id>/pack.yaml` and `schema/rule-pack.schema.json`.

    Raises:
        PackError: a file that cannot be used, with the place in it and the reason.
    """
    documents = read_documents(rules_dir)
    packs = {
        pack_id: build_pack(documents, pack_id) for pack_id, document in documents.items() if not document["abstract"]
    }
    if not packs:
        raise PackError(rules_dir / "packs", "", "holds no pack that can be used by itself")
    return PackRegistry(MappingProxyType(packs))


def read_documents(rules_dir: Path) -> dict[str, dict[str, Any]]:
    """Read every pack's document by id, checked against the schema, with its file under "file"."""
    validator = Draft202012Validator(read_schema(rules_dir / SCHEMA_FILE))
    documents: dict[str, dict[str, Any]] = {}
    for file in sorted(rules_dir.glob(f"packs/*/{PACK_FILE}")):
        document = read_yaml(file)
        check_schema(validator, document, file)
        if document["id"] != file.parent.name:
            raise PackError(file, "id", f"must be the folder's name, {file.parent.name!r}")
        _check_unique_rules(document, file)
        documents[document["id"]] = {"abstract": False, **document, "file": file}
    if not documents:
        raise PackError(rules_dir / "packs", "", f"holds no {PACK_FILE}")
    return documents


def check_schema(validator: Draft202012Validator, document: Mapping[str, Any], file: Path) -> None:
    """Raise PackError for the most telling way in which a document breaks a schema."""
    error = best_match(validator.iter_errors(document))
    if error is not None:
        path = error.json_path.removeprefix("$").removeprefix(".")
        raise PackError(file, path, error.message)


def lineage(documents: Mapping[str, Mapping[str, Any]], pack_id: str) -> list[str]:
    """Ids of a pack and of what it extends, the pack first.

    Raises:
        PackError: it extends a pack that does not exist, or itself.
    """
    chain = [pack_id]
    while base := documents[chain[-1]].get("extends"):
        file = documents[chain[-1]]["file"]
        if base not in documents:
            raise PackError(file, "extends", f"there is no pack {base!r}")
        if base in chain:
            raise PackError(file, "extends", f"goes in a circle: {' → '.join([*chain, base])}")
        chain.append(base)
    return chain


def build_pack(documents: Mapping[str, Mapping[str, Any]], pack_id: str) -> RulePack:
    """Resolve what a pack extends and build it.

    A field of the pack stands before the same field of what it extends; sources and rules are merged by id, and a
    rule's fields stand before the same fields of the rule it overrides.

    Raises:
        PackError: see `load_packs`.
    """
    file: Path = documents[pack_id]["file"]
    content: dict[str, Any] = {}
    sources: dict[str, Any] = {}
    rules: dict[str, dict[str, Any]] = {}
    for ancestor in reversed(lineage(documents, pack_id)):
        document = documents[ancestor]
        content |= {
            key: value
            for key, value in document.items()
            if key not in ("abstract", "extends", "file", "rules", "sources")
        }
        sources |= document.get("sources", {})
        for rule in document.get("rules", ()):
            rules[rule["id"]] = rules.get(rule["id"], {}) | rule
    content |= {"sources": sources, "rules": list(rules.values())}
    return _PackBuilder(file, content).build()


class _PackBuilder:
    """Builds a pack from its resolved content, and says where the content is wrong."""

    def __init__(self, file: Path, content: Mapping[str, Any]) -> None:
        self._file = file
        self._content = content
        self._sources: dict[str, Source] = {}

    def build(self) -> RulePack:
        content = self._content
        for key in ("title", "marketplace", "jurisdiction", "categories", "target", "verdict"):
            self._need(content, key, "")
        self._sources = {key: self._source(key, entry) for key, entry in content["sources"].items()}
        verdict = VerdictThresholds(**content["verdict"])
        if verdict.reject_below > verdict.publish_at:
            raise self._error("verdict", "reject_below must not be above publish_at")
        if not content["rules"]:
            raise self._error("rules", "there is no rule")
        return RulePack(
            id=content["id"],
            title=content["title"],
            marketplace=content["marketplace"],
            jurisdiction=content["jurisdiction"],
            version=content["version"],
            hash=content_hash(content),
            categories=tuple(content["categories"]),
            target=CanvasTarget(**content["target"]),
            verdict=verdict,
            rules=tuple(self._rule(rule) for rule in content["rules"]),
        )

    def _rule(self, rule: Mapping[str, Any]) -> Rule:
        path = f"rules.{rule['id']}"
        for key in ("title", "measurement", "check", "severity", "values", "message", "action"):
            self._need(rule, key, path)
        check = self._check(rule, path)
        categories = tuple(rule.get("categories", ()))
        overrides: Mapping[str, Any] = rule.get("by_category", {})
        for category in (*categories, *overrides):
            if category not in self._content["categories"]:
                raise self._error(path, f"there is no category {category!r}")
        for category in overrides:
            if categories and category not in categories:
                raise self._error(f"{path}.by_category", f"the rule is not asked of {category!r}")
        return Rule(
            id=rule["id"],
            title=rule["title"],
            measurement=rule["measurement"],
            check_name=rule["check"],
            check=check,
            severity=Severity(rule["severity"]),
            categories=categories,
            values=self._values(rule["values"], check, f"{path}.values"),
            by_category=MappingProxyType(
                {
                    category: self._values(values, check, f"{path}.by_category.{category}")
                    for category, values in overrides.items()
                }
            ),
            message=rule["message"],
            action=rule["action"],
            cure=Cure(rule["cure"]) if "cure" in rule else None,
        )

    def _check(self, rule: Mapping[str, Any], path: str) -> Check:
        quantity = CATALOGUE.get(rule["measurement"])
        if quantity is None:
            raise self._error(f"{path}.measurement", f"there is no measurement {rule['measurement']!r}")
        check = CHECKS.get(rule["check"])
        if check is None:
            raise self._error(f"{path}.check", f"{rule['check']!r} is not one of {', '.join(CHECKS)}")
        if quantity.kind not in check.kinds:
            raise self._error(
                f"{path}.check", f"{rule['check']} cannot compare {quantity.name}, a {quantity.kind.value}"
            )
        return check

    def _values(self, values: Mapping[str, Any], check: Check, path: str) -> tuple[DatedValue, ...]:
        return tuple(self._value(day, values[day], check, f"{path}.{day}") for day in sorted(values))

    def _value(self, day: str, entry: Mapping[str, Any], check: Check, path: str) -> DatedValue:
        required: Required | None = _frozen(entry["value"])
        if required is not None and (objection := check.objection(required)):
            raise self._error(f"{path}.value", objection)
        for source in entry["sources"]:
            if source not in self._sources:
                raise self._error(f"{path}.sources", f"there is no source {source!r}")
        return DatedValue(
            effective_from=self._date(day, path),
            required=required,
            sources=tuple(self._sources[source] for source in entry["sources"]),
            note=entry.get("note", ""),
        )

    def _source(self, source_id: str, entry: Mapping[str, Any]) -> Source:
        read = entry.get("read")
        return Source(
            id=source_id,
            title=entry["title"],
            mark=Mark(entry["mark"]),
            url=entry.get("url", ""),
            read=self._date(read, f"sources.{source_id}.read") if read else None,
        )

    def _date(self, text: str, path: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise self._error(path, f"{text!r} is no date") from error

    def _need(self, mapping: Mapping[str, Any], key: str, path: str) -> None:
        if key not in mapping:
            raise self._error(path, f"{key} is missing, here and in what the pack extends")

    def _error(self, path: str, reason: str) -> PackError:
        return PackError(self._file, path, reason)


def content_hash(content: Mapping[str, Any]) -> str:
    """ "sha256:" and the hash of the content as canonical JSON: the same whatever the order of keys, comments or
    white space in the file."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read_schema(file: Path) -> dict[str, Any]:
    """Read a JSON Schema file; PackError if that fails."""
    try:
        schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackError(file, "", f"cannot be read: {error}") from error
    return schema


def _check_unique_rules(document: Mapping[str, Any], file: Path) -> None:
    seen: set[str] = set()
    for index, rule in enumerate(document.get("rules", ())):
        if rule["id"] in seen:
            raise PackError(file, f"rules[{index}].id", f"{rule['id']!r} is given twice")
        seen.add(rule["id"])
