"""The network that ships with the code: the file is the one the registry means, and it finds plain products."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from services.segmenter.learned import LearnedProposer
from services.segmenter.masks import resize
from services.segmenter.model_files import SHIPPED_DIR, Verdict, verify, weights_path
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import MODELS
from tests.helpers import scenes

SPEC = MODELS["packshot"]
WEIGHTS = weights_path(SPEC, SHIPPED_DIR)
_LARGEST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def proposer() -> LearnedProposer:
    return LearnedProposer(SPEC, OnnxModel(SPEC, WEIGHTS))


def test_the_file_is_the_one_the_registry_means() -> None:
    assert verify(SPEC, WEIGHTS) is Verdict.OK
    assert WEIGHTS.stat().st_size <= _LARGEST_BYTES


def test_it_takes_batches_of_the_size_the_registry_says() -> None:
    (image,) = onnx.load(str(WEIGHTS)).graph.input
    batch, *rest = image.type.tensor_type.shape.dim
    assert batch.dim_param
    assert [dim.dim_value for dim in rest] == [3, SPEC.input_side_px, SPEC.input_side_px]


@pytest.mark.parametrize("color", ["WHITE", "GREY", "BLUE", "SWEEP"])
def test_it_finds_a_product_on_paper(proposer: LearnedProposer, color: str) -> None:
    backdrop: NDArray[np.uint8] = getattr(scenes, color)
    scene = scenes.photograph(scenes.BOX, backdrop, shadow=0.3)
    found = resize(proposer.propose(scene.photo).matte, *scene.matte.shape) >= 0.5
    truth = scene.matte >= 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_a_mirrored_photo_gives_the_mirrored_matte(proposer: LearnedProposer) -> None:
    image = scenes.photograph(scenes.BOX, scenes.GREY).photo
    seen = proposer.probabilities(image)
    mirrored = proposer.probabilities(np.ascontiguousarray(image[:, ::-1]))
    assert np.allclose(seen, mirrored[:, ::-1], atol=1e-3)


def test_nothing_to_see_is_an_empty_or_unsure_proposal(proposer: LearnedProposer) -> None:
    nothing = proposer.propose(np.full((300, 400, 3), 240, np.uint8))
    assert not (nothing.matte >= 0.5).any() or nothing.confidence < 0.8
