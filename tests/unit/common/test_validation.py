import math

import grpc
import pytest
from google.protobuf.message import Message

from packshot.v1.compositor_pb2 import EdgeTreatment
from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.packshot_pb2 import (
    CanvasOptions,
    LayoutOptions,
    PhotoChunk,
    ProcessImageRequest,
    ProcessImagesRequest,
    ProcessOptions,
    StreamItem,
)
from services.common.errors import ServiceError
from services.common.validation import check


def refusal(message: Message) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        check(message)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.reason == "INVALID_FIELD"
    return caught.value


def with_options(options: ProcessOptions) -> ProcessImageRequest:
    return ProcessImageRequest(photo=b"photo", options=options)


def test_a_right_request_passes() -> None:
    check(with_options(ProcessOptions(marketplaces=["amazon-us"], category="home-kitchen", as_of_date="2026-01-31")))


@pytest.mark.parametrize(
    ("message", "field", "says"),
    [
        (ProcessImageRequest(), "photo", "at least 1 byte"),
        (ProcessImageRequest(photo=bytes(20 * 2**20 + 1)), "photo", "at most 20971520 bytes"),
        (ProcessImageRequest(photo=b"p", request_id="a b"), "request_id", "pattern"),
        (with_options(ProcessOptions(marketplaces=["amazon-us", "Mars"])), "options.marketplaces[1]", "pattern"),
        (with_options(ProcessOptions(marketplaces=["a", "a"])), "options.marketplaces", "unique"),
        (with_options(ProcessOptions(outputs=[1, 99])), "options.outputs[1]", "defined enum"),  # type: ignore[list-item]
        (with_options(ProcessOptions(as_of_date="yesterday")), "options.as_of_date", "pattern"),
        (with_options(ProcessOptions(canvas=CanvasOptions(width_px=63))), "options.canvas.width_px", "64"),
        (with_options(ProcessOptions(layout=LayoutOptions(margin=0.5))), "options.layout.margin", "0.475"),
        (
            with_options(ProcessOptions(region_of_interest=BoundingBox(x=0, y=0, width=0, height=5))),
            "options.region_of_interest.width",
            "greater than or equal to 1",
        ),
        (ProcessImagesRequest(), "message", "exactly one field is required"),
        (ProcessImagesRequest(item=StreamItem(item_id="")), "item.item_id", "pattern"),
        (ProcessImagesRequest(chunk=PhotoChunk(item_id="a", data=bytes(2**20 + 1))), "chunk.data", "1048576 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_field_is_named_by_its_path_with_the_limit(message: Message, field: str, says: str) -> None:
    error = refusal(message)
    assert [violation.field for violation in error.violations] == [field]
    assert says in error.violations[0].description
    assert error.message == f"{field}: {error.violations[0].description}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    assert refusal(EdgeTreatment(tighten_px=value)).violations[0].field == "tighten_px"
    error = refusal(with_options(ProcessOptions(layout=LayoutOptions(fill_ratio=value))))
    assert error.violations[0].field == "options.layout.fill_ratio"


def test_zero_means_unset_on_the_canvas() -> None:
    check(with_options(ProcessOptions(canvas=CanvasOptions(width_px=0, jpeg_quality=0))))


def test_all_wrong_fields_are_named_together() -> None:
    error = refusal(ProcessImageRequest(request_id="!", options=ProcessOptions(category="!")))
    assert {violation.field for violation in error.violations} == {"photo", "request_id", "options.category"}


def test_a_thousand_wrong_fields_still_fit_in_a_trailer() -> None:
    error = refusal(with_options(ProcessOptions(marketplaces=["NOT-A-PACK"] * 1000)))
    assert len(error.violations) == 8
    assert error.message.endswith("more")
    # The details travel in base64 beside the message; gRPC refuses more than 8 KiB of both.
    assert len(error.to_status().SerializeToString()) * 4 / 3 + len(error.message) < 8192
