"""The learned proposal, with a model that is one line of arithmetic: what goes in and comes out is known."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.scoring import iou
from services.segmenter.learned import LearnedProposer
from services.segmenter.masks import resize
from services.segmenter.model import WeightsMismatchError
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import Activation, ModelSpec, Scaling, model_spec
from tests.helpers import scenes
from tests.helpers.composites import compose, disc, draw_matte, ring, solid
from tests.helpers.tiny_onnx import save_red_model

SIDE = 32
RAW = ModelSpec("red", SIDE, Scaling.BYTE, (0.0,) * 3, (1.0,) * 3, Activation.NONE, "red.onnx", None)


def even(red: int, height: int = 60, width: int = 90) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return solid(height, width, (red, 255 - red, 77))


def proposer_of(spec: ModelSpec, weights: Path) -> LearnedProposer:
    return LearnedProposer(spec, OnnxModel(spec, weights, threads=1))


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """Probability = the red the model gets."""
    return save_red_model(tmp_path / "red.onnx", SIDE, gain=1, offset=0)


@pytest.fixture
def darkness(tmp_path: Path) -> LearnedProposer:
    """Probability = 1 for black, 0 for white."""
    return proposer_of(RAW, save_red_model(tmp_path / "dark.onnx", SIDE, gain=-1, offset=1))


def test_bytes_are_scaled_and_normalised(red: Path) -> None:
    spec = replace(RAW, mean=(0.25, 0.9, 0.9), std=(0.5, 9.0, 9.0))
    assert proposer_of(spec, red).propose(even(153)).matte == pytest.approx((153 / 255 - 0.25) / 0.5, abs=1e-5)


def test_a_model_may_want_the_image_divided_by_its_maximum(red: Path) -> None:
    spec = replace(RAW, scaling=Scaling.IMAGE_MAX)
    assert proposer_of(spec, red).propose(solid(60, 90, (90, 120, 60))).matte == pytest.approx(90 / 120, abs=1e-5)


def test_a_black_photo_is_not_divided_by_nothing(red: Path) -> None:
    proposal = proposer_of(replace(RAW, scaling=Scaling.IMAGE_MAX), red).propose(solid(60, 90, (0, 0, 0)))
    assert not proposal.matte.any()


def test_logits_become_probabilities(tmp_path: Path) -> None:
    weights = save_red_model(tmp_path / "logits.onnx", SIDE, gain=10, offset=-4)
    proposal = proposer_of(replace(RAW, activation=Activation.SIGMOID), weights).propose(even(153))
    assert proposal.matte == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)


def test_the_matte_covers_the_photo_at_a_bounded_size(red: Path) -> None:
    assert proposer_of(RAW, red).propose(even(255, 900, 1300)).matte.shape == (443, 640)


def test_a_small_product_gets_a_closer_look(darkness: LearnedProposer) -> None:
    """At 32 px the hole of this ring is less than a pixel of the whole photo, but five of the close-up."""
    matte = draw_matte(640, 640, ring(60, 14, (400, 250)))
    scene = compose(matte, solid(640, 640, (0, 0, 0)), solid(640, 640, (255, 255, 255)))
    proposal = darkness.propose(scene.photo)
    assert proposal.matte[400, 250] < 0.2
    assert iou(proposal.matte >= 0.5, matte >= 0.5) >= 0.95
    assert 0.5 < proposal.confidence < 1


class Darkness:
    """Probability = 1 for black, 0 for white; counts how often it looks."""

    def __init__(self) -> None:
        self.looks = 0

    def run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        self.looks += 1
        return 1 - prepared[:, :1]


@pytest.mark.parametrize(("coarse", "looks"), [(False, 2), (True, 6)], ids=["not coarse", "coarse"])
def test_a_coarse_model_comes_closer_twice_and_sees_every_picture_mirrored(coarse: bool, looks: int) -> None:
    matte = draw_matte(300, 400, disc(60, (140, 220)))
    scene = compose(matte, solid(300, 400, (0, 0, 0)), solid(300, 400, (255, 255, 255)))
    model = Darkness()
    proposal = LearnedProposer(replace(RAW, coarse=coarse), model).propose(scene.photo)
    assert model.looks == looks
    assert proposal.is_coarse == coarse
    assert iou(proposal.matte >= 0.5, matte >= 0.5) >= 0.95


def test_a_product_that_fills_the_photo_is_judged_by_how_decided_the_model_is(red: Path) -> None:
    proposer = proposer_of(RAW, red)
    assert proposer.propose(even(255)).confidence == 1
    # Probability 0.8 everywhere: 0.2 of every pixel speaks against it.
    assert proposer.propose(even(204)).confidence == pytest.approx(1 - 0.2 / 0.8, abs=1e-4)


def test_a_model_that_sees_nothing_says_so(darkness: LearnedProposer) -> None:
    proposal = darkness.propose(solid(60, 90, (255, 255, 255)))
    assert not proposal.matte.any()
    assert proposal.confidence == 0


def test_nothing_outside_the_region_of_interest_is_product(darkness: LearnedProposer) -> None:
    left = draw_matte(200, 400, disc(60, (100, 100)))
    right = draw_matte(200, 400, disc(60, (100, 300)))
    scene = compose(left + right, solid(200, 400, (0, 0, 0)), solid(200, 400, (255, 255, 255)))
    proposal = darkness.propose(scene.photo, (0, 0, 200, 200))
    assert not proposal.matte[:, 200:].any()
    assert iou(proposal.matte >= 0.5, left >= 0.5) >= 0.95


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 300)])
def test_tiny_and_thin_photos_work(darkness: LearnedProposer, size: tuple[int, int]) -> None:
    matte = darkness.propose(solid(*size, (0, 0, 0))).matte
    assert matte == pytest.approx(1)


def test_an_answer_that_is_not_one_matte_is_refused(tmp_path: Path) -> None:
    weights = save_red_model(tmp_path / "three.onnx", SIDE, gain=1, offset=0, channels=3)
    with pytest.raises(WeightsMismatchError, match=r"shape \(1, 3, 32, 32\), not one matte"):
        proposer_of(RAW, weights).propose(even(200))


@pytest.mark.skipif("PACKSHOT_TEST_U2NETP" not in os.environ, reason="PACKSHOT_TEST_U2NETP names no weights of u2netp")
def test_the_real_u2netp_finds_a_product() -> None:
    proposer = proposer_of(model_spec("u2netp"), Path(os.environ["PACKSHOT_TEST_U2NETP"]))
    scene = scenes.photograph(scenes.BOX, scenes.room())
    proposal = proposer.propose(scene.photo)
    assert iou(resize(proposal.matte, *scene.matte.shape) >= 0.5, scene.matte >= 0.5) >= 0.9
    assert proposal.confidence >= 0.8
