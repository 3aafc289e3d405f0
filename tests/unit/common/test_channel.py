import grpc
import pytest

from packshot.v1 import segmenter_pb2_grpc
from packshot.v1.segmenter_pb2 import SegmentImageRequest
from services.common.channel import open_channel
from services.common.errors import ServiceError
from tests.helpers.stages import PHOTO, Stages, segmented
from tests.helpers.tiny_service import running_tiny


async def test_a_proxy_for_the_internet_gets_no_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with running_tiny() as tiny, open_channel(tiny.server.address) as channel:
        stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)
        await stub.SegmentImage(SegmentImageRequest(photo=b"hello"))


async def test_large_photos_are_retried_too() -> None:
    """By default gRPC keeps no more than 256 KiB of a call for a retry."""
    async with Stages.running() as stages:
        away = ServiceError(grpc.StatusCode.UNAVAILABLE, "STOPPING", "another replica please")
        stages.segmenter.segment.script = [away, segmented]
        async with open_channel(stages.address("segmenter")) as channel:
            stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)
            await stub.SegmentImage(SegmentImageRequest(photo=PHOTO * 2**20))
        assert [len(call.request.photo) for call in stages.segmenter.segment.calls] == [len(PHOTO) * 2**20] * 2
