from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from packshot.v1.packshot_pb2 import ProcessImageRequest, ProcessImagesRequest, StreamItem
from services.common.server import StartError
from services.gateway import keys
from services.gateway.server import create
from services.gateway.settings import GatewaySettings
from tests.helpers.gateway import failure, running_gateway
from tests.helpers.stages import PHOTO, Stages

ONE_PHOTO = ProcessImageRequest(photo=PHOTO)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


async def test_the_right_key_opens(stages: Stages, keys_file: Path) -> None:
    key = keys.add(keys_file, "acme")
    async with running_gateway(stages, AUTH="api-key", API_KEYS_FILE=str(keys_file)) as gateway:
        response = await gateway.stub.ProcessImage(ONE_PHOTO, metadata=(("x-api-key", key),))
        assert len(response.results) == 1


async def test_without_a_key_or_with_a_wrong_one_nothing_happens(stages: Stages, keys_file: Path) -> None:
    keys.add(keys_file, "acme")
    async with running_gateway(stages, AUTH="api-key", API_KEYS_FILE=str(keys_file)) as gateway:
        missing = await failure(gateway.stub.ProcessImage(ONE_PHOTO))
        assert (missing.code, missing.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING")
        assert "x-api-key" in missing.message
        wrong = await failure(gateway.stub.ProcessImage(ONE_PHOTO, metadata=(("x-api-key", "pk_wrong"),)))
        assert (wrong.code, wrong.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
        assert "pk_wrong" not in wrong.message
    assert stages.segmenter.segment.calls == []


async def test_a_strangers_request_is_not_even_looked_at(stages: Stages, keys_file: Path) -> None:
    keys.add(keys_file, "acme")
    async with running_gateway(stages, AUTH="api-key", API_KEYS_FILE=str(keys_file)) as gateway:
        error = await failure(gateway.stub.ProcessImage(ProcessImageRequest()))
        assert error.reason == "API_KEY_MISSING"


async def test_streams_need_a_key_too(stages: Stages, keys_file: Path) -> None:
    key = keys.add(keys_file, "acme")
    request = ProcessImagesRequest(item=StreamItem(item_id="a", photo=PHOTO))
    async with running_gateway(stages, AUTH="api-key", API_KEYS_FILE=str(keys_file)) as gateway:
        stranger: Any = gateway.stub.ProcessImages()
        error = await failure(stranger.read())
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING")
        answers = [r async for r in gateway.stub.ProcessImages(iter([request]), metadata=(("x-api-key", key),))]
        assert [answer.WhichOneof("outcome") for answer in answers] == ["result"]


async def test_health_needs_no_key(stages: Stages, keys_file: Path) -> None:
    keys.add(keys_file, "acme")
    async with running_gateway(stages, AUTH="api-key", API_KEYS_FILE=str(keys_file)) as gateway:
        health: Any = health_pb2_grpc.HealthStub(gateway.channel)
        response = await health.Check(health_pb2.HealthCheckRequest(service="packshot.v1.PackshotService"))
        assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_a_broken_keys_file_stops_the_start(monkeypatch: pytest.MonkeyPatch, keys_file: Path) -> None:
    keys_file.write_text("{broken")
    monkeypatch.setenv("GATEWAY_API_KEYS_FILE", str(keys_file))
    with pytest.raises(StartError, match="is not JSON"):
        create(GatewaySettings())
