"""What the segmenter says when it cannot start, and how its settings read."""

import hashlib
from pathlib import Path

import grpc
import pytest
from pydantic import ValidationError

from packshot.v1 import segmenter_pb2_grpc
from packshot.v1.segmenter_pb2 import DescribeSegmenterRequest, DescribeSegmenterResponse
from services.common.server import StartError
from services.segmenter.registry import MODELS
from services.segmenter.server import create
from services.segmenter.settings import SegmenterSettings
from tests.helpers.tiny_onnx import save_red_model


def test_an_unknown_proposer_names_the_known_ones() -> None:
    with pytest.raises(StartError) as caught:
        create(SegmenterSettings(proposers=("classical", "nope")))
    assert str(caught.value) == (
        f"unknown proposer 'nope' in SEGMENTER_PROPOSERS; known are {', '.join(('classical', 'sam', *sorted(MODELS)))}"
    )


def test_missing_weights_name_the_file_and_the_setting(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"u2netp\.onnx.*SEGMENTER_MODELS_DIR"):
        create(SegmenterSettings(proposers=("u2netp",), models_dir=tmp_path))


def test_weights_must_have_the_operator_s_digest(tmp_path: Path) -> None:
    save_red_model(tmp_path / "u2netp.onnx", 320, gain=1, offset=0)
    with pytest.raises(StartError, match="00ff was asked for"):
        create(SegmenterSettings(proposers=("u2netp",), models_dir=tmp_path, weights_sha256={"u2netp": "00ff"}))


def test_sam_alone_has_nothing_to_refine() -> None:
    with pytest.raises(StartError, match=r"refines what others propose; .* classical,sam"):
        create(SegmenterSettings(proposers=("sam",)))


def test_without_its_files_sam_says_how_to_export_them(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no .*sam-encoder\.onnx; export it .* \(the folder is SEGMENTER_MODELS_DIR"):
        create(SegmenterSettings(proposers=("classical", "sam"), models_dir=tmp_path))


async def test_with_its_weights_a_model_is_loaded(tmp_path: Path) -> None:
    weights = save_red_model(tmp_path / "u2netp.onnx", 320, gain=1, offset=0)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    settings = SegmenterSettings(
        proposers=("classical", "u2netp"), models_dir=tmp_path, weights_sha256={"u2netp": digest}
    )
    assert create(settings).serves == ("packshot.v1.SegmenterService",)


async def described(settings: SegmenterSettings) -> DescribeSegmenterResponse:
    service = create(settings)
    server = grpc.aio.server()
    service.register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = segmenter_pb2_grpc.SegmenterServiceStub(channel)
            return await stub.DescribeSegmenter(DescribeSegmenterRequest(), timeout=10)
    finally:
        await server.stop(None)
        await service.close()


async def test_the_digest_follows_the_weights_that_were_loaded(tmp_path: Path) -> None:
    settings = SegmenterSettings(proposers=("classical", "u2netp"), models_dir=tmp_path)
    save_red_model(tmp_path / "u2netp.onnx", 320, gain=1, offset=0)
    first, again = await described(settings), await described(settings)
    save_red_model(tmp_path / "u2netp.onnx", 320, gain=2, offset=0)
    other = await described(settings)
    assert list(first.proposers) == ["classical", "u2netp"]
    assert first.digest == again.digest != other.digest


def test_proposers_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SegmenterSettings().proposers == ("classical", "packshot")
    monkeypatch.setenv("SEGMENTER_PROPOSERS", "classical, u2netp")
    assert SegmenterSettings().proposers == ("classical", "u2netp")


def test_digests_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTER_WEIGHTS_SHA256", '{"u2netp": "309c"}')
    assert SegmenterSettings().weights_sha256 == {"u2netp": "309c"}


@pytest.mark.parametrize("proposers", [(), ("classical", "classical")])
def test_proposers_are_named_once_each(proposers: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="proposers"):
        SegmenterSettings(proposers=proposers)
