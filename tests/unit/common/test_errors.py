from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import (
    FieldViolation,
    ServiceError,
    from_rpc_error,
    from_status,
    internal,
    invalid_argument,
    unusable_photo,
)
from services.common.photo_error import PhotoError
from tests.helpers.tiny_service import REFUSAL, running_tiny

texts = st.text(max_size=20)
codes = st.sampled_from([code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])


@given(
    st.builds(
        ServiceError,
        codes,
        st.from_regex(r"[A-Z][A-Z_]{0,20}", fullmatch=True),
        texts,
        st.lists(st.builds(FieldViolation, texts, texts), max_size=3).map(tuple),
        st.dictionaries(texts, texts, max_size=3),
        st.none() | st.integers(0, 10_000).map(lambda ms: ms / 1000),
    )
)
def test_an_error_survives_the_wire(error: ServiceError) -> None:
    again = from_status(status_pb2.Status.FromString(error.to_status().SerializeToString()))
    assert _parts(again) == _parts(error)


def _parts(error: ServiceError) -> tuple[object, ...]:
    return (
        error.code,
        error.reason,
        error.message,
        error.violations,
        dict(error.metadata),
        error.retry_after_s,
    )


def test_every_detail_has_its_standard_place() -> None:
    status = REFUSAL.to_status()
    assert [detail.TypeName() for detail in status.details] == [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "google.rpc.RetryInfo",
    ]


def test_the_stage_is_added_but_never_replaced() -> None:
    passed_on = from_status(REFUSAL.to_status(), "segmenter")
    assert passed_on.metadata == {"limit": "1", "stage": "segmenter"}
    assert from_status(passed_on.to_status(), "gateway").metadata["stage"] == "segmenter"


def test_a_status_from_elsewhere_is_still_an_error() -> None:
    error = from_status(status_pb2.Status(code=4242, message="what?"))
    assert (error.code, error.reason, error.message) == (grpc.StatusCode.UNKNOWN, "UNKNOWN", "what?")


def test_wrong_fields_are_named_in_the_message_and_the_details() -> None:
    error = invalid_argument("options.category", "UNKNOWN_CATEGORY", "no such category", {"known": "a,b"})
    assert str(error) == "options.category: no such category"
    assert error.violations == (FieldViolation("options.category", "no such category"),)


def test_an_unusable_photo_keeps_reason_and_limit() -> None:
    error = unusable_photo("photo", PhotoError("PHOTO_TOO_SMALL", "1 × 1 px is too small", {"limit": "2"}))
    assert (error.reason, error.metadata) == ("PHOTO_TOO_SMALL", {"limit": "2"})
    assert error.violations[0].field == "photo"


def test_an_internal_error_says_where_to_look() -> None:
    assert "r-1" in internal("r-1").message


class TestFromRpcError:
    async def test_a_services_error_comes_back_whole(self) -> None:
        async with running_tiny() as tiny:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await tiny.ask("refuse")
        error = from_rpc_error(caught.value, "segmenter")
        assert _parts(error) == _parts(from_status(REFUSAL.to_status(), "segmenter"))

    async def test_a_stage_nobody_listens_for_is_named(self) -> None:
        async with grpc.aio.insecure_channel("unix:/nowhere/segmenter") as channel:
            call: Any = channel.unary_unary("/packshot.v1.SegmenterService/SegmentImage")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"")
        error = from_rpc_error(caught.value, "segmenter")
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STAGE_UNAVAILABLE")
        assert error.message.startswith("the segmenter does not answer")
        assert error.metadata == {"stage": "segmenter"}
        assert error.retry_after_s == 1.0

    async def test_a_stage_that_is_too_slow_is_named(self) -> None:
        async with running_tiny() as tiny:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await tiny.ask("wait:5", timeout=0.1)
        error = from_rpc_error(caught.value, "segmenter")
        assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert error.metadata == {"stage": "segmenter"}

    async def test_any_other_failure_of_the_transport_is_the_stages(self) -> None:
        async with running_tiny() as tiny:
            call: Any = tiny.channel.unary_unary("/packshot.v1.SegmenterService/NoSuchMethod")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"")
        error = from_rpc_error(caught.value, "segmenter")
        assert (error.code, error.reason) == (grpc.StatusCode.UNIMPLEMENTED, "STAGE_FAILED")
