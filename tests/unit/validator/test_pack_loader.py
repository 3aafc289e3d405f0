import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.validator.pack_loader import content_hash, load_packs
from services.validator.packs import Cure, Mark, RulePack, Severity
from services.validator.strict_yaml import PackError

RULES = Path(__file__).parents[3] / "rules"

PACK: dict[str, Any] = {
    "id": "shop",
    "version": "1.2.3",
    "title": "A shop",
    "marketplace": "Shop",
    "jurisdiction": "DE",
    "categories": ["apparel", "jewelry"],
    "target": {
        "width_px": 2000,
        "height_px": 2000,
        "format": "JPEG",
        "quality": 95,
        "fill_ratio": 0.87,
        "keep_fill_from": 0.85,
    },
    "verdict": {"publish_at": 0.8, "reject_below": 0.4},
    "sources": {"page": {"title": "A page", "mark": "P", "url": "https://example.com", "read": "2026-01-02"}},
    "rules": [
        {
            "id": "fill",
            "title": "Fill",
            "measurement": "fill_ratio",
            "check": "at_least",
            "severity": "error",
            "values": {"2026-01-01": {"value": 0.85, "sources": ["page"]}},
            "by_category": {"jewelry": {"2026-01-01": {"value": None, "sources": ["page"], "note": "flexible"}}},
            "message": "Too small.",
            "action": "Enlarge it.",
            "cure": "RESCALE",
        }
    ],
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    shutil.copytree(RULES / "schema", tmp_path / "schema")
    return tmp_path


def write(rules: Path, document: Any, folder: str = "shop") -> None:
    file = rules / "packs" / folder / "pack.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def load(rules: Path, document: Any) -> RulePack:
    write(rules, document)
    return load_packs(rules).get("shop")


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    document = deepcopy(PACK)
    change(document)
    return document


def test_a_pack_is_read_whole(rules: Path) -> None:
    pack = load(rules, PACK)
    assert (pack.id, pack.version, pack.jurisdiction) == ("shop", "1.2.3", "DE")
    assert pack.target.fill_ratio == 0.87
    assert not pack.target.allows_shadow
    assert pack.verdict.publish_at == 0.8
    (rule,) = pack.rules
    assert (rule.severity, rule.cure) == (Severity.ERROR, Cure.RESCALE)
    (value,) = rule.values
    assert (value.effective_from, value.required) == (date(2026, 1, 1), 0.85)
    assert value.sources[0].mark is Mark.PRIMARY
    assert str(value.sources[0]) == "[P] A page, https://example.com, read 2026-01-02"
    assert rule.by_category["jewelry"][0].required is None


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (lambda d: d.pop("version"), "", "'version' is a required property"),
        (lambda d: d.update(version="1.0"), "version", "does not match"),
        (lambda d: d.update(id="other"), "id", "folder's name"),
        (lambda d: d.update(colour="red"), "", "colour"),
        (lambda d: d.pop("target"), "", "target is missing"),
        (lambda d: d["target"].update(width_px="wide"), "target.width_px", "not of type"),
        (lambda d: d["verdict"].update(reject_below=0.9), "verdict", "must not be above"),
        (lambda d: d.update(rules=[]), "rules", "no rule"),
        (lambda d: d["rules"].append(deepcopy(d["rules"][0])), "rules[1].id", "given twice"),
        (lambda d: d["rules"][0].pop("check"), "rules.fill", "check is missing"),
        (lambda d: d["rules"][0].update(measurement="fil_ratio"), "rules.fill.measurement", "there is no measurement"),
        (lambda d: d["rules"][0].update(check="roughly"), "rules[0].check", "is not one of"),
        (lambda d: d["rules"][0].update(check="is_true"), "rules.fill.check", "cannot compare fill_ratio"),
        (lambda d: d["rules"][0].update(check="between"), "rules.fill.values.2026-01-01.value", "two numbers"),
        (lambda d: d["rules"][0].update(categories=["food"]), "rules.fill", "no category 'food'"),
        (lambda d: d["rules"][0].update(categories=["apparel"]), "rules.fill.by_category", "not asked of 'jewelry'"),
        (lambda d: d["rules"][0].update(cure="MAGIC"), "rules[0].cure", "is not one of"),
        (lambda d: d["rules"][0]["values"].update({"soon": {}}), "rules[0].values", "does not match"),
        (
            lambda d: d["rules"][0]["values"].update({"2026-02-30": {"value": 1, "sources": ["page"]}}),
            "rules.fill.values.2026-02-30",
            "is no date",
        ),
        (
            lambda d: d["rules"][0]["values"]["2026-01-01"].update(sources=["blog"]),
            "rules.fill.values.2026-01-01.sources",
            "no source 'blog'",
        ),
        (lambda d: d["rules"][0]["values"]["2026-01-01"].pop("sources"), "rules[0].values['2026-01-01']", "sources"),
        (lambda d: d["sources"]["page"].update(mark="X"), "sources.page.mark", "is not one of"),
        (lambda d: d.update(extends="nowhere"), "extends", "there is no pack"),
        (lambda d: d.update(extends="shop"), "extends", "goes in a circle"),
        (lambda d: d.update(abstract=True), "", "no pack that can be used"),
    ],
)
def test_a_wrong_pack_is_an_error_with_file_place_and_reason(
    rules: Path, change: Callable[[dict[str, Any]], Any], place: str, reason: str
) -> None:
    with pytest.raises(PackError) as caught:
        load(rules, changed(change))
    assert caught.value.path == place
    assert reason in caught.value.reason
    assert "shop" in str(caught.value.file) or caught.value.file.name == "packs"


