"""The three stages as real gRPC servers that answer by script, for tests of what the gateway does with answers.

A method's script is a list of answers: the first call gets the first, and the last is for all calls after it. An
answer is a ServiceError to fail with, or a function from request to response, which may be async and take its time.
"""

import asyncio
import inspect
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from packshot.v1 import compositor_pb2_grpc, segmenter_pb2_grpc, validator_pb2_grpc
from packshot.v1.compositor_pb2 import (
    ComposeImageRequest,
    ComposeImageResponse,
    Composition,
    RenderCutoutRequest,
    RenderCutoutResponse,
)
from packshot.v1.image_pb2 import BACKGROUND_CLASS_SOLID, BoundingBox, Piece, Proposal, Segmentation
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, OUTPUT_TRANSPARENT_PNG, DebugImage, EncodedImage
from packshot.v1.report_pb2 import (
    RULE_STATUS_FAIL,
    RULE_STATUS_NOT_EVALUATED,
    RULE_STATUS_PASS,
    SEVERITY_ERROR,
    Measurement,
    Placement,
    RulePackVersion,
    RuleResult,
    RuleStatus,
    Severity,
)
from packshot.v1.rules_pb2 import (
    GetRulePackRequest,
    GetRulePackResponse,
    ListRulePacksRequest,
    ListRulePacksResponse,
    PackTarget,
    RulePack,
    VerdictThresholds,
)
from packshot.v1.segmenter_pb2 import (
    DescribeSegmenterRequest,
    DescribeSegmenterResponse,
    SegmentImageRequest,
    SegmentImageResponse,
)
from packshot.v1.validator_pb2 import Cure, EvaluatedRule, Evaluation, ValidateImageRequest, ValidateImageResponse
from services.common.errors import ServiceError, invalid_argument
from services.common.interceptors import REQUEST_ID_KEY, metadata_value, remaining_s

Context = grpc.aio.ServicerContext[Any, Any]
Answer = ServiceError | Callable[[Any], Message | Awaitable[Message]]

PHOTO: Final = b"a photo"
MATTE: Final = b"a matte"
MARKETPLACES: Final = ("amazon-us", "amazon-uk", "amazon-de")


@dataclass(frozen=True, slots=True)
class Received:
    """What a stage got."""

    request: Any
    request_id: str
    remaining_s: float | None


@dataclass
class Method:
    """One scripted method and the calls it got."""

    script: list[Answer]
    calls: list[Received] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0

    async def __call__(self, request: Message, context: Context) -> Any:
        answer = self.script[min(len(self.calls), len(self.script) - 1)]
        self.calls.append(Received(request, metadata_value(context, REQUEST_ID_KEY), remaining_s(context)))
        if isinstance(answer, ServiceError):
            await context.abort_with_status(rpc_status.to_status(answer.to_status()))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            response = answer(request)
            return await response if inspect.isawaitable(response) else response
        except ServiceError as error:
            await context.abort_with_status(rpc_status.to_status(error.to_status()))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


def after(seconds: float, answer: Callable[[Any], Message]) -> Answer:
    """The answer, but late."""

    async def late(request: Message) -> Message:
        await asyncio.sleep(seconds)
        return answer(request)

    return late


def segmentation(**changes: Any) -> Segmentation:
    """A product found beyond doubt."""
    found: dict[str, Any] = {
        "width_px": 400,
        "height_px": 300,
        "background_class": BACKGROUND_CLASS_SOLID,
        "pieces": [Piece(bounding_box=BoundingBox(x=100, y=50, width=200, height=200), area_share=0.3)],
        "agreement": 0.98,
        "expected_iou": 0.98,
        "proposals": [Proposal(name="classical", score=0.97, weight=1.0)],
        "model": "classical",
    }
    return Segmentation(**(found | changes))


def segmented(request: SegmentImageRequest) -> SegmentImageResponse:
    return SegmentImageResponse(matte_png=MATTE, segmentation=segmentation())


def composed(request: ComposeImageRequest) -> ComposeImageResponse:
    """A "JPEG" per target that says in words how it was made."""
    compositions = []
    for target in request.targets:
        made = f"{target.target_id} fill={target.fill_ratio:.2f} tighten={request.edge.tighten_px:g}"
        made += f" quality={target.jpeg_quality}"
        size = {"width_px": target.width_px, "height_px": target.height_px}
        images = [EncodedImage(output=OUTPUT_JPEG, content=made.encode(), **size)]
        if target.transparent_png:
            images.append(EncodedImage(output=OUTPUT_TRANSPARENT_PNG, content=f"png {made}".encode(), **size))
        compositions.append(
            Composition(
                target_id=target.target_id,
                images=images,
                matte_png=MATTE,
                placement=Placement(
                    canvas_width_px=target.width_px, canvas_height_px=target.height_px, scale=0.8, upscale_factor=0.8
                ),
            )
        )
    return ComposeImageResponse(compositions=compositions, debug_images=explained(request) if request.debug else ())


def explained(request: ComposeImageRequest) -> list[DebugImage]:
    """ "PNGs" that say in words which packshot they explain."""
    of_canvases = [(f"{target.target_id}/halo", target.target_id) for target in request.targets]
    named = [("matte", "the product"), *of_canvases]
    return [DebugImage(name=name, png=f"{what} tighten={request.edge.tighten_px:g}".encode()) for name, what in named]


