from datetime import UTC, datetime

import grpc
import pytest

from packshot.v1.packshot_pb2 import (
    ARRANGEMENT_ARRANGE,
    ARRANGEMENT_UNSPECIFIED,
    OUTPUT_JPEG,
    OUTPUT_REPORT_JSON,
    OUTPUT_TRANSPARENT_PNG,
    SHADOW_NONE,
    SHADOW_SOFT,
    CanvasOptions,
    LayoutOptions,
    ProcessOptions,
)
from packshot.v1.report_pb2 import RESOLUTION_AUTO_CORRECTED
from packshot.v1.rules_pb2 import RulePack
from services.common.errors import ServiceError
from services.gateway.repair import Cure
from services.gateway.request import Scope, canvas_target, first_treatment, fixed, outputs, refusals, scope
from tests.helpers.stages import rule_pack

PACK = rule_pack("amazon-us")
SHADY_PACK = RulePack()
SHADY_PACK.CopyFrom(PACK)
SHADY_PACK.target.allows_shadow = True


def of(marketplaces: tuple[str, ...] = (), category: str = "", day: str = "") -> Scope:
    return scope(marketplaces, category, day, default_marketplace="amazon-us", prefix="options.")


def test_nothing_asked_means_the_default_marketplace_today() -> None:
    before = datetime.now(UTC).date().isoformat()
    assert of() in (Scope(("amazon-us",), "", day) for day in (before, datetime.now(UTC).date().isoformat()))


def test_what_is_asked_is_taken_in_order() -> None:
    assert of(("amazon-de", "amazon-us"), "jewelry", "2024-02-29") == Scope(
        ("amazon-de", "amazon-us"), "jewelry", "2024-02-29"
    )


@pytest.mark.parametrize("day", ["2026-02-30", "2026-13-01", "2025-02-29", "0000-01-01"])
def test_days_that_do_not_exist_are_refused_with_their_field(day: str) -> None:
    with pytest.raises(ServiceError) as caught:
        of(day=day)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.reason == "INVALID_DATE"
    assert caught.value.violations[0].field == "options.as_of_date"
    assert day in caught.value.message


def test_a_jpeg_is_made_unless_something_else_is_asked() -> None:
    assert outputs(ProcessOptions()) == (OUTPUT_JPEG,)
    assert outputs(ProcessOptions(outputs=[OUTPUT_REPORT_JSON])) == (OUTPUT_REPORT_JSON,)


def test_the_packs_target_is_the_default() -> None:
    treatment = first_treatment(ProcessOptions(), PACK)
    assert (treatment.fill_ratio, treatment.keep_fill_from) == (0.87, 0.85)
    assert treatment.jpeg_quality == 95
    canvas = canvas_target(ProcessOptions(), PACK, treatment)
    assert (canvas.target_id, canvas.width_px, canvas.height_px) == ("amazon-us", 2000, 2000)
    assert not canvas.transparent_png


def test_an_asked_fill_is_exact_also_for_products_large_in_their_photo() -> None:
    options = ProcessOptions(layout=LayoutOptions(fill_ratio=0.6))
    treatment = first_treatment(options, PACK)
    assert treatment.fill_ratio == 0.6
    assert treatment.keep_fill_from > 1
    assert fixed(options) == {Cure.RESCALE}


@pytest.mark.parametrize(("margin", "fill"), [(0.0, 1.0), (0.1, 0.8), (0.475, 0.05)])
def test_a_margin_is_a_fill(margin: float, fill: float) -> None:
    options = ProcessOptions(layout=LayoutOptions(margin=margin))
    assert first_treatment(options, PACK).fill_ratio == pytest.approx(fill)
    assert first_treatment(options, PACK).fill_ratio >= 0.05
    assert fixed(options) == {Cure.RESCALE}


def test_an_asked_canvas_overrides_the_packs_side_by_side() -> None:
    options = ProcessOptions(
        canvas=CanvasOptions(width_px=1600, jpeg_quality=80), outputs=[OUTPUT_TRANSPARENT_PNG, OUTPUT_JPEG]
    )
    canvas = canvas_target(options, PACK, first_treatment(options, PACK))
    assert (canvas.width_px, canvas.height_px, canvas.jpeg_quality) == (1600, 2000, 80)
    assert canvas.transparent_png


def test_an_asked_quality_is_not_lowered_by_the_repair_loop() -> None:
    assert fixed(ProcessOptions(canvas=CanvasOptions(jpeg_quality=95))) == {Cure.LOWER_QUALITY}
    assert fixed(ProcessOptions()) == set()


def test_a_shadow_is_asked_for_where_the_pack_allows_one() -> None:
    options = ProcessOptions(shadow=SHADOW_SOFT)
    assert canvas_target(options, SHADY_PACK, first_treatment(options, SHADY_PACK)).shadow == SHADOW_SOFT
    assert refusals(options, SHADY_PACK) == []


def test_elsewhere_none_is_drawn_and_that_is_said() -> None:
    options = ProcessOptions(shadow=SHADOW_SOFT)
    assert canvas_target(options, PACK, first_treatment(options, PACK)).shadow == SHADOW_NONE
    (finding,) = refusals(options, PACK)
    assert (finding.code, finding.resolution) == ("SHADOW_NOT_ALLOWED", RESOLUTION_AUTO_CORRECTED)
    assert "amazon-us" in finding.message


def test_who_asks_for_no_shadow_is_refused_nothing() -> None:
    for options in (ProcessOptions(), ProcessOptions(shadow=SHADOW_NONE)):
        assert refusals(options, PACK) == []
        assert canvas_target(options, SHADY_PACK, first_treatment(options, SHADY_PACK)).shadow != SHADOW_SOFT


def test_pieces_are_arranged_when_asked() -> None:
    for arrangement in (ARRANGEMENT_ARRANGE, ARRANGEMENT_UNSPECIFIED):
        options = ProcessOptions(arrangement=arrangement)
        assert canvas_target(options, PACK, first_treatment(options, PACK)).arrangement == arrangement
