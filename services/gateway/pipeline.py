"""One photo's way through the stages: segment, compose, validate, repair what can be repaired, report."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from packshot.report import report_to_json
from packshot.v1.compositor_pb2 import ComposeImageResponse, Composition
from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.packshot_pb2 import (
    OUTPUT_REPORT_JSON,
    CheckImageRequest,
    CheckImageResponse,
    CutOutImageRequest,
    CutOutImageResponse,
    DebugImage,
    EncodedImage,
    MarketplaceResult,
    Output,
    ProcessImageResponse,
    ProcessOptions,
)
from packshot.v1.report_pb2 import Repair, Report, Verdict
from packshot.v1.rules_pb2 import RulePack
from packshot.v1.segmenter_pb2 import SegmentImageResponse
from packshot.v1.validator_pb2 import Evaluation, ValidateImageResponse
from services.common.bus import Bus
from services.common.errors import ServiceError
from services.gateway import repair, report, request
from services.gateway.events import PhotoEvents
from services.gateway.metrics import VERDICTS
from services.gateway.repair import Treatment
from services.gateway.request import Scope
from services.gateway.stages import Call, Stages, renamed_field
from services.gateway.work import Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Made:
    """A packshot with what it was made with, the compositor's answer it is from, and what the validator says."""

    treatment: Treatment
    composition: Composition
    composed: ComposeImageResponse
    validation: ValidateImageResponse

    @property
    def evaluation(self) -> Evaluation:
        return self.validation.evaluations[0]

    def badness(self) -> tuple[int, int]:
        """Orders attempts: first by rules that failed or could not be evaluated, then by warnings."""
        return report.count_unmet(self.evaluation)


class Pipeline:
    """Calls the stages in order; holds no photo longer than its call.

    Args:
        stages: The stages' clients.
        bus: Where events go; None for none.
        default_marketplace: For requests that name none.
    """

    def __init__(self, stages: Stages, bus: Bus | None, default_marketplace: str) -> None:
        self._stages = stages
        self._bus = bus
        self._default_marketplace = default_marketplace

    async def process(self, call: Call, photo: bytes, options: ProcessOptions) -> ProcessImageResponse:
        """One packshot and one report per marketplace.

        Raises:
            ServiceError: The request is wrong, the photo unusable, a stage down or the deadline past.
        """
        events = PhotoEvents(self._bus, call, photo)
        try:
            return await self._process(call, photo, options, events)
        except BaseException as error:
            events.failed(error)
            raise

    async def check(self, call: Call, asked: CheckImageRequest) -> CheckImageResponse:
        """Reports on an image as it is."""
        scope = self._scope(asked.marketplaces, asked.category, asked.as_of_date, prefix="")
        work = Work(self._stages, call, asked.image, scope)
        # The only stage of this call: nothing is thrown away when an overloaded validator refuses.
        validation = await work.validate_photo(patient=False)
        reports = [
            report.of_checked_image(scope, evaluation, validation, work.timings())
            for evaluation in validation.evaluations
        ]
        _count_verdicts(reports)
        return CheckImageResponse(request_id=call.request_id, reports=reports)

    async def cut_out(self, call: Call, asked: CutOutImageRequest) -> CutOutImageResponse:
        """The product with transparency, where it is in the photo."""
        work = Work(self._stages, call, asked.photo, Scope((), "", ""))
        segmented = await work.segment(_region(asked))
        cutout = await work.cut_out(segmented, keep_background=asked.keep_background)
        return CutOutImageResponse(
            request_id=call.request_id,
            png=cutout.png,
            segmentation=segmented.segmentation,
            confidence=report.confidence_of_cutout(segmented.segmentation),
            warnings=segmented.warnings,
            timings=work.timings(),
            findings=cutout.findings,
        )

    async def _process(
        self, call: Call, photo: bytes, options: ProcessOptions, events: PhotoEvents
    ) -> ProcessImageResponse:
        scope = self._scope(options.marketplaces, options.category, options.as_of_date, prefix="options.")
        work = Work(self._stages, call, photo, scope, prefix="options.")
        packs = await work.packs()
        events.received()
        segmented = await work.segment(_region(options), options.points)
        events.segmented()
        # The photo itself is measured meanwhile: a rule it breaks and the packshot keeps was auto-corrected.
        photo_validation = asyncio.create_task(_validate_photo(work, segmented))
        async with _cancelled_on_error(photo_validation):
            firsts = await _first_packshots(work, segmented, options, packs)
            on_photo = await photo_validation
        if firsts:
            events.composed()
        results = []
        for index, pack in enumerate(packs):
            facts = report.Facts(scope, pack, segmented, on_photo, on_photo.evaluations[index])
            if firsts:
                results.append(await _result(work, facts, options, firsts[index]))
            else:
                results.append(MarketplaceResult(marketplace=pack.id, report=report.without_product(facts)))
        events.validated(result.report for result in results)
        for result in results:
            result.report.timings.extend(work.timings())
            _select_outputs(result, request.outputs(options))
        events.completed(result.report for result in results)
        _count_verdicts(result.report for result in results)
        return ProcessImageResponse(request_id=call.request_id, results=results)

    def _scope(self, marketplaces: Sequence[str], category: str, as_of_date: str, *, prefix: str) -> Scope:
        return request.scope(
            marketplaces, category, as_of_date, default_marketplace=self._default_marketplace, prefix=prefix
        )


