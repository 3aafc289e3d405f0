"""One photo's way through the stages: segment, compose, validate, repair what can be repaired, report."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter

from packshot.report import report_to_json
from packshot.v1.compositor_pb2 import (
    CanvasTarget,
    ComposeImageRequest,
    Composition,
    EdgeTreatment,
    RenderCutoutRequest,
)
from packshot.v1.image_pb2 import BoundingBox, StageTiming
from packshot.v1.packshot_pb2 import (
    OUTPUT_REPORT_JSON,
    CheckImageRequest,
    CheckImageResponse,
    CutOutImageRequest,
    CutOutImageResponse,
    EncodedImage,
    MarketplaceResult,
    Output,
    ProcessImageResponse,
    ProcessOptions,
)
from packshot.v1.report_pb2 import Repair
from packshot.v1.rules_pb2 import GetRulePackRequest, RulePack
from packshot.v1.segmenter_pb2 import SegmentImageRequest, SegmentImageResponse
from packshot.v1.validator_pb2 import Evaluation, ValidateImageRequest, ValidateImageResponse
from services.common.bus import Bus
from services.common.errors import ServiceError
from services.gateway import repair, report, request
from services.gateway.events import PhotoEvents
from services.gateway.repair import Treatment
from services.gateway.request import Scope
from services.gateway.stages import Call, Stages, renamed_field


@dataclass(frozen=True, slots=True)
class _Made:
    """A packshot with what it was made with and what the validator says."""

    treatment: Treatment
    composition: Composition
    validation: ValidateImageResponse
    repairs: tuple[Repair, ...] = ()

    @property
    def evaluation(self) -> Evaluation:
        return self.validation.evaluations[0]

    def badness(self) -> tuple[int, int]:
        """Orders attempts: first by rules that failed or could not be evaluated, then by warnings."""
        return report.count_unmet(self.evaluation)


@dataclass
class _Clock:
    """How long each stage took for this photo."""

    timings: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def stage(self, name: str) -> AsyncIterator[None]:
        started = perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + (perf_counter() - started) * 1000

    def messages(self) -> list[StageTiming]:
        return [StageTiming(stage=name, duration_ms=round(ms, 1)) for name, ms in self.timings.items()]


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

    async def check(self, call: Call, image: CheckImageRequest) -> CheckImageResponse:
        """Reports on an image as it is."""
        scope = self._scope(image.marketplaces, image.category, image.as_of_date, prefix="")
        clock = _Clock()
        async with clock.stage("validator"):
            # The only stage of this call: nothing is thrown away when an overloaded validator refuses.
            validation = await self._validate(call, scope, image.image, prefix="", patient=False)
        return CheckImageResponse(
            request_id=call.request_id,
            reports=[
                report.of_checked_image(scope, evaluation, validation, clock.messages())
                for evaluation in validation.evaluations
            ],
        )

    async def cut_out(self, call: Call, asked: CutOutImageRequest) -> CutOutImageResponse:
        """The product with transparency, where it is in the photo."""
        clock = _Clock()
        segmented = await self._segment(call, clock, asked.photo, _region(asked))
        async with clock.stage("compositor"):
            cutout = await self._stages.cut_out(
                call,
                RenderCutoutRequest(
                    photo=asked.photo, matte_png=segmented.matte_png, keep_background=asked.keep_background
                ),
            )
        return CutOutImageResponse(
            request_id=call.request_id,
            png=cutout.png,
            segmentation=segmented.segmentation,
            confidence=report.confidence_of_cutout(segmented.segmentation),
            warnings=segmented.warnings,
            timings=clock.messages(),
        )

    async def _process(
        self, call: Call, photo: bytes, options: ProcessOptions, events: PhotoEvents
    ) -> ProcessImageResponse:
        clock = _Clock()
        scope = self._scope(options.marketplaces, options.category, options.as_of_date, prefix="options.")
        packs = await self._packs(call, scope)
        events.received()
        segmented = await self._segment(call, clock, photo, _region(options))
        events.segmented()
        treatments = [request.first_treatment(options, pack) for pack in packs]
        if segmented.segmentation.pieces:
            # The photo itself is measured meanwhile: a rule it breaks and the packshot keeps was auto-corrected.
            (compositions, on_photo) = await asyncio.gather(
                self._compose(call, clock, photo, segmented, options, packs, treatments),
                self._validate_photo(call, clock, scope, photo, segmented),
            )
            events.composed()
        else:
            compositions, on_photo = [], await self._validate_photo(call, clock, scope, photo, segmented)
        results = []
        for index, pack in enumerate(packs):
            facts = report.Facts(scope, pack, segmented, on_photo, on_photo.evaluations[index])
            if not compositions:
                results.append(MarketplaceResult(marketplace=pack.id, report=report.without_product(facts)))
                continue
            made = await self._first(call, clock, scope, pack, treatments[index], compositions[index])
            made = await self._repaired(call, clock, scope, photo, segmented, options, pack, made)
            written = report.of_packshot(
                facts, made.evaluation, made.validation, made.composition.placement, made.repairs
            )
            results.append(MarketplaceResult(marketplace=pack.id, images=made.composition.images, report=written))
        events.validated(result.report for result in results)
        for result in results:
            result.report.timings.extend(clock.messages())
            _select_outputs(result, request.outputs(options))
        events.completed(result.report for result in results)
        return ProcessImageResponse(request_id=call.request_id, results=results)

    async def _first(
        self, call: Call, clock: _Clock, scope: Scope, pack: RulePack, treatment: Treatment, composition: Composition
    ) -> _Made:
        return _Made(treatment, composition, await self._validate_packshot(call, clock, scope, pack, composition))

    async def _repaired(
        self,
        call: Call,
        clock: _Clock,
        scope: Scope,
        photo: bytes,
        segmented: SegmentImageResponse,
        options: ProcessOptions,
        pack: RulePack,
        first: _Made,
    ) -> _Made:
        """The best of the first packshot and at most two more, each with what failed rules can be cured by."""
        best = latest = first
        repairs: list[Repair] = []
        for _ in range(repair.MAX_ATTEMPTS):
            failures = report.curable(latest.evaluation)
            attempt = repair.next_attempt(latest.treatment, failures, fill_is_fixed=request.fill_is_fixed(options))
            if attempt is None:
                break
            composed = await self._compose(call, clock, photo, segmented, options, [pack], [attempt.treatment])
            latest = await self._first(call, clock, scope, pack, attempt.treatment, composed[0])
            tried = [failure.rule_id for failure in failures]
            cured = report.passed(latest.evaluation).issuperset(tried)
            repairs.append(Repair(rule_ids=tried, change=attempt.change, cured=cured))
            if latest.badness() < best.badness():
                best = latest
        return _Made(best.treatment, best.composition, best.validation, tuple(repairs))

    def _scope(self, marketplaces: Sequence[str], category: str, as_of_date: str, *, prefix: str) -> Scope:
        return request.scope(
            marketplaces, category, as_of_date, default_marketplace=self._default_marketplace, prefix=prefix
        )

    async def _packs(self, call: Call, scope: Scope) -> list[RulePack]:
        """All packs before any work on pixels: an unknown marketplace or category costs nothing."""
        packs = []
        for index, marketplace in enumerate(scope.marketplaces):
            wanted = GetRulePackRequest(id=marketplace, category=scope.category)
            try:
                packs.append(await self._stages.rule_pack(call, wanted))
            except ServiceError as error:
                names = {"id": f"options.marketplaces[{index}]", "category": "options.category"}
                raise renamed_field(error, names) from None
        return packs

    async def _segment(
        self, call: Call, clock: _Clock, photo: bytes, region: BoundingBox | None
    ) -> SegmentImageResponse:
        async with clock.stage("segmenter"):
            return await self._stages.segment(call, SegmentImageRequest(photo=photo, region_of_interest=region))

    async def _compose(
        self,
        call: Call,
        clock: _Clock,
        photo: bytes,
        segmented: SegmentImageResponse,
        options: ProcessOptions,
        packs: Sequence[RulePack],
        treatments: Sequence[Treatment],
    ) -> list[Composition]:
        """One canvas per pack. All of one call share the edge treatment."""
        targets: list[CanvasTarget] = [
            request.canvas_target(options, pack, treatment) for pack, treatment in zip(packs, treatments, strict=True)
        ]
        async with clock.stage("compositor"):
            response = await self._stages.compose(
                call,
                ComposeImageRequest(
                    photo=photo,
                    matte_png=segmented.matte_png,
                    edge=EdgeTreatment(tighten_px=treatments[0].tighten_px),
                    targets=targets,
                ),
            )
        return list(response.compositions)

    async def _validate_photo(
        self, call: Call, clock: _Clock, scope: Scope, photo: bytes, segmented: SegmentImageResponse
    ) -> ValidateImageResponse:
        async with clock.stage("validator"):
            try:
                return await self._validate(call, scope, photo, segmented.matte_png)
            except ServiceError as error:
                raise renamed_field(error, {"image": "photo"}) from None

    async def _validate_packshot(
        self, call: Call, clock: _Clock, scope: Scope, pack: RulePack, composition: Composition
    ) -> ValidateImageResponse:
        async with clock.stage("validator"):
            return await self._validate(
                call,
                Scope((pack.id,), scope.category, scope.as_of_date),
                composition.images[0].content,
                composition.matte_png,
                {"upscale_factor": composition.placement.upscale_factor},
            )

    async def _validate(
        self,
        call: Call,
        scope: Scope,
        image: bytes,
        matte_png: bytes = b"",
        known: dict[str, float] | None = None,
        prefix: str = "options.",
        patient: bool = True,
    ) -> ValidateImageResponse:
        wanted = ValidateImageRequest(
            image=image,
            matte_png=matte_png,
            marketplaces=scope.marketplaces,
            category=scope.category,
            as_of_date=scope.as_of_date,
            known=known or {},
        )
        try:
            return await self._stages.validate(call, wanted, patient=patient)
        except ServiceError as error:
            names = {f"marketplaces[{i}]": f"{prefix}marketplaces[{i}]" for i in range(len(scope.marketplaces))}
            raise renamed_field(error, {**names, "category": f"{prefix}category"}) from None


def _region(asked: ProcessOptions | CutOutImageRequest) -> BoundingBox | None:
    return asked.region_of_interest if asked.HasField("region_of_interest") else None


def _select_outputs(result: MarketplaceResult, wanted: Sequence[Output.ValueType]) -> None:
    """Keeps the images asked for, in the order asked for, and adds the report as JSON."""
    by_output = {image.output: image for image in result.images}
    if OUTPUT_REPORT_JSON in wanted:
        content = report_to_json(result.report).encode()
        by_output[OUTPUT_REPORT_JSON] = EncodedImage(output=OUTPUT_REPORT_JSON, content=content)
    selected = [by_output[output] for output in wanted if output in by_output]
    del result.images[:]
    result.images.extend(selected)