def cut_out(request: RenderCutoutRequest) -> RenderCutoutResponse:
    return RenderCutoutResponse(png=b"a cutout")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's outcome in a scripted evaluation."""

    rule_id: str
    status: RuleStatus.ValueType = RULE_STATUS_PASS
    cure: Cure.ValueType = Cure.CURE_UNSPECIFIED
    minimum: float | None = None
    maximum: float | None = None
    severity: Severity.ValueType = SEVERITY_ERROR

    def message(self) -> EvaluatedRule:
        return EvaluatedRule(
            result=RuleResult(
                rule_id=self.rule_id,
                title=self.rule_id.replace("-", " "),
                status=self.status,
                severity=self.severity,
                measured="measured",
                action="do something",
            ),
            cure=self.cure,
            minimum=self.minimum,
            maximum=self.maximum,
        )


def evaluated(
    rules: Callable[[bytes], list[Rule]], measurements: Mapping[str, float] | None = None
) -> Callable[[ValidateImageRequest], ValidateImageResponse]:
    """A validator's answer from a function of the image to its rules' outcomes."""

    def answer(request: ValidateImageRequest) -> ValidateImageResponse:
        found = rules(request.image)
        return ValidateImageResponse(
            measurements=[
                Measurement(name=name, value=value) for name, value in (measurements or {"halo": 1.0}).items()
            ],
            evaluations=[
                Evaluation(
                    marketplace=name,
                    pack=RulePackVersion(id=name, version="1.0.0"),
                    as_of_date=request.as_of_date,
                    compliant=all(rule.status != RULE_STATUS_FAIL for rule in found),
                    not_evaluated_count=sum(rule.status == RULE_STATUS_NOT_EVALUATED for rule in found),
                    rules=[rule.message() for rule in found],
                )
                for name in request.marketplaces
            ],
        )

    return answer


def rule_pack(name: str) -> RulePack:
    return RulePack(
        id=name,
        categories=["electronics"],
        target=PackTarget(width_px=2000, height_px=2000, jpeg_quality=95, fill_ratio=0.87, keep_fill_from=0.85),
        verdict=VerdictThresholds(publish_at=0.8, reject_below=0.4),
    )


def got_rule_pack(request: GetRulePackRequest) -> GetRulePackResponse:
    if request.id not in MARKETPLACES:
        raise invalid_argument("id", "UNKNOWN_MARKETPLACE", f"no pack {request.id!r}")
    if request.category not in ("", "electronics"):
        raise invalid_argument("category", "UNKNOWN_CATEGORY", f"no category {request.category!r}")
    return GetRulePackResponse(pack=rule_pack(request.id))


def listed_rule_packs(request: ListRulePacksRequest) -> ListRulePacksResponse:
    return ListRulePacksResponse(packs=[rule_pack(name) for name in MARKETPLACES])


def described(request: DescribeSegmenterRequest) -> DescribeSegmenterResponse:
    return DescribeSegmenterResponse(proposers=["classical"], digest=f"sha256:{'0' * 64}")


class Segmenter(segmenter_pb2_grpc.SegmenterServiceServicer):
    def __init__(self) -> None:
        self.segment = Method([segmented])
        self.describe = Method([described])

    async def SegmentImage(self, request: SegmentImageRequest, context: Context) -> Any:  # noqa: N802
        return await self.segment(request, context)

    async def DescribeSegmenter(self, request: DescribeSegmenterRequest, context: Context) -> Any:  # noqa: N802
        return await self.describe(request, context)


class Compositor(compositor_pb2_grpc.CompositorServiceServicer):
    def __init__(self) -> None:
        self.compose = Method([composed])
        self.cut_out = Method([cut_out])

    async def ComposeImage(self, request: ComposeImageRequest, context: Context) -> Any:  # noqa: N802
        return await self.compose(request, context)

    async def RenderCutout(self, request: RenderCutoutRequest, context: Context) -> Any:  # noqa: N802
        return await self.cut_out(request, context)


class Validator(validator_pb2_grpc.ValidatorServiceServicer):
    def __init__(self) -> None:
        self.validate = Method([evaluated(lambda image: [Rule("white-background")])])
        self.get_pack = Method([got_rule_pack])
        self.list_packs = Method([listed_rule_packs])

    async def ValidateImage(self, request: ValidateImageRequest, context: Context) -> Any:  # noqa: N802
        return await self.validate(request, context)

    async def GetRulePack(self, request: GetRulePackRequest, context: Context) -> Any:  # noqa: N802
        try:
            return await self.get_pack(request, context)
        except ServiceError as error:
            await context.abort_with_status(rpc_status.to_status(error.to_status()))

    async def ListRulePacks(self, request: ListRulePacksRequest, context: Context) -> Any:  # noqa: N802
        return await self.list_packs(request, context)


class Stages:
    """The three stages, each on its own unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segmenter = Segmenter()
        self.compositor = Compositor()
        self.validator = Validator()
        self._servers: dict[str, grpc.aio.Server] = {}

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        # A short path: a unix socket's may have 107 characters at the most.
        folder = tempfile.mkdtemp(prefix="stages-")
        stages = cls(Path(folder))
        for name in ("segmenter", "compositor", "validator"):
            await stages.start(name)
        try:
            yield stages
        finally:
            for name in list(stages._servers):
                await stages.stop(name)
            shutil.rmtree(folder)

    def address(self, name: str) -> str:
        return f"unix:{self.folder / name}"

    async def start(self, name: str) -> None:
        server = self._servers[name] = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
        segmenter_pb2_grpc.add_SegmenterServiceServicer_to_server(self.segmenter, server)
        compositor_pb2_grpc.add_CompositorServiceServicer_to_server(self.compositor, server)
        validator_pb2_grpc.add_ValidatorServiceServicer_to_server(self.validator, server)
        answers = health.aio.HealthServicer()
        await answers.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(answers, server)
        server.add_insecure_port(self.address(name))
        await server.start()

    async def stop(self, name: str) -> None:
        await self._servers.pop(name).stop(0)
