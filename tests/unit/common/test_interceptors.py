"""What every call goes through, shown on a tiny service."""

import asyncio
import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import grpc
import pytest
import structlog

from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.segmenter_pb2 import SegmentImageRequest
from services.common.telemetry.logs import configure_logs
from tests.helpers.gateway import eventually, failure
from tests.helpers.tiny_service import TinySettings, running_tiny

Logs = Callable[[], list[dict[str, object]]]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """What was logged so far, as a process writes it to stderr."""
    stderr = StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stderr)
        configure_logs("tiny", TinySettings(log_level="info"))
    yield lambda: [json.loads(line) for line in stderr.getvalue().splitlines()]
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class TestRequestId:
    async def test_the_callers_id_is_the_requests(self) -> None:
        async with running_tiny() as tiny:
            response = await tiny.ask("hello", metadata=(("x-request-id", "r-1"),))
            assert response.matte_png == b"r-1"

    async def test_calls_without_one_get_their_own(self) -> None:
        async with running_tiny() as tiny:
            ids = {(await tiny.ask("hello")).matte_png for _ in range(3)}
            assert len(ids) == 3

    async def test_calls_at_the_same_time_keep_theirs_apart(self) -> None:
        async with running_tiny() as tiny:
            names = [f"r-{number}" for number in range(8)]
            calls = (tiny.ask("wait:0.05", metadata=(("x-request-id", name),)) for name in names)
            responses = await asyncio.gather(*calls)
            assert [response.matte_png.decode() for response in responses] == names


class TestErrors:
    async def test_typed_errors_reach_the_caller_with_all_details(self) -> None:
        async with running_tiny() as tiny:
            error = await failure(tiny.ask("refuse"))
        assert error.reason == "PHOTO_TRUNCATED"
        assert error.violations[0].field == "photo"
        assert error.retry_after_s == 2.5

    async def test_a_bug_is_internal_and_tells_only_where_to_look(self, logs: Logs) -> None:
        async with running_tiny() as tiny:
            error = await failure(tiny.ask("bug", metadata=(("x-request-id", "r-7"),)))
            await tiny.ask("hello")
        assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert error.metadata == {"request_id": "r-7"}
        assert "r-7" in error.message
        assert "secret" not in error.to_status().SerializeToString().decode("latin-1")
        (logged,) = [line for line in logs() if line["level"] == "error"]
        assert logged["request_id"] == "r-7"
        assert "a secret from deep inside" in str(logged["exception"])

    async def test_requests_are_checked_against_the_protos(self) -> None:
        async with running_tiny() as tiny:
            error = await failure(tiny.ask(""))
        assert (error.reason, error.violations[0].field) == ("INVALID_FIELD", "photo")

    async def test_many_violations_reach_the_caller(self) -> None:

        wrong = SegmentImageRequest(region_of_interest=BoundingBox(x=-1, y=-1, width=-1, height=-1))
        async with running_tiny() as tiny:
            error = await failure(tiny.stub.SegmentImage(wrong))
        assert len(error.violations) == 5


class TestDeadline:
    async def test_a_call_without_one_gets_the_services_default(self) -> None:
        async with running_tiny(DEFAULT_DEADLINE_MS="200") as tiny:
            error = await failure(tiny.ask("wait:30"))
        assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert "0.2 s" in error.message

    async def test_a_callers_later_deadline_counts(self) -> None:
        async with running_tiny(DEFAULT_DEADLINE_MS="100") as tiny:
            await tiny.ask("wait:0.3", timeout=10)

    async def test_a_callers_deadline_of_a_millisecond_harms_nobody(self) -> None:
        async with running_tiny() as tiny:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await tiny.ask("sleep:0.05", timeout=0.001)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await tiny.ask("hello")


class TestLogs:
    async def test_a_call_is_one_line_with_its_outcome(self, logs: Logs) -> None:
        async with running_tiny() as tiny:
            await tiny.ask("hello", metadata=(("x-request-id", "r-1"),))
            await failure(tiny.ask("refuse"))
        calls = [line for line in logs() if line["event"] == "call"]
        assert [(line["code"], line.get("reason")) for line in calls] == [
            ("OK", None),
            ("INVALID_ARGUMENT", "PHOTO_TRUNCATED"),
        ]
        assert calls[0]["method"] == "packshot.v1.SegmenterService/SegmentImage"
        assert calls[0]["request_id"] == "r-1"
        assert calls[0]["service"] == "tiny"

    async def test_a_caller_who_goes_is_logged(self, logs: Logs) -> None:
        async with running_tiny() as tiny:
            call = asyncio.create_task(tiny.ask("wait:30"))
            await asyncio.sleep(0.5)
            call.cancel()
            await eventually(lambda: any(line.get("code") == "CANCELLED" for line in logs()))


async def test_health_and_unknown_methods_go_untouched() -> None:
    async with running_tiny() as tiny:
        call: Any = tiny.channel.unary_unary("/packshot.v1.SegmenterService/NoSuchMethod")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