def test_no_packs_at_all_is_an_error(rules: Path) -> None:
    with pytest.raises(PackError, match=r"holds no pack\.yaml"):
        load_packs(rules)


def test_a_missing_schema_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, PACK)
    with pytest.raises(PackError, match="cannot be read"):
        load_packs(tmp_path)


def test_a_pack_extends_another_rule_by_rule_and_field_by_field(rules: Path) -> None:
    write(rules, {**deepcopy(PACK), "id": "base", "abstract": True}, "base")
    pack = load(
        rules,
        {
            "id": "shop",
            "version": "2.0.0",
            "extends": "base",
            "title": "Another shop",
            "sources": {"blog": {"title": "A blog", "mark": "S"}},
            "rules": [
                {"id": "fill", "values": {"2026-01-01": {"value": 0.8, "sources": ["page", "blog"]}}},
                {**PACK["rules"][0], "id": "zoom", "measurement": "width_px"},
            ],
        },
    )
    assert (pack.title, pack.version, pack.marketplace) == ("Another shop", "2.0.0", "Shop")
    assert [rule.id for rule in pack.rules] == ["fill", "zoom"]
    assert pack.rules[0].values[0].required == 0.8
    assert pack.rules[0].action == "Enlarge it."
    assert load_packs(rules).ids == ("shop",)


def test_packs_that_extend_each_other_are_an_error(rules: Path) -> None:
    write(rules, {**PACK, "extends": "base"})
    write(rules, {**PACK, "id": "base", "extends": "shop"}, "base")
    with pytest.raises(PackError, match="goes in a circle"):
        load_packs(rules)


def test_the_hash_is_of_the_meaning_not_of_the_writing(rules: Path) -> None:
    first = load(rules, PACK)
    file = rules / "packs" / "shop" / "pack.yaml"
    file.write_text("# a comment\n" + json.dumps(dict(reversed(PACK.items())), indent=3), encoding="utf-8")
    assert load_packs(rules).get("shop").hash == first.hash
    assert first.hash.startswith("sha256:") and len(first.hash) == 7 + 64


def test_any_change_changes_the_hash(rules: Path) -> None:
    first = load(rules, PACK)
    second = load(rules, changed(lambda d: d["rules"][0].update(action="Enlarge it!")))
    assert first.hash != second.hash


def test_a_change_in_the_base_changes_the_hash_of_what_extends_it(rules: Path) -> None:
    child = {"id": "shop", "version": "1.0.0", "extends": "base"}
    hashes = set()
    for severity in ("error", "warning"):
        base = changed(lambda d: d.update(id="base", abstract=True))
        base["rules"][0]["severity"] = severity
        write(rules, base, "base")
        hashes.add(load(rules, child).hash)
    assert len(hashes) == 2


@given(st.permutations(list(PACK)))
def test_the_order_of_keys_does_not_matter(keys: list[str]) -> None:
    assert content_hash({key: PACK[key] for key in keys}) == content_hash(PACK)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.dates(), inner, max_size=3),
    max_leaves=8,
)
PATHS: list[tuple[str | int, ...]] = [
    *((key,) for key in PACK),
    *(("rules", 0, key) for key in PACK["rules"][0]),
    ("rules", 0, "values", "2026-01-01"),
    ("rules", 0, "values", "2026-01-01", "value"),
    ("rules", 0, "by_category", "jewelry"),
    ("sources", "page"),
    ("target", "width_px"),
    ("verdict", "publish_at"),
]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), value=JSON)
def test_whatever_stands_in_a_pack_it_loads_or_is_a_pack_error(
    rules: Path, path: tuple[str | int, ...], value: Any
) -> None:
    document: Any = deepcopy(PACK)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    try:
        assert load(rules, document).rules
    except PackError as error:
        assert error.reason


def test_a_pack_may_allow_a_shadow(rules: Path) -> None:
    assert load(rules, changed(lambda pack: pack["target"].update(allows_shadow=True))).target.allows_shadow
    with pytest.raises(PackError, match="allows_shadow"):
        load(rules, changed(lambda pack: pack["target"].update(allows_shadow="soft")))
