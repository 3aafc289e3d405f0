"""What every line of the log has, whoever writes it."""

import asyncio
import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from services.common.executor import BoundedExecutor
from services.common.telemetry.logs import configure_logs
from tests.helpers.tiny_service import TinySettings, running_tiny

CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    written = StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", written)
        configure_logs("tiny", TinySettings())
    yield written
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


async def test_a_calls_line_has_its_callers_trace(stderr: StringIO) -> None:
    async with running_tiny() as tiny:
        await tiny.ask("hello", metadata=(("traceparent", CALLERS), ("x-request-id", "r-1")))
    (call,) = (line for line in map(json.loads, stderr.getvalue().splitlines()) if line["event"] == "call")
    assert (call["trace_id"], call["request_id"]) == (CALLERS.split("-")[1], "r-1")


async def test_work_in_a_thread_logs_as_its_call(stderr: StringIO) -> None:
    executor = BoundedExecutor(1, 1)
    with structlog.contextvars.bound_contextvars(request_id="r-2"):
        await executor.run(lambda: structlog.get_logger().info("working"))
    await executor.close()
    assert json.loads(stderr.getvalue())["request_id"] == "r-2"


async def test_what_libraries_warn_of_is_json_too_and_what_they_chat_about_is_left_out(stderr: StringIO) -> None:
    library = logging.getLogger("a.library")
    library.setLevel(logging.DEBUG)
    library.info("GET https://shop.example/mug.jpg?signature=secret")
    await asyncio.get_running_loop().run_in_executor(None, library.warning, "the pool is full")
    line = json.loads(stderr.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("the pool is full", "warning", "a.library")
    assert line["service"] == "tiny"
