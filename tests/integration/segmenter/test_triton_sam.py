"""SAM's halves behind a real Triton server give what they give in this process.

Needs what `tests/unit/segmenter/sam/test_export.py` needs, and a Triton server: `make triton`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if missing := [name for name in ("torch", "segment_anything", "torchvision") if find_spec(name) is None]:
    pytest.skip(f"needs {', '.join(missing)}: the sam-export extra", allow_module_level=True)

from services.segmenter.model import WeightsMismatchError
from services.segmenter.model_repository.catalogue import SERVED
from services.segmenter.model_repository.config import Options
from services.segmenter.model_repository.writer import write_model
from services.segmenter.proposal import Proposal
from services.segmenter.sam.export import export
from services.segmenter.sam.sam_model import DECODER, ENCODER, Half, SamModel
from services.segmenter.sam.sam_proposer import SamProposer
from services.segmenter.sam.torchvision_shim import declare_missing_operators
from services.segmenter.triton_model import Triton, TritonNetwork
from tests.helpers import scenes
from tests.helpers.tiny_sam import SIDE_PX, random_sam
from tools.triton_server import TRITONSERVER, TritonServer

TIMEOUT_S = 60.0  # for a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both halves of a small SAM with random weights."""
    declare_missing_operators()
    folder = tmp_path_factory.mktemp("sam")
    export(random_sam(), folder, "0" * 64)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    if not TRITONSERVER.exists():
        pytest.skip("there is no Triton server: run `make triton`")
    repository = tmp_path_factory.mktemp("triton") / "repository"
    for half in (ENCODER, DECODER):
        write_model(SERVED[half.name], folder / half.file, repository, Options("python", threads=1))
    server = TritonServer(repository)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def triton(server: TritonServer) -> AsyncIterator[Triton]:
    connected = Triton(server.url, TIMEOUT_S)
    yield connected
    await connected.close()


def network(triton: Triton, half: Half) -> TritonNetwork:
    return triton.network(half.name, half.inputs, half.outputs)


async def test_a_refinement_is_the_same_there_and_here(triton: Triton, folder: Path) -> None:
    """Two photos at once, so that their prompts may meet in a batch."""
    here = SamProposer(SamModel.load(folder, threads=1))
    there = SamProposer(SamModel(network(triton, ENCODER), network(triton, DECODER), SIDE_PX))
    photos = [scenes.photograph(shape, scenes.GREY) for shape in (scenes.DISC, scenes.CUT_BOX)]
    priors = [Proposal("classical", photo.matte, 0.9) for photo in photos]
    answers = await asyncio.gather(
        *(asyncio.to_thread(there.refine, photo.photo, prior) for photo, prior in zip(photos, priors, strict=True))
    )
    for photo, prior, answer in zip(photos, priors, answers, strict=True):
        expected = here.refine(photo.photo, prior)
        assert answer.matte == pytest.approx(expected.matte, abs=1e-4)
        assert answer.confidence == pytest.approx(expected.confidence, abs=1e-3)


async def test_embeddings_and_logits_are_the_same_there_and_here(triton: Triton, folder: Path) -> None:
    here = SamModel.load(folder, threads=1)
    there = SamModel(network(triton, ENCODER), network(triton, DECODER), SIDE_PX)
    photo = scenes.photograph(scenes.RING, scenes.BLUE).photo
    embedding = await asyncio.to_thread(there.embed, photo)
    assert np.abs(embedding - here.embed(photo)).max() <= 1e-5


async def test_both_halves_are_part_of_being_ready(triton: Triton) -> None:
    network(triton, ENCODER)
    network(triton, DECODER)
    assert await triton.is_ready()
    triton.network("sam-tokenizer", ["words"], ["tokens"])
    assert not await triton.is_ready()


async def test_another_model_by_the_name_is_refused(triton: Triton) -> None:
    other = triton.network(ENCODER.name, ["pixels"], ENCODER.outputs)
    with pytest.raises(WeightsMismatchError, match=r"takes image and gives image_embeddings, not pixels and"):
        await other.check()


async def test_weights_must_have_the_digest_asked_for(triton: Triton) -> None:
    other = triton.network(ENCODER.name, ENCODER.inputs, ENCODER.outputs, sha256="00ff")
    with pytest.raises(WeightsMismatchError, match="00ff was asked for"):
        await other.check()
