"""The pipeline as callers see it: a real gateway over gRPC, stages that answer by script."""

import json
from typing import Any

import grpc
import pytest

from packshot.v1.compositor_pb2 import ComposeImageRequest, ComposeImageResponse, RenderCutoutResponse
from packshot.v1.image_pb2 import TRAIT_TRANSPARENT, BoundingBox, PointHint, Warning
from packshot.v1.packshot_pb2 import (
    OUTPUT_JPEG,
    OUTPUT_REPORT_JSON,
    OUTPUT_TRANSPARENT_PNG,
    CheckImageRequest,
    CutOutImageRequest,
    LayoutOptions,
    MarketplaceResult,
    ProcessImageRequest,
    ProcessImageResponse,
    ProcessOptions,
)
from packshot.v1.report_pb2 import (
    RESOLUTION_AUTO_CORRECTED,
    RESOLUTION_MANUAL,
    RESOLUTION_UNSPECIFIED,
    RULE_STATUS_FAIL,
    RULE_STATUS_NOT_EVALUATED,
    RULE_STATUS_PASS,
    RULE_STATUS_WARN,
    VERDICT_PUBLISH,
    VERDICT_REJECT,
    VERDICT_REVIEW,
    Finding,
)
from packshot.v1.rules_pb2 import GetRulePackRequest, ListRulePacksRequest
from packshot.v1.segmenter_pb2 import SegmentImageRequest, SegmentImageResponse
from packshot.v1.validator_pb2 import CURE_LOWER_QUALITY, CURE_RESCALE, CURE_TIGHTEN_EDGE
from services.common.errors import invalid_argument
from tests.helpers.gateway import Gateway, failure
from tests.helpers.stages import MARKETPLACES, MATTE, PHOTO, Rule, Stages, composed, evaluated, segmentation


def photo(**options: Any) -> ProcessImageRequest:
    return ProcessImageRequest(photo=PHOTO, options=ProcessOptions(**options))


def found(**changes: Any) -> Any:
    """A segmenter's answer with changes."""
    return lambda request: SegmentImageResponse(matte_png=MATTE, segmentation=segmentation(**changes))


FLOOR_REMOVED = Finding(
    code="FLOOR_REFLECTION_REMOVED", resolution=RESOLUTION_AUTO_CORRECTED, message="the table mirrored the product"
)
FLOOR_LEFT = Finding(
    code="FLOOR_REFLECTION", resolution=RESOLUTION_MANUAL, message="the table mirrors the product", action="cut it off"
)
ARRANGED = Finding(code="PIECES_ARRANGED", resolution=RESOLUTION_AUTO_CORRECTED, message="two pieces laid out")


def jpeg(response: ProcessImageResponse) -> str:
    return response.results[0].images[0].content.decode()


