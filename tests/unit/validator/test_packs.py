from datetime import date, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.validator.checks import CHECKS
from services.validator.packs import (
    CanvasTarget,
    DatedValue,
    PackRegistry,
    Rule,
    RulePack,
    Severity,
    UnknownCategoryError,
    UnknownPackError,
    VerdictThresholds,
)


def rule(
    values: dict[date, float | None],
    categories: tuple[str, ...] = (),
    by_category: dict[str, dict[date, float | None]] | None = None,
) -> Rule:
    def dated(entries: dict[date, float | None]) -> tuple[DatedValue, ...]:
        return tuple(DatedValue(day, value, ()) for day, value in sorted(entries.items()))

    return Rule(
        id="fill",
        title="Fill",
        measurement="fill_ratio",
        check_name="at_least",
        check=CHECKS["at_least"],
        severity=Severity.ERROR,
        categories=categories,
        values=dated(values),
        by_category={category: dated(entries) for category, entries in (by_category or {}).items()},
        message="Too small.",
        action="Enlarge it.",
    )


def pack(*rules: Rule) -> RulePack:
    return RulePack(
        id="shop",
        title="A shop",
        marketplace="Shop",
        jurisdiction="DE",
        version="1.0.0",
        hash="sha256:0",
        categories=("apparel", "jewelry"),
        target=CanvasTarget(2000, 2000, "JPEG", 95, 0.87, 0.85),
        verdict=VerdictThresholds(0.8, 0.4),
        rules=rules,
    )


@given(
    days=st.dictionaries(
        st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.none() | st.floats(0, 1), min_size=1, max_size=6
    ),
    day=st.dates(date(1999, 1, 1), date(2031, 1, 1)),
)
def test_the_value_in_force_is_the_newest_that_has_begun(days: dict[date, float | None], day: date) -> None:
    begun = [start for start in days if start <= day]
    value = rule(days).value_on(day, "")
    if not begun:
        assert value is None
    else:
        assert value is not None
        assert (value.effective_from, value.required) == (max(begun), days[max(begun)])


def test_a_value_changes_on_its_day_not_before() -> None:
    change = date(2027, 3, 1)
    changing = rule({date(2020, 1, 1): 0.85, change: 0.9})
    before, after = changing.value_on(change - timedelta(days=1), ""), changing.value_on(change, "")
    assert before is not None and before.required == 0.85
    assert after is not None and after.required == 0.9


def test_a_categorys_own_values_replace_the_others() -> None:
    flexible = rule({date(2020, 1, 1): 0.85}, by_category={"jewelry": {date(2025, 1, 1): 0.5}})
    assert flexible.value_on(date(2024, 1, 1), "jewelry") is None
    late = flexible.value_on(date(2025, 1, 1), "jewelry")
    other = flexible.value_on(date(2025, 1, 1), "apparel")
    assert late is not None and late.required == 0.5
    assert other is not None and other.required == 0.85


def test_without_a_category_only_the_common_rules_are_asked() -> None:
    common, special = rule({date(2020, 1, 1): 1}), rule({date(2020, 1, 1): 1}, categories=("apparel",))
    shop = pack(common, special)
    assert shop.rules_for("") == (common,)
    assert shop.rules_for("apparel") == (common, special)
    assert shop.rules_for("jewelry") == (common,)


def test_an_unknown_category_names_the_known_ones() -> None:
    with pytest.raises(UnknownCategoryError, match="'food'; shop knows apparel, jewelry") as caught:
        pack().rules_for("food")
    assert caught.value.known == ("apparel", "jewelry")


def test_an_unknown_pack_names_the_known_ones() -> None:
    registry = PackRegistry(MappingProxyType({"shop": pack()}))
    assert registry.get("shop").id == "shop"
    assert [entry.id for entry in registry] == ["shop"]
    with pytest.raises(UnknownPackError, match="'amazon'; known are shop") as caught:
        registry.get("amazon")
    assert caught.value.known == ("shop",)
