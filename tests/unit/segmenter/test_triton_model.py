"""A model on Triton when there is no Triton; with one, see tests/integration/segmenter."""

import asyncio
import sys
from dataclasses import replace

import numpy as np
import pytest

from services.common.server import StartError
from services.segmenter.model import ModelUnavailableError
from services.segmenter.registry import model_spec
from services.segmenter.server import create
from services.segmenter.settings import SegmenterSettings
from services.segmenter.triton_model import Triton
from tools.stack import free_port

SPEC = replace(model_spec("u2netp"), input_side_px=8)
PREPARED = np.zeros((1, 3, 8, 8), np.float32)


async def test_a_server_that_is_not_there_is_unavailable_at_once_and_the_message_says_what_to_do() -> None:
    triton = Triton(f"127.0.0.1:{free_port()}", timeout_s=60)
    model = triton.model(SPEC)
    with pytest.raises(
        ModelUnavailableError, match=r"u2netp: .*UNAVAILABLE: .*SEGMENTER_TRITON_URL.*SEGMENTER_FALLBACK=local"
    ):
        async with asyncio.timeout(30):
            await asyncio.to_thread(model.run, PREPARED)
    assert not await triton.is_ready()
    await triton.close()


async def test_without_its_client_the_backend_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "services.segmenter.triton_model", None)
    with pytest.raises(StartError, match=r"SEGMENTER_BACKEND=triton needs .*pip install 'packshot\[triton\]'"):
        create(SegmenterSettings(proposers=("u2netp",), backend="triton"))


async def test_with_a_fallback_the_weights_must_be_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTER_MODELS_DIR", "/nowhere")
    with pytest.raises(StartError, match=r"cannot read the weights /nowhere/u2netp\.onnx"):
        create(SegmenterSettings(proposers=("u2netp",), backend="triton", fallback="local"))
