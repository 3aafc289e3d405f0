"""Which of several masks wins, on a scene whose matte is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmenter.masks import grow, resize, shrink, to_lab
from services.segmenter.sam.letterbox import Letterbox
from services.segmenter.sam.prompts import Prompt, make_prompts
from services.segmenter.sam.ranking import edge_alignment, rank, stability
from services.segmenter.superpixels import gradient_magnitude
from tests.helpers import scenes
from tests.helpers.composites import Image, Matte

SIDE_PX = 1024
Grid = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@pytest.fixture(scope="module")
def scene() -> tuple[Prompt, Grid]:
    """The prompt of a disc's exact matte, and the photo's gradient."""
    photo = scenes.photograph(scenes.DISC, scenes.room())
    return prompt_of(photo.matte, photo.photo)


def prompt_of(matte: Matte, image: Image) -> tuple[Prompt, Grid]:
    letterbox = Letterbox.of(matte.shape[0], matte.shape[1], SIDE_PX)
    (prompt,) = make_prompts(letterbox.to_grid(matte), letterbox)
    return prompt, gradient_magnitude(to_lab(resize(image, *letterbox.grid_size)))


def sure(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Grid:
    return np.where(mask, 10, -10).astype(np.float32)


def test_the_true_mask_wins(scene: tuple[Prompt, Grid]) -> None:
    prompt, gradient = scene
    true = prompt.piece >= 0.5
    answers = [shrink(true, 4), grow(true, 4), true, ~true]
    ranked = rank(np.stack([sure(answer) for answer in answers]), np.full(4, 0.9, np.float32), prompt, gradient)
    assert np.array_equal(ranked[0].logits > 0, true)
    assert np.array_equal(ranked[-1].logits > 0, ~true)
    assert ranked[0].agreement > 0.97
    assert ranked[0].alignment > 0.9
    assert ranked[0].stability == 1


def test_edges_decide_where_the_prior_is_as_far_from_both(scene: tuple[Prompt, Grid]) -> None:
    """The prior is too large; one answer is the true mask, the other is too large by as much again."""
    prompt, gradient = scene
    true = prompt.piece >= 0.5
    loose = Prompt(prompt.points, prompt.labels, prompt.mask_logits, grow(true, 3).astype(np.float32), prompt.elsewhere)
    ranked = rank(np.stack([sure(grow(true, 6)), sure(true)]), np.full(2, 0.9, np.float32), loose, gradient)
    assert np.array_equal(ranked[0].logits > 0, true)


def test_sam_s_own_opinion_decides_between_equals(scene: tuple[Prompt, Grid]) -> None:
    prompt, gradient = scene
    logits = np.stack([prompt.mask_logits] * 2)
    ranked = rank(logits, np.array([0.7, 0.95], np.float32), prompt, gradient)
    assert [candidate.predicted_iou for candidate in ranked] == pytest.approx([0.95, 0.7])


@pytest.mark.parametrize(("given_iou", "counted"), [(1.07, 1.0), (-0.2, 0.0), (float("nan"), 0.0)])
def test_predicted_iou_is_held_to_its_range(scene: tuple[Prompt, Grid], given_iou: float, counted: float) -> None:
    prompt, gradient = scene
    (candidate,) = rank(prompt.mask_logits[None], np.array([given_iou], np.float32), prompt, gradient)
    assert candidate.predicted_iou == counted
    assert 0 <= candidate.score <= 1


def test_other_pieces_neither_help_nor_harm(scene: tuple[Prompt, Grid]) -> None:
    prompt, gradient = scene
    elsewhere = np.zeros_like(prompt.elsewhere)
    elsewhere[5:40, 5:40] = True
    asked = Prompt(prompt.points, prompt.labels, prompt.mask_logits, prompt.piece, elsewhere)
    alone = sure(prompt.piece >= 0.5)
    both = np.where(elsewhere, np.float32(10), alone)
    candidates = rank(np.stack([alone, both]), np.ones(2, np.float32), asked, gradient)
    assert candidates[0].agreement == pytest.approx(candidates[1].agreement)


def test_stability_is_the_iou_of_the_masks_at_plus_and_minus_one() -> None:
    logits = np.array([[-3, -0.5, 0.5, 3, 3]], np.float32)
    assert stability(logits) == 2 / 4
    assert stability(np.full((4, 4), -9, np.float32)) == 0
    assert stability(np.full((4, 4), 9, np.float32)) == 1


@given(st.floats(0.1, 4))
def test_steeper_logits_are_more_stable(steepness: float) -> None:
    ramp = np.linspace(-8, 8, 200, dtype=np.float32)[None]
    assert stability(ramp * np.float32(steepness * 1.5)) >= stability(ramp * np.float32(steepness))


def test_an_outline_through_nothing_is_a_coin_toss() -> None:
    gradient = np.random.default_rng(0).random((200, 200)).astype(np.float32)
    mask = np.zeros((200, 200), bool)
    mask[40:160, 50:150] = True
    assert edge_alignment(mask, gradient) == pytest.approx(0.5, abs=0.05)
    assert edge_alignment(mask, np.ones_like(gradient)) == 0.5  # no edges anywhere


@pytest.mark.parametrize("value", [False, True])
def test_a_mask_without_outline_aligns_with_nothing(value: bool) -> None:
    assert edge_alignment(np.full((20, 20), value), np.ones((20, 20), np.float32)) == 0
