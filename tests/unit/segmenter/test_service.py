"""The servicer: photo bytes in, messages out."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import grpc
import numpy as np
import pytest

from bench.scoring import iou
from packshot.v1 import image_pb2
from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.segmenter_pb2 import DescribeSegmenterRequest, SegmentImageRequest, SegmentImageResponse
from services.common.errors import ServiceError
from services.common.executor import BoundedExecutor
from services.common.photo import decode_matte, encode_png
from services.segmenter.classical import ClassicalProposer
from services.segmenter.description import describe
from services.segmenter.service import SegmenterServicer
from tests.helpers import scenes
from tests.helpers.product_photos import blank_jpeg, mug_cutout_png, mug_jpeg, mug_matte

NO_CONTEXT = cast("grpc.aio.ServicerContext[Any, Any]", None)  # the servicer does not use it

DESCRIPTION = describe({"classical": ""})


@pytest.fixture
async def servicer() -> AsyncIterator[SegmenterServicer]:
    executor = BoundedExecutor(1, 4)
    yield SegmenterServicer([ClassicalProposer()], executor, DESCRIPTION)
    await executor.close()


async def segmented(
    servicer: SegmenterServicer, photo: bytes, region: BoundingBox | None = None, points: Sequence[PointHint] = ()
) -> SegmentImageResponse:
    request = SegmentImageRequest(photo=photo, region_of_interest=region, points=points)
    return await servicer.SegmentImage(request, NO_CONTEXT)


async def test_a_photo_gets_a_matte_and_a_description(servicer: SegmenterServicer) -> None:
    response = await segmented(servicer, mug_jpeg())
    assert iou(decode_matte(response.matte_png) >= 0.5, mug_matte() >= 0.5) >= 0.98
    found = response.segmentation
    assert (found.width_px, found.height_px) == (640, 640)
    assert found.background_class == image_pb2.BACKGROUND_CLASS_GRADIENT
    assert found.background_color.startswith("#")
    assert found.model == "classical"
    assert len(found.pieces) == 1
    box = found.pieces[0].bounding_box
    assert abs(box.x - 180) <= 3
    assert abs(box.y - 170) <= 3
    assert 0 < found.soft_share < 0.05
    assert not response.warnings


async def test_a_cutout_keeps_its_own_alpha(servicer: SegmenterServicer) -> None:
    response = await segmented(servicer, mug_cutout_png())
    assert response.segmentation.background_class == image_pb2.BACKGROUND_CLASS_TRANSPARENT
    assert response.segmentation.model == "alpha"
    assert np.abs(decode_matte(response.matte_png) - mug_matte()).max() <= 1 / 255


async def test_a_blank_photo_is_answered_with_a_warning(servicer: SegmenterServicer) -> None:
    response = await segmented(servicer, blank_jpeg())
    assert [warning.code for warning in response.warnings] == ["NO_PRODUCT_FOUND"]
    assert not decode_matte(response.matte_png).any()


async def test_a_region_that_leaves_the_photo_is_cut_to_it(servicer: SegmenterServicer) -> None:
    photo = encode_png(scenes.photograph(scenes.DISC, scenes.GREY).photo)
    response = await segmented(servicer, photo, BoundingBox(x=240, y=60, width=5000, height=5000))
    matte = decode_matte(response.matte_png)
    assert not matte[:, :240].any()
    assert matte[200, 300] == 1


async def test_a_region_outside_the_photo_names_the_field(servicer: SegmenterServicer) -> None:
    with pytest.raises(ServiceError, match="640, 0, outside the upright photo of 640 × 640 px") as caught:
        await segmented(servicer, blank_jpeg(), BoundingBox(x=640, y=0, width=5, height=5))
    assert caught.value.reason == "REGION_OUTSIDE_PHOTO"
    assert [violation.field for violation in caught.value.violations] == ["region_of_interest"]


async def test_the_matte_follows_points(servicer: SegmenterServicer) -> None:
    points = [PointHint(x=320, y=300, include=True), PointHint(x=20, y=600), PointHint(x=40, y=40, include=True)]
    matte = decode_matte((await segmented(servicer, mug_jpeg(), points=points)).matte_png) >= 0.5
    assert [bool(matte[point.y, point.x]) for point in points] == [True, False, True]


async def test_without_points_nothing_changes(servicer: SegmenterServicer) -> None:
    agreeing = [PointHint(x=320, y=300, include=True)]
    plain, same = await segmented(servicer, mug_jpeg()), await segmented(servicer, mug_jpeg(), points=agreeing)
    assert plain == same


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (PointHint(x=640, y=0), "POINT_OUTSIDE_PHOTO"),
        (PointHint(x=600, y=5, include=True), "POINT_OUTSIDE_REGION"),
    ],
)
async def test_a_point_that_cannot_be_meant_is_named(
    servicer: SegmenterServicer, point: PointHint, reason: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        region = BoundingBox(x=0, y=0, width=500, height=640)
        await segmented(servicer, mug_jpeg(), region, [PointHint(x=320, y=300, include=True), point])
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert [violation.field for violation in caught.value.violations] == ["points[1]"]


async def test_bytes_that_are_no_photo_name_the_field(servicer: SegmenterServicer) -> None:
    with pytest.raises(ServiceError) as caught:
        await segmented(servicer, b"not a photo")
    assert caught.value.reason == "PHOTO_NOT_AN_IMAGE"
    assert [violation.field for violation in caught.value.violations] == ["photo"]


async def test_it_says_what_it_segments_with(servicer: SegmenterServicer) -> None:
    answer = await servicer.DescribeSegmenter(DescribeSegmenterRequest(), NO_CONTEXT)
    assert list(answer.proposers) == ["classical"]
    assert answer.digest == DESCRIPTION.digest
