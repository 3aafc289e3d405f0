"""The stage calls of one photo: timed, with its scope, errors in the words of the caller's request."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

from packshot.v1.compositor_pb2 import (
    CanvasTarget,
    ComposeImageRequest,
    ComposeImageResponse,
    Composition,
    EdgeTreatment,
    RenderCutoutRequest,
    RenderCutoutResponse,
)
from packshot.v1.image_pb2 import BoundingBox, PointHint, StageTiming
from packshot.v1.rules_pb2 import GetRulePackRequest, RulePack
from packshot.v1.segmenter_pb2 import SegmentImageRequest, SegmentImageResponse
from packshot.v1.validator_pb2 import ValidateImageRequest, ValidateImageResponse
from services.common.errors import ServiceError
from services.gateway.request import Scope
from services.gateway.stages import Call, Stages, renamed_field


class Work:
    """One photo's.

    Args:
        stages: The stages' clients.
        call: Deadline, request id and tenant.
        photo: The bytes that came in.
        scope: Which rules apply.
        prefix: Where the scope's fields stand in the caller's request, e.g. "options.".
    """

    def __init__(self, stages: Stages, call: Call, photo: bytes, scope: Scope, prefix: str = "") -> None:
        self._stages = stages
        self._call = call
        self._photo = photo
        self._scope = scope
        self._prefix = prefix
        self._timings: dict[str, float] = {}

    def timings(self) -> list[StageTiming]:
        """How long each stage took so far, all its calls together."""
        return [StageTiming(stage=name, duration_ms=round(ms, 1)) for name, ms in self._timings.items()]

    async def packs(self) -> list[RulePack]:
        """All packs before any work on pixels: an unknown marketplace or category costs nothing."""
        packs = []
        for index, marketplace in enumerate(self._scope.marketplaces):
            wanted = GetRulePackRequest(id=marketplace, category=self._scope.category)
            try:
                packs.append(await self._stages.rule_pack(self._call, wanted))
            except ServiceError as error:
                names = {"id": f"{self._prefix}marketplaces[{index}]", "category": f"{self._prefix}category"}
                raise renamed_field(error, names) from None
        return packs

    async def segment(self, region: BoundingBox | None, points: Sequence[PointHint] = ()) -> SegmentImageResponse:
        """Where the product is in the photo."""
        async with self._timed("segmenter"):
            wanted = SegmentImageRequest(photo=self._photo, region_of_interest=region, points=points)
            try:
                return await self._stages.segment(self._call, wanted)
            except ServiceError as error:
                fields = ("region_of_interest", *(f"points[{index}]" for index in range(len(points))))
                raise renamed_field(error, {field: f"{self._prefix}{field}" for field in fields}) from None

    async def compose(
        self,
        segmented: SegmentImageResponse,
        targets: Sequence[CanvasTarget],
        *,
        tighten_px: float = 0.0,
        debug: bool = False,
    ) -> ComposeImageResponse:
        """The product on every target's canvas, with the pictures that explain it if asked for."""
        async with self._timed("compositor"):
            wanted = ComposeImageRequest(
                photo=self._photo,
                matte_png=segmented.matte_png,
                edge=EdgeTreatment(tighten_px=tighten_px),
                targets=targets,
                uncertainty_png=segmented.uncertainty_png,
                traits=segmented.segmentation.traits,
                debug=debug,
            )
            return await self._stages.compose(self._call, wanted)

    async def cut_out(self, segmented: SegmentImageResponse, *, keep_background: bool) -> RenderCutoutResponse:
        """The product with transparency."""
        async with self._timed("compositor"):
            wanted = RenderCutoutRequest(
                photo=self._photo,
                matte_png=segmented.matte_png,
                keep_background=keep_background,
                uncertainty_png=segmented.uncertainty_png,
                traits=segmented.segmentation.traits,
            )
            return await self._stages.cut_out(self._call, wanted)

    async def validate_photo(self, matte_png: bytes = b"", *, patient: bool = True) -> ValidateImageResponse:
        """The photo as it came, for every marketplace of the scope."""
        return await self._validate(self._scope.marketplaces, self._photo, matte_png, {}, patient)

    async def validate_packshot(
        self, marketplace: str, composition: Composition, known: Mapping[str, float]
    ) -> ValidateImageResponse:
        """A packshot, for its marketplace; `known` are measurements the file cannot show."""
        try:
            return await self._validate(
                (marketplace,), composition.images[0].content, composition.matte_png, known, patient=True
            )
        except ServiceError as error:
            # The caller sent no packshot: a field of it would be a riddle.
            raise ServiceError(error.code, error.reason, error.message, (), error.metadata) from error

    async def _validate(
        self, marketplaces: Sequence[str], image: bytes, matte_png: bytes, known: Mapping[str, float], patient: bool
    ) -> ValidateImageResponse:
        wanted = ValidateImageRequest(
            image=image,
            matte_png=matte_png,
            marketplaces=marketplaces,
            category=self._scope.category,
            as_of_date=self._scope.as_of_date,
            known=known,
        )
        async with self._timed("validator"):
            try:
                return await self._stages.validate(self._call, wanted, patient=patient)
            except ServiceError as error:
                names = {name: f"{self._prefix}{name}" for name in ("category", "as_of_date")}
                names |= {
                    f"marketplaces[{index}]": f"{self._prefix}marketplaces[{index}]"
                    for index in range(len(marketplaces))
                }
                raise renamed_field(error, names) from None

    @asynccontextmanager
    async def _timed(self, stage: str) -> AsyncIterator[None]:
        started = perf_counter()
        try:
            yield
        finally:
            self._timings[stage] = self._timings.get(stage, 0.0) + (perf_counter() - started) * 1000
