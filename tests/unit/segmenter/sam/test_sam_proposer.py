"""Refining a prior with a SAM of a few lines: it finds what is coloured like the points, so the truth is known."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.scoring import iou
from services.segmenter.masks import grow, shrink
from services.segmenter.proposal import Proposal
from services.segmenter.sam.sam_model import SamModel
from services.segmenter.sam.sam_proposer import SamProposer
from tests.helpers import scenes
from tests.helpers.composites import Composite, Draw, Matte, compose, disc, draw_matte, solid
from tests.helpers.tiny_sam import ColorDecoder, ColorEncoder

SIDE_PX = 1024


@pytest.fixture
def sam() -> SamProposer:
    return SamProposer(SamModel(ColorEncoder(), ColorDecoder(), SIDE_PX))


def sloppy(matte: Matte, pixels: int, blur: float = 6) -> Proposal:
    """A prior that is `pixels` too large (or too small, when negative) and blurred."""
    mask = matte >= 0.5
    moved = grow(mask, pixels) if pixels >= 0 else shrink(mask, -pixels)
    return Proposal("classical", cv2.GaussianBlur(moved.astype(np.float32), (0, 0), blur), 0.8)


def on_grey(*shapes: Draw) -> Composite:
    matte = np.max([draw_matte(400, 600, shape) for shape in shapes], axis=0)
    return compose(matte, solid(400, 600, (160, 45, 40)), solid(400, 600, (182, 184, 188)), noise=1)


@pytest.mark.parametrize("pixels", [-8, 8])
@pytest.mark.parametrize("shape", [scenes.DISC, scenes.RING, scenes.BOX, scenes.CUT_BOX])
def test_a_sloppy_prior_becomes_exact(sam: SamProposer, shape: Draw, pixels: int) -> None:
    scene = scenes.photograph(shape, scenes.GREY)
    prior = sloppy(scene.matte, pixels)
    refined = sam.refine(scene.photo, prior)
    true = scene.matte >= 0.5
    assert iou(prior.matte >= 0.5, true) < 0.9
    assert iou(refined.matte >= 0.5, true) > 0.97
    assert refined.name == "sam"
    assert refined.matte.dtype == np.float32
    assert 0.85 < refined.confidence <= 0.9  # what this SAM predicts


def test_all_pieces_are_kept(sam: SamProposer) -> None:
    scene = on_grey(disc(90, (200, 130)), disc(40, (120, 420)), disc(30, (320, 500)))
    refined = sam.refine(scene.photo, sloppy(scene.matte, 5, blur=3))
    assert iou(refined.matte >= 0.5, scene.matte >= 0.5) > 0.97


def test_more_pieces_than_are_asked_about_are_kept_too() -> None:
    scene = on_grey(*(disc(22 - i, (70 + 110 * (i // 4), 80 + 140 * (i % 4))) for i in range(11)))
    decoder = ColorDecoder()
    refined = SamProposer(SamModel(ColorEncoder(), decoder, SIDE_PX)).refine(
        scene.photo, sloppy(scene.matte, 0, blur=1)
    )
    assert len(decoder.mask_inputs) == 2 * 8
    assert cv2.connectedComponents((refined.matte >= 0.5).astype(np.uint8))[0] == 1 + 11
    assert iou(refined.matte >= 0.5, scene.matte >= 0.5) > 0.95


def test_the_winner_is_the_mask_prompt_of_the_second_question() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.GREY)
    decoder = ColorDecoder()
    SamProposer(SamModel(ColorEncoder(), decoder, SIDE_PX)).refine(scene.photo, sloppy(scene.matte, 12))
    prior, winner = decoder.mask_inputs
    assert prior.max() <= 8 < winner.max()
    assert np.count_nonzero(prior > 0) > np.count_nonzero(winner > 0)


class Blind:
    """Answers that nothing is anywhere."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        side = inputs["mask_input"].shape[-1]
        return {
            "low_res_logits": np.full((1, 4, side, side), -9, np.float32),
            "iou_predictions": np.full((1, 4), 0.99, np.float32),
        }


def test_a_product_that_sam_does_not_see_stays_as_it_was() -> None:
    scene = scenes.photograph(scenes.DISC, scenes.GREY)
    prior = sloppy(scene.matte, 0, blur=2)
    refined = SamProposer(SamModel(ColorEncoder(), Blind(), SIDE_PX)).refine(scene.photo, prior)
    assert iou(refined.matte >= 0.5, prior.matte >= 0.5) > 0.97
    assert refined.confidence == 0


def test_an_empty_prior_has_nothing_to_refine(sam: SamProposer) -> None:
    empty = Proposal("classical", np.zeros((90, 120), np.float32), 0.0)
    refined = sam.refine(solid(300, 400, (255, 255, 255)), empty)
    assert refined.matte.shape == (90, 120)
    assert not refined.matte.any()
    assert refined.confidence == 0


def test_the_region_of_interest_bounds_the_product(sam: SamProposer) -> None:
    scene = on_grey(disc(80, (200, 150)), disc(80, (200, 450)))
    refined = sam.refine(scene.photo, sloppy(scene.matte, 3, blur=2), roi=(0, 300, 400, 600))
    expected = np.where(np.arange(600) >= 300, scene.matte, 0) >= 0.5
    assert iou(refined.matte >= 0.5, expected) > 0.97
    assert not refined.matte[:, :300].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3, 2)])
def test_photos_of_a_few_pixels(sam: SamProposer, size: tuple[int, int]) -> None:
    prior = Proposal("classical", np.ones((24, 24), np.float32), 0.5)
    refined = sam.refine(solid(*size, (9, 9, 9)), prior)
    assert refined.matte.shape == (24, 24)
    assert np.isfinite(refined.matte).all()


def test_a_prior_of_another_size_than_the_photo(sam: SamProposer) -> None:
    scene = scenes.photograph(scenes.RING, scenes.BLUE)
    small = cv2.resize(sloppy(scene.matte, 8).matte, (160, 140), interpolation=cv2.INTER_AREA)
    refined = sam.refine(scene.photo, Proposal("u2netp", small, 0.9))
    true = cv2.resize(scene.matte, (160, 140), interpolation=cv2.INTER_AREA)
    assert refined.matte.shape == (140, 160)
    assert iou(refined.matte >= 0.5, true >= 0.5) > 0.97
