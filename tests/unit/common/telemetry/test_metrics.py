"""What a service shows of its calls over HTTP."""

import socket

import httpx
import pytest
from prometheus_client import REGISTRY

from services.common.server import StartError
from tests.helpers.gateway import eventually, failure
from tests.helpers.tiny_service import running_tiny

METHOD = "packshot.v1.SegmenterService/SegmentImage"


def ended(code: str, reason: str) -> float:
    labels = {"method": METHOD, "code": code, "reason": reason}
    return REGISTRY.get_sample_value("packshot_rpc_requests_total", labels) or 0.0


async def test_metrics_are_shown_while_a_service_runs_and_no_longer() -> None:
    async with running_tiny(METRICS_LISTEN="127.0.0.1:0") as tiny, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{tiny.server.metrics_address}/metrics"
        await tiny.ask("hello")
        text = (await client.get(url)).text
        assert f'packshot_rpc_in_flight{{method="{METHOD}"}} 0.0' in text
        assert 'packshot_build_info{service="segmenter"' in text
        assert "_created" not in text
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


@pytest.mark.parametrize(
    ("word", "code", "reason"),
    [
        ("hello", "OK", ""),
        ("bug", "INTERNAL", "INTERNAL"),
        ("refuse", "INVALID_ARGUMENT", "PHOTO_TRUNCATED"),
        ("", "INVALID_ARGUMENT", "INVALID_FIELD"),
    ],
)
async def test_calls_are_counted_by_how_they_ended(word: str, code: str, reason: str) -> None:
    before = ended(code, reason)
    async with running_tiny() as tiny:
        if code == "OK":
            await tiny.ask(word)
        else:
            await failure(tiny.ask(word))
    assert ended(code, reason) == before + 1


async def test_a_caller_who_leaves_is_counted_and_in_flight_no_more() -> None:
    before = ended("CANCELLED", "")
    async with running_tiny() as tiny:
        call = tiny.call("wait:30")
        while not REGISTRY.get_sample_value("packshot_rpc_in_flight", {"method": METHOD}):
            await tiny.ask("hello")
        call.cancel()
        await eventually(lambda: ended("CANCELLED", "") == before + 1)
    assert REGISTRY.get_sample_value("packshot_rpc_in_flight", {"method": METHOD}) == 0


async def test_an_address_that_is_taken_stops_the_start_and_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(StartError, match=f"cannot show metrics on {address}"):
            async with running_tiny(METRICS_LISTEN=address):
                pass
