"""The segmenter's servicer: proto to domain and back."""

from collections.abc import Sequence
from typing import Any, Final

import grpc

from packshot.v1 import image_pb2, segmenter_pb2_grpc
from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.segmenter_pb2 import (
    DescribeSegmenterRequest,
    DescribeSegmenterResponse,
    SegmentImageRequest,
    SegmentImageResponse,
)
from services.common.errors import ServiceError, invalid_argument, unusable_photo
from services.common.executor import BoundedExecutor
from services.common.photo import Decode, PhotoError, PhotoWarning, decode_photo, encode_matte
from services.common.telemetry.steps import step
from services.segmenter.background import BackgroundKind
from services.segmenter.description import Description
from services.segmenter.model import ModelDeadlineError, ModelUnavailableError
from services.segmenter.points import PointError
from services.segmenter.proposal import Point, Proposer, Refiner, SegmentationWarning
from services.segmenter.segmentation import Segmentation, segment
from services.segmenter.softness import soft_share
from services.segmenter.traits import Trait

_BACKGROUNDS: Final = {
    BackgroundKind.SOLID: image_pb2.BACKGROUND_CLASS_SOLID,
    BackgroundKind.GRADIENT: image_pb2.BACKGROUND_CLASS_GRADIENT,
    BackgroundKind.PATTERN: image_pb2.BACKGROUND_CLASS_PATTERN,
    BackgroundKind.SCENE: image_pb2.BACKGROUND_CLASS_SCENE,
    BackgroundKind.TRANSPARENT: image_pb2.BACKGROUND_CLASS_TRANSPARENT,
}
_TRAITS: Final = {
    Trait.TRANSPARENT: image_pb2.TRAIT_TRANSPARENT,
    Trait.HAIRY: image_pb2.TRAIT_HAIRY,
    Trait.REFLECTIVE: image_pb2.TRAIT_REFLECTIVE,
    Trait.MULTI_PIECE: image_pb2.TRAIT_MULTI_PIECE,
    Trait.WHITE_ON_WHITE: image_pb2.TRAIT_WHITE_ON_WHITE,
    Trait.WORN_OR_HELD: image_pb2.TRAIT_WORN_OR_HELD,
}
_RETRY_AFTER_S: Final = 1.0


class SegmenterServicer(segmenter_pb2_grpc.SegmenterServiceServicer):
    """SegmenterService over the proposers and what refines their answer."""

    def __init__(
        self,
        proposers: Sequence[Proposer],
        executor: BoundedExecutor,
        description: Description,
        refiner: Refiner | None = None,
        decode: Decode = decode_photo,
    ) -> None:
        self._proposers = proposers
        self._executor = executor
        self._description = description
        self._refiner = refiner
        self._decode = decode

    async def SegmentImage(
        self, request: SegmentImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> SegmentImageResponse:
        return await self._executor.run(self._segment, request)

    async def DescribeSegmenter(
        self, request: DescribeSegmenterRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> DescribeSegmenterResponse:
        return DescribeSegmenterResponse(proposers=self._description.proposers, digest=self._description.digest)

    def _segment(self, request: SegmentImageRequest) -> SegmentImageResponse:
        try:
            with step("decode"):
                photo = self._decode(request.photo)
        except PhotoError as error:
            raise unusable_photo("photo", error) from error
        roi = None
        if request.HasField("region_of_interest"):
            roi = _region(request.region_of_interest, photo.image.shape[:2])
        try:
            with step("segment"):
                segmentation = segment(
                    photo.image,
                    alpha=photo.alpha,
                    roi=roi,
                    points=[Point(point.y, point.x, point.include) for point in request.points],
                    proposers=self._proposers,
                    refiner=self._refiner,
                )
        except PointError as error:
            raise invalid_argument(f"points[{error.index}]", error.reason, str(error)) from error
        except ModelUnavailableError as error:
            code = grpc.StatusCode.UNAVAILABLE
            raise ServiceError(code, "MODEL_UNAVAILABLE", str(error), retry_after_s=_RETRY_AFTER_S) from error
        except ModelDeadlineError as error:
            raise ServiceError(grpc.StatusCode.DEADLINE_EXCEEDED, "MODEL_DEADLINE_EXCEEDED", str(error)) from error
        warnings: list[PhotoWarning | SegmentationWarning] = [*photo.warnings, *segmentation.warnings]
        with step("encode"):
            return SegmentImageResponse(
                matte_png=encode_matte(segmentation.matte),
                uncertainty_png=encode_matte(segmentation.undecided),
                segmentation=_message(segmentation),
                warnings=[image_pb2.Warning(code=warning.code, message=warning.message) for warning in warnings],
            )


def _region(box: BoundingBox, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The region as (top, left, bottom, right), cut to the photo."""
    height, width = shape[:2]
    if box.x >= width or box.y >= height:
        raise invalid_argument(
            "region_of_interest",
            "REGION_OUTSIDE_PHOTO",
            f"it starts at {box.x}, {box.y}, outside the upright photo of {width} × {height} px",
        )
    return box.y, box.x, min(box.y + box.height, height), min(box.x + box.width, width)


def _message(segmentation: Segmentation) -> image_pb2.Segmentation:
    height, width = segmentation.matte.shape
    red, green, blue = (round(float(value)) for value in segmentation.background.color_rgb)
    used = [proposal.name for proposal in segmentation.proposals if proposal.weight > 0]
    return image_pb2.Segmentation(
        width_px=width,
        height_px=height,
        background_class=_BACKGROUNDS[segmentation.background.kind],
        background_color=f"#{red:02x}{green:02x}{blue:02x}",
        traits=sorted(_TRAITS[trait] for trait in segmentation.traits),
        pieces=[
            image_pb2.Piece(
                bounding_box=BoundingBox(
                    x=piece.left, y=piece.top, width=piece.right - piece.left, height=piece.bottom - piece.top
                ),
                area_share=piece.area_share,
            )
            for piece in segmentation.pieces
        ],
        agreement=segmentation.agreement,
        expected_iou=segmentation.expected_iou,
        proposals=[
            image_pb2.Proposal(name=proposal.name, score=proposal.score, weight=proposal.weight)
            for proposal in segmentation.proposals
        ],
        model="+".join(used),
        touches_frame=segmentation.touches_frame,
        soft_share=soft_share(segmentation.matte),
    )