class TestOnePhoto:
    async def test_a_photo_becomes_a_packshot_with_its_report(self, gateway: Gateway, stages: Stages) -> None:
        response = await gateway.stub.ProcessImage(photo())
        (result,) = response.results
        assert result.marketplace == "amazon-us"
        assert [image.output for image in result.images] == [OUTPUT_JPEG]
        report = result.report
        assert report.compliant
        assert report.verdict == VERDICT_PUBLISH
        assert report.confidence.value > 0.9
        assert report.segmentation.model == "classical"
        assert report.placement.canvas_width_px == 2000
        assert report.pack.version == "1.0.0"
        assert {timing.stage for timing in report.timings} == {"segmenter", "compositor", "validator"}

    async def test_the_stages_get_what_the_caller_asked_for(self, gateway: Gateway, stages: Stages) -> None:
        region = BoundingBox(x=10, y=20, width=300, height=200)
        points = [PointHint(x=40, y=50, include=True), PointHint(x=0, y=0)]
        await gateway.stub.ProcessImage(
            photo(region_of_interest=region, points=points, category="electronics", as_of_date="2025-06-01")
        )
        assert stages.segmenter.segment.calls[0].request == SegmentImageRequest(
            photo=PHOTO, region_of_interest=region, points=points
        )
        composing = stages.compositor.compose.calls[0].request
        assert (composing.photo, composing.matte_png) == (PHOTO, MATTE)
        of_packshot, of_photo = sorted((call.request for call in stages.validator.validate.calls), key=_is_photo)
        assert of_photo.image == PHOTO
        assert of_packshot.known["upscale_factor"] == 0.8
        for asked in (of_photo, of_packshot):
            assert (asked.category, asked.as_of_date, asked.matte_png) == ("electronics", "2025-06-01", MATTE)

    async def test_a_photo_without_region_is_segmented_whole(self, gateway: Gateway, stages: Stages) -> None:
        await gateway.stub.ProcessImage(photo())
        assert not stages.segmenter.segment.calls[0].request.HasField("region_of_interest")

    @pytest.mark.parametrize("field", ["region_of_interest", "points[1]"])
    async def test_a_hint_that_cannot_be_used_is_named_as_the_caller_knows_it(
        self, gateway: Gateway, stages: Stages, field: str
    ) -> None:
        stages.segmenter.segment.script = [invalid_argument(field, "OUTSIDE_PHOTO", "it lies outside")]
        error = await failure(gateway.stub.ProcessImage(photo(points=[PointHint(), PointHint(x=900)])))
        assert [violation.field for violation in error.violations] == [f"options.{field}"]

    async def test_outputs_come_in_the_order_asked_for(self, gateway: Gateway) -> None:
        response = await gateway.stub.ProcessImage(
            photo(outputs=[OUTPUT_REPORT_JSON, OUTPUT_TRANSPARENT_PNG, OUTPUT_JPEG])
        )
        images = response.results[0].images
        assert [image.output for image in images] == [OUTPUT_REPORT_JSON, OUTPUT_TRANSPARENT_PNG, OUTPUT_JPEG]
        report = json.loads(images[0].content)
        assert report["marketplace"] == "amazon-us"
        assert report["verdict"] == "publish"
        assert images[1].content.startswith(b"png amazon-us")

    async def test_the_segmenters_warnings_reach_the_report(self, gateway: Gateway, stages: Stages) -> None:
        warning = Warning(code="PHOTO_ANIMATED", message="only the first of 12 frames is used")
        stages.segmenter.segment.script = [
            lambda request: SegmentImageResponse(matte_png=MATTE, segmentation=segmentation(), warnings=[warning])
        ]
        response = await gateway.stub.ProcessImage(photo())
        assert list(response.results[0].report.warnings) == [warning]

    async def test_the_compositor_gets_what_the_segmenter_knows(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [unsure_glass]
        await gateway.stub.ProcessImage(photo())
        composing = stages.compositor.compose.calls[0].request
        assert (composing.uncertainty_png, list(composing.traits)) == (b"unsure", [TRAIT_TRANSPARENT])

    async def test_what_was_noticed_of_the_product_and_on_its_canvas_reaches_the_report(
        self, gateway: Gateway, stages: Stages
    ) -> None:
        stages.compositor.compose.script = [noticing(FLOOR_REMOVED, ARRANGED)]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert list(report.findings) == [FLOOR_REMOVED, ARRANGED]
        assert report.verdict == VERDICT_PUBLISH

    async def test_what_a_person_has_to_see_to_is_not_published(self, gateway: Gateway, stages: Stages) -> None:
        stages.compositor.compose.script = [noticing(FLOOR_LEFT, ARRANGED)]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert report.verdict == VERDICT_REVIEW
        assert list(report.verdict_reasons) == [FLOOR_LEFT.message]


def noticing(of_product: Finding, on_canvas: Finding) -> Any:
    """A compositor's answer with something noticed about the product, and something on every canvas."""

    def answer(request: ComposeImageRequest) -> ComposeImageResponse:
        response = composed(request)
        response.findings.append(of_product)
        for composition in response.compositions:
            composition.findings.append(on_canvas)
        return response

    return answer


def unsure_glass(request: SegmentImageRequest) -> SegmentImageResponse:
    return SegmentImageResponse(
        matte_png=MATTE, segmentation=segmentation(traits=[TRAIT_TRANSPARENT]), uncertainty_png=b"unsure"
    )


def _is_photo(request: Any) -> bool:
    return bool(request.image == PHOTO)


class TestSeveralMarketplaces:
    async def test_one_segmentation_and_one_canvas_and_report_each_in_order(
        self, gateway: Gateway, stages: Stages
    ) -> None:
        wanted = ["amazon-de", "amazon-us", "amazon-uk"]
        response = await gateway.stub.ProcessImage(photo(marketplaces=wanted))
        assert [result.marketplace for result in response.results] == wanted
        assert [result.report.marketplace for result in response.results] == wanted
        assert [result.images[0].content.split()[0].decode() for result in response.results] == wanted
        assert len(stages.segmenter.segment.calls) == 1
        assert len(stages.compositor.compose.calls) == 1


class TestWhatWasCorrected:
    async def test_a_rule_the_photo_broke_and_the_packshot_keeps_was_auto_corrected(
        self, gateway: Gateway, stages: Stages
    ) -> None:
        stages.validator.validate.script = [
            evaluated(lambda image: [Rule("white", RULE_STATUS_FAIL if image == PHOTO else RULE_STATUS_PASS)])
        ]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert report.compliant
        assert report.rules[0].resolution == RESOLUTION_AUTO_CORRECTED
        assert report.rules[0].measured_on_photo == "measured"
        assert report.rules[0].action == ""

    async def test_a_rule_the_packshot_breaks_is_for_a_person(self, gateway: Gateway, stages: Stages) -> None:
        stages.validator.validate.script = [evaluated(lambda image: [Rule("no-text", RULE_STATUS_FAIL)])]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert not report.compliant
        assert report.rules[0].resolution == RESOLUTION_MANUAL
        assert report.rules[0].action == "do something"
        assert report.verdict == VERDICT_REVIEW
        assert list(report.verdict_reasons) == ["breaks the rule: no text"]

    async def test_a_rule_both_keep_needs_no_resolution(self, gateway: Gateway) -> None:
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert report.rules[0].resolution == RESOLUTION_UNSPECIFIED

    async def test_a_rule_that_could_not_be_evaluated_was_not_corrected(self, gateway: Gateway, stages: Stages) -> None:
        stages.validator.validate.script = [
            evaluated(lambda image: [Rule("halo", RULE_STATUS_FAIL if image == PHOTO else RULE_STATUS_NOT_EVALUATED)])
        ]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert report.rules[0].resolution == RESOLUTION_UNSPECIFIED
        assert report.not_evaluated_count == 1


class TestDoubt:
    async def test_an_unsure_matte_is_reviewed(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [found(expected_iou=0.4)]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert report.compliant
        assert report.verdict == VERDICT_REVIEW

    async def test_a_hopeless_matte_is_rejected(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [found(expected_iou=0.02)]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert report.verdict == VERDICT_REJECT

    async def test_a_product_at_the_photos_edge_is_reviewed(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [found(touches_frame=True)]
        report = (await gateway.stub.ProcessImage(photo())).results[0].report
        assert report.verdict == VERDICT_REVIEW

    async def test_no_product_means_reject_and_no_image(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [found(pieces=[])]
        stages.validator.validate.script = [evaluated(lambda image: [Rule("white", RULE_STATUS_FAIL)])]
        (result,) = (await gateway.stub.ProcessImage(photo())).results
        assert len(result.images) == 0
        assert result.report.verdict == VERDICT_REJECT
        assert "no product was found" in result.report.verdict_reasons[0]
        assert result.report.rules[0].resolution == RESOLUTION_MANUAL
        assert result.report.confidence.value == 0
        assert stages.compositor.compose.calls == []


def fails_unless(text: str, rule: Rule) -> Any:
    """The rule fails on packshots made otherwise; the text is from the scripted compositor's "JPEG"."""
    return evaluated(
        lambda image: [Rule(rule.rule_id, RULE_STATUS_PASS) if text in image.decode() or image == PHOTO else rule]
    )


class TestRepair:
    async def test_a_fill_out_of_range_is_cured_by_another_layout(self, gateway: Gateway, stages: Stages) -> None:
        rule = Rule("fill", RULE_STATUS_FAIL, CURE_RESCALE, minimum=0.9)
        stages.validator.validate.script = [fails_unless("fill=0.91", rule)]
        response = await gateway.stub.ProcessImage(photo())
        report = response.results[0].report
        assert "fill=0.91" in jpeg(response)
        assert report.compliant
        assert [(list(r.rule_ids), r.change, r.cured) for r in report.repairs] == [(["fill"], "fill 0.87 → 0.91", True)]
        assert report.rules[0].resolution == RESOLUTION_AUTO_CORRECTED

    async def test_a_halo_is_cured_at_the_second_attempt(self, gateway: Gateway, stages: Stages) -> None:
        rule = Rule("halo", RULE_STATUS_WARN, CURE_TIGHTEN_EDGE, maximum=8)
        stages.validator.validate.script = [fails_unless("tighten=1.5", rule)]
        response = await gateway.stub.ProcessImage(photo())
        assert "tighten=1.5" in jpeg(response)
        assert [repair.cured for repair in response.results[0].report.repairs] == [False, True]

    async def test_nothing_is_tried_a_third_time_and_the_first_of_equals_is_kept(
        self, gateway: Gateway, stages: Stages
    ) -> None:
        rule = Rule("halo", RULE_STATUS_FAIL, CURE_TIGHTEN_EDGE, maximum=8)
        stages.validator.validate.script = [fails_unless("never", rule)]
        response = await gateway.stub.ProcessImage(photo())
        assert len(stages.compositor.compose.calls) == 3
        assert "tighten=0 " in jpeg(response)
        report = response.results[0].report
        assert [repair.cured for repair in report.repairs] == [False, False]
        assert report.rules[0].resolution == RESOLUTION_MANUAL

    async def test_a_repair_that_breaks_something_else_is_not_kept(self, gateway: Gateway, stages: Stages) -> None:
        def rules(image: bytes) -> list[Rule]:
            tightened = b"tighten=0 " not in image and image != PHOTO
            return [
                Rule("halo", RULE_STATUS_PASS if tightened else RULE_STATUS_WARN, CURE_TIGHTEN_EDGE),
                Rule("pieces", RULE_STATUS_FAIL if tightened else RULE_STATUS_PASS),
            ]

        stages.validator.validate.script = [evaluated(rules)]
        response = await gateway.stub.ProcessImage(photo())
        assert "tighten=0 " in jpeg(response)
        assert response.results[0].report.compliant

    async def test_a_rule_that_can_no_longer_be_evaluated_is_not_cured(self, gateway: Gateway, stages: Stages) -> None:
        def rules(image: bytes) -> list[Rule]:
            status = RULE_STATUS_FAIL if b"tighten=0 " in image else RULE_STATUS_NOT_EVALUATED
            return [Rule("halo", status, CURE_TIGHTEN_EDGE)]

        stages.validator.validate.script = [evaluated(rules)]
        response = await gateway.stub.ProcessImage(photo())
        report = response.results[0].report
        assert [repair.cured for repair in report.repairs] == [False]
        assert "tighten=0 " in jpeg(response)
        assert not report.compliant

    async def test_a_large_file_is_encoded_with_less_quality(self, gateway: Gateway, stages: Stages) -> None:
        rule = Rule("file-size", RULE_STATUS_FAIL, CURE_LOWER_QUALITY, maximum=10e6)
        stages.validator.validate.script = [fails_unless("quality=75", rule)]
        assert "quality=75" in jpeg(await gateway.stub.ProcessImage(photo()))

    async def test_an_asked_fill_is_not_repaired(self, gateway: Gateway, stages: Stages) -> None:
        rule = Rule("fill", RULE_STATUS_FAIL, CURE_RESCALE, minimum=0.85)
        stages.validator.validate.script = [fails_unless("never", rule)]
        response = await gateway.stub.ProcessImage(photo(layout=LayoutOptions(fill_ratio=0.5)))
        assert "fill=0.50" in jpeg(response)
        report = response.results[0].report
        assert len(report.repairs) == 0
        assert report.rules[0].resolution == RESOLUTION_MANUAL

    async def test_only_the_marketplace_that_complains_is_repaired(self, gateway: Gateway, stages: Stages) -> None:
        rule = Rule("fill", RULE_STATUS_FAIL, CURE_RESCALE, minimum=0.9)
        stages.validator.validate.script = [
            evaluated(lambda image: [rule if b"amazon-de" in image and b"0.91" not in image else Rule("fill")])
        ]
        response = await gateway.stub.ProcessImage(photo(marketplaces=["amazon-us", "amazon-de"]))
        repairs = [len(result.report.repairs) for result in response.results]
        assert repairs == [0, 1]
        assert len(stages.compositor.compose.calls[1].request.targets) == 1


class TestDebug:
    async def test_every_marketplace_gets_the_products_pictures_and_its_own(self, gateway: Gateway) -> None:
        response = await gateway.stub.ProcessImage(photo(marketplaces=["amazon-us", "amazon-de"], debug=True))
        assert [pictures(result) for result in response.results] == [
            {"matte": "the product tighten=0", "halo": "amazon-us tighten=0"},
            {"matte": "the product tighten=0", "halo": "amazon-de tighten=0"},
        ]

    async def test_the_pictures_are_of_the_packshot_that_is_returned(self, gateway: Gateway, stages: Stages) -> None:
        rule = Rule("halo", RULE_STATUS_WARN, CURE_TIGHTEN_EDGE, maximum=8)
        stages.validator.validate.script = [fails_unless("tighten=1.5", rule)]
        response = await gateway.stub.ProcessImage(photo(debug=True))
        assert "tighten=1.5" in jpeg(response)
        assert pictures(response.results[0]) == {
            "matte": "the product tighten=1.5",
            "halo": "amazon-us tighten=1.5",
        }

    async def test_a_repair_that_is_not_kept_leaves_no_pictures(self, gateway: Gateway, stages: Stages) -> None:
        rule = Rule("halo", RULE_STATUS_FAIL, CURE_TIGHTEN_EDGE, maximum=8)
        stages.validator.validate.script = [fails_unless("never", rule)]
        response = await gateway.stub.ProcessImage(photo(debug=True))
        assert len(response.results[0].report.repairs) == 2
        assert set(pictures(response.results[0]).values()) == {"the product tighten=0", "amazon-us tighten=0"}

    async def test_nothing_is_drawn_unless_asked_for(self, gateway: Gateway, stages: Stages) -> None:
        response = await gateway.stub.ProcessImage(photo())
        assert not response.results[0].debug_images
        assert not stages.compositor.compose.calls[0].request.debug


def pictures(result: MarketplaceResult) -> dict[str, str]:
    """What the scripted compositor says about its pictures, by their names."""
    return {image.name: image.png.decode() for image in result.debug_images}


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "field", "reason"),
        [
            ({"marketplaces": ["amazon-us", "amazon-mars"]}, "options.marketplaces[1]", "UNKNOWN_MARKETPLACE"),
            ({"category": "groceries"}, "options.category", "UNKNOWN_CATEGORY"),
            ({"as_of_date": "2026-02-30"}, "options.as_of_date", "INVALID_DATE"),
            ({"marketplaces": ["Amazon"]}, "options.marketplaces[0]", "INVALID_FIELD"),
        ],
    )
    async def test_wrong_options_are_named_before_any_work(
        self, gateway: Gateway, stages: Stages, options: dict[str, Any], field: str, reason: str
    ) -> None:
        error = await failure(gateway.stub.ProcessImage(photo(**options)))
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
        assert error.reason == reason
        assert error.violations[0].field == field
        assert error.message.startswith(f"{field}: ")
        assert stages.segmenter.segment.calls == []

    async def test_a_photo_the_segmenter_refuses_is_the_callers_photo(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [invalid_argument("photo", "PHOTO_TRUNCATED", "the file ends early")]
        error = await failure(gateway.stub.ProcessImage(photo()))
        assert (error.reason, error.violations[0].field) == ("PHOTO_TRUNCATED", "photo")
        assert error.metadata["stage"] == "segmenter"

    async def test_a_photo_the_validator_refuses_is_the_callers_photo(self, gateway: Gateway, stages: Stages) -> None:
        stages.validator.validate.script = [invalid_argument("image", "PHOTO_UNSUPPORTED", "no such format")]
        error = await failure(gateway.stub.ProcessImage(photo()))
        assert error.violations[0].field == "photo"
        assert error.message == "photo: no such format"

    async def test_an_empty_photo_is_refused(self, gateway: Gateway) -> None:
        error = await failure(gateway.stub.ProcessImage(ProcessImageRequest()))
        assert error.violations[0].field == "photo"


class TestCheckImage:
    async def test_reports_come_in_order_and_nothing_is_made(self, gateway: Gateway, stages: Stages) -> None:
        stages.validator.validate.script = [evaluated(lambda image: [Rule("white", RULE_STATUS_FAIL, CURE_RESCALE)])]
        response = await gateway.stub.CheckImage(
            CheckImageRequest(image=b"finished", marketplaces=["amazon-uk", "amazon-us"], request_id="r-1")
        )
        assert response.request_id == "r-1"
        assert [report.marketplace for report in response.reports] == ["amazon-uk", "amazon-us"]
        report = response.reports[0]
        assert report.verdict == VERDICT_REJECT
        assert report.rules[0].resolution == RESOLUTION_MANUAL
        assert not report.HasField("confidence")
        assert len(stages.validator.validate.calls) == 1
        assert stages.segmenter.segment.calls == stages.compositor.compose.calls == []

    async def test_errors_name_the_requests_own_fields(self, gateway: Gateway, stages: Stages) -> None:
        stages.validator.validate.script = [invalid_argument("marketplaces[1]", "UNKNOWN_MARKETPLACE", "no such pack")]
        error = await failure(
            gateway.stub.CheckImage(CheckImageRequest(image=b"finished", marketplaces=["amazon-us", "mars"]))
        )
        assert error.violations[0].field == "marketplaces[1]"
        error = await failure(gateway.stub.CheckImage(CheckImageRequest(image=b"finished", as_of_date="2026-02-30")))
        assert error.violations[0].field == "as_of_date"


class TestCutOutImage:
    async def test_the_cutout_comes_with_what_was_found(self, gateway: Gateway, stages: Stages) -> None:
        response = await gateway.stub.CutOutImage(CutOutImageRequest(photo=PHOTO, keep_background=True))
        assert response.png == b"a cutout"
        assert response.segmentation.model == "classical"
        assert response.confidence.value > 0.9
        assert {timing.stage for timing in response.timings} == {"segmenter", "compositor"}
        assert stages.compositor.cut_out.calls[0].request.keep_background

    async def test_the_compositor_gets_what_the_segmenter_knows_and_says_what_it_noticed(
        self, gateway: Gateway, stages: Stages
    ) -> None:
        stages.segmenter.segment.script = [unsure_glass]
        stages.compositor.cut_out.script = [
            lambda request: RenderCutoutResponse(png=b"a cutout", findings=[FLOOR_LEFT])
        ]
        response = await gateway.stub.CutOutImage(CutOutImageRequest(photo=PHOTO))
        asked = stages.compositor.cut_out.calls[0].request
        assert (asked.uncertainty_png, list(asked.traits)) == (b"unsure", [TRAIT_TRANSPARENT])
        assert list(response.findings) == [FLOOR_LEFT]

    async def test_a_cutout_of_nothing_is_not_sure_at_all(self, gateway: Gateway, stages: Stages) -> None:
        stages.segmenter.segment.script = [found(pieces=[])]
        response = await gateway.stub.CutOutImage(CutOutImageRequest(photo=PHOTO))
        assert response.confidence.value == 0


class TestRulePacks:
    async def test_packs_are_listed_and_shown(self, gateway: Gateway) -> None:
        listed = await gateway.stub.ListRulePacks(ListRulePacksRequest())
        assert [pack.id for pack in listed.packs] == list(MARKETPLACES)
        shown = await gateway.stub.GetRulePack(GetRulePackRequest(id="amazon-de"))
        assert shown.pack.id == "amazon-de"

    async def test_an_unknown_pack_is_refused_by_its_field(self, gateway: Gateway) -> None:
        error = await failure(gateway.stub.GetRulePack(GetRulePackRequest(id="amazon-mars")))
        assert (error.reason, error.violations[0].field) == ("UNKNOWN_MARKETPLACE", "id")