@asynccontextmanager
async def _cancelled_on_error(task: asyncio.Task[T]) -> AsyncIterator[None]:
    """Lets no task run on when what goes on beside it fails."""
    try:
        yield
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _first_packshots(
    work: Work, segmented: SegmentImageResponse, options: ProcessOptions, packs: Sequence[RulePack]
) -> list[tuple[Treatment, Composition, ComposeImageResponse]]:
    """A packshot per pack, from one refinement of the matte; none when there is no product."""
    if not segmented.segmentation.pieces:
        return []
    treatments = [request.first_treatment(options, pack) for pack in packs]
    targets = [request.canvas_target(options, pack, how) for pack, how in zip(packs, treatments, strict=True)]
    composed = await work.compose(segmented, targets, debug=options.debug)
    return [(how, composition, composed) for how, composition in zip(treatments, composed.compositions, strict=True)]


async def _validate_photo(work: Work, segmented: SegmentImageResponse) -> ValidateImageResponse:
    try:
        return await work.validate_photo(segmented.matte_png)
    except ServiceError as error:
        raise renamed_field(error, {"image": "photo"}) from None


async def _result(
    work: Work,
    facts: report.Facts,
    options: ProcessOptions,
    first: tuple[Treatment, Composition, ComposeImageResponse],
) -> MarketplaceResult:
    """The best packshot for one marketplace, and its report."""
    made, repairs = await _repaired(work, facts, options, await _made(work, facts, *first))
    written = report.of_packshot(
        facts,
        made.evaluation,
        made.validation,
        made.composition.placement,
        repairs,
        [*made.composed.findings, *made.composition.findings, *request.refusals(options, facts.pack)],
    )
    return MarketplaceResult(
        marketplace=facts.pack.id,
        images=made.composition.images,
        report=written,
        debug_images=_debug_images(made.composed, made.composition.target_id),
    )


async def _repaired(
    work: Work, facts: report.Facts, options: ProcessOptions, first: _Made
) -> tuple[_Made, list[Repair]]:
    """The best of the first packshot and at most two more, each made with what may cure its failed rules."""
    best = latest = first
    repairs: list[Repair] = []
    for _ in range(repair.MAX_ATTEMPTS):
        failures = report.curable(latest.evaluation)
        attempt = repair.next_attempt(latest.treatment, failures, fixed=request.fixed(options))
        if attempt is None:
            break
        target = request.canvas_target(options, facts.pack, attempt.treatment)
        tighten_px = attempt.treatment.tighten_px
        composed = await work.compose(facts.segmented, [target], tighten_px=tighten_px, debug=options.debug)
        (composition,) = composed.compositions
        latest = await _made(work, facts, attempt.treatment, composition, composed)
        tried = [failure.rule_id for failure in failures]
        cured = report.passed(latest.evaluation).issuperset(tried)
        repairs.append(Repair(rule_ids=tried, change=attempt.change, cured=cured))
        if latest.badness() < best.badness():
            best = latest
    return best, repairs


async def _made(
    work: Work,
    facts: report.Facts,
    treatment: Treatment,
    composition: Composition,
    composed: ComposeImageResponse,
) -> _Made:
    known = {
        "upscale_factor": composition.placement.upscale_factor,
        "source_touches_frame": float(facts.segmented.segmentation.touches_frame),
    }
    return _Made(treatment, composition, composed, await work.validate_packshot(facts.pack.id, composition, known))


def _count_verdicts(reports: Iterable[Report]) -> None:
    for written in reports:
        VERDICTS.labels(written.marketplace, Verdict.Name(written.verdict).removeprefix("VERDICT_").lower()).inc()


def _region(asked: ProcessOptions | CutOutImageRequest) -> BoundingBox | None:
    return asked.region_of_interest if asked.HasField("region_of_interest") else None


def _debug_images(composed: ComposeImageResponse, target_id: str) -> list[DebugImage]:
    """The pictures of the product and those of one canvas, without the canvas's name before theirs."""
    own = f"{target_id}/"
    return [
        DebugImage(name=image.name.removeprefix(own), png=image.png)
        for image in composed.debug_images
        if "/" not in image.name or image.name.startswith(own)
    ]


def _select_outputs(result: MarketplaceResult, wanted: Sequence[Output.ValueType]) -> None:
    """Keeps the images asked for, in the order asked for, and adds the report as JSON."""
    by_output = {image.output: image for image in result.images}
    if OUTPUT_REPORT_JSON in wanted:
        content = report_to_json(result.report).encode()
        by_output[OUTPUT_REPORT_JSON] = EncodedImage(output=OUTPUT_REPORT_JSON, content=content)
    selected = [by_output[output] for output in wanted if output in by_output]
    del result.images[:]
    result.images.extend(selected)
