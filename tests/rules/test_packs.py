"""What callers may rely on in the packs of this repository."""

from datetime import date
from pathlib import Path

import pytest

from services.validator.catalogue import Measurement
from services.validator.evaluate import RuleStatus, evaluate
from services.validator.pack_loader import load_packs
from services.validator.packs import Mark, RulePack

REGISTRY = load_packs(Path(__file__).parents[2] / "rules")
TODAY = date(2026, 11, 20)
CATEGORIES = ("electronics", "apparel", "home-kitchen", "beauty", "jewelry")


def test_the_seven_amazon_packs_are_there() -> None:
    assert REGISTRY.ids == (
        "amazon-de",
        "amazon-es",
        "amazon-fr",
        "amazon-it",
        "amazon-jp",
        "amazon-uk",
        "amazon-us",
    )


@pytest.mark.parametrize("pack", list(REGISTRY), ids=lambda pack: pack.id)
def test_every_pack_knows_the_five_categories_and_the_default_canvas(pack: RulePack) -> None:
    assert pack.categories == CATEGORIES
    assert (pack.target.width_px, pack.target.height_px) == (2000, 2000)
    assert (pack.target.format, pack.target.quality) == ("JPEG", 95)
    assert (pack.target.fill_ratio, pack.target.keep_fill_from) == (0.87, 0.85)


@pytest.mark.parametrize("pack", list(REGISTRY), ids=lambda pack: pack.id)
@pytest.mark.parametrize("category", ["", *CATEGORIES])
def test_nothing_measured_is_nothing_evaluated(pack: RulePack, category: str) -> None:
    evaluation = evaluate(pack, category, TODAY, {})
    assert evaluation.results
    assert all(result.status is RuleStatus.NOT_EVALUATED and result.why for result in evaluation.results)


@pytest.mark.parametrize("pack", list(REGISTRY), ids=lambda pack: pack.id)
def test_references_tell_how_far_a_source_can_be_trusted(pack: RulePack) -> None:
    for result in evaluate(pack, "apparel", TODAY, {}).results:
        assert result.references
        assert all(reference.startswith(tuple(f"[{mark.value}] " for mark in Mark)) for reference in result.references)


def test_packs_with_other_rules_have_other_hashes() -> None:
    assert len({pack.hash for pack in REGISTRY}) == len(REGISTRY)


def test_fill_is_flexible_for_jewelry_only() -> None:
    half = {"fill_ratio": Measurement("fill_ratio", 0.5, "ratio")}
    statuses = {
        category: next(
            result.status
            for result in evaluate(REGISTRY.get("amazon-us"), category, TODAY, half).results
            if result.rule_id == "fill"
        )
        for category in CATEGORIES
    }
    assert statuses.pop("jewelry") is RuleStatus.NOT_EVALUATED
    assert set(statuses.values()) == {RuleStatus.FAIL}


def test_germany_asks_more_of_apparel() -> None:
    german = {rule.id for rule in REGISTRY.get("amazon-de").rules_for("apparel")}
    american = {rule.id for rule in REGISTRY.get("amazon-us").rules_for("apparel")}
    assert german - american == {"apparel-aspect", "apparel-fill-area", "apparel-front"}


@pytest.mark.parametrize("pack", list(REGISTRY), ids=lambda pack: pack.id)
def test_amazon_allows_no_shadow(pack: RulePack) -> None:
    assert not pack.target.allows_shadow
