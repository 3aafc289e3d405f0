"""The same photo made in the same way has the same key; anything that could change a pixel or a word changes it."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, OUTPUT_REPORT_JSON, OUTPUT_TRANSPARENT_PNG, ProcessOptions
from packshot.v1.rules_pb2 import DatedValue, Rule, RulePack
from services.gateway.worker.recipe import normalised, result_key, without_report_file

PHOTO = "ab" * 32
TODAY = date(2026, 6, 1)


def pack() -> RulePack:
    values = [DatedValue(effective_from=day) for day in ("2020-01-01", "2027-01-01")]
    return RulePack(id="amazon-us", hash="sha256:1", rules=[Rule(rule_id="white", values=values)])


def options(**asked: Any) -> ProcessOptions:
    return normalised(ProcessOptions(**asked), "amazon-us")


def key(photo: str = PHOTO, asked: ProcessOptions | None = None, digest: str = "sha256:m", today: date = TODAY) -> str:
    return result_key(photo, asked or options(), [pack()], digest, today)


def test_a_key_is_a_sha256() -> None:
    assert len(key()) == 64
    assert key() == key()


@pytest.mark.parametrize(
    "same",
    [{"marketplaces": ["amazon-us"]}, {"outputs": [OUTPUT_JPEG]}, {"debug": True}],
    ids=["the default marketplace by name", "the default output by name", "debugging"],
)
def test_what_means_the_same_has_the_same_key(same: dict[str, Any]) -> None:
    assert key(asked=options(**same)) == key()


def test_the_order_of_outputs_does_not_matter() -> None:
    one = options(outputs=[OUTPUT_JPEG, OUTPUT_TRANSPARENT_PNG])
    other = options(outputs=[OUTPUT_TRANSPARENT_PNG, OUTPUT_JPEG])
    assert key(asked=one) == key(asked=other)


@pytest.mark.parametrize(
    "change",
    [
        lambda: key(photo="cd" * 32),
        lambda: key(digest="sha256:another"),
        lambda: key(asked=options(category="shoes")),
        lambda: key(asked=options(marketplaces=["amazon-de"])),
        lambda: key(asked=options(as_of_date="2026-06-01")),
        lambda: key(asked=options(points=[PointHint(x=3, y=4)])),
        lambda: key(asked=options(region_of_interest=BoundingBox(width=9, height=9))),
        lambda: result_key(PHOTO, options(), [RulePack(id="amazon-us", hash="sha256:2")], "sha256:m", TODAY),
    ],
)
def test_whatever_changes_the_result_changes_the_key(change: Callable[[], str]) -> None:
    assert change() != key()


def test_a_day_changes_the_key_only_when_a_rule_comes_into_force() -> None:
    assert key(today=date(2026, 12, 31)) == key()
    assert key(today=date(2027, 1, 1)) != key()


def test_what_was_asked_stays_as_it_is() -> None:
    asked = ProcessOptions(outputs=[OUTPUT_TRANSPARENT_PNG, OUTPUT_REPORT_JSON], debug=True)
    before = asked.SerializeToString()
    without_report_file(normalised(asked, "amazon-us"))
    assert asked.SerializeToString() == before


def test_the_pipeline_is_not_asked_for_the_report_as_a_file() -> None:
    asked = without_report_file(options(outputs=[OUTPUT_JPEG, OUTPUT_REPORT_JSON]))
    assert list(asked.outputs) == [OUTPUT_JPEG]
