"""What training minimises. Needs torch, the `training` extra."""

from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from services.segmenter.training.losses import matte_loss

SIDE = 64
SURE = 20.0  # a logit
TRUE = torch.zeros(1, dtype=torch.bool)
VOTE = ~TRUE


@pytest.fixture
def matte() -> Any:
    """(1, 1, 64, 64): the lower half is the product."""
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., SIDE // 2 :, :] = 1
    return matte


def logits_of(matte: Any) -> list[Any]:
    """Outputs of a network that is right and sure, at every step."""
    return [torch.nn.functional.avg_pool2d((2 * matte - 1) * SURE, step) for step in (1, 2, 4, 8, 16, 32)]


@pytest.mark.parametrize("is_vote", [TRUE, VOTE])
def test_a_perfect_prediction_costs_nothing(matte: Any, is_vote: Any) -> None:
    assert matte_loss(logits_of(matte), matte, is_vote).item() < 1e-4


def test_the_worse_the_dearer(matte: Any) -> None:
    right, unsure, wrong = logits_of(matte), logits_of(torch.full_like(matte, 0.5)), logits_of(1 - matte)
    costs = [matte_loss(outputs, matte, TRUE).item() for outputs in (right, unsure, wrong)]
    assert costs[0] < 0.1 < costs[1] < costs[2] / 3


def test_a_product_that_is_missed_costs_even_when_it_is_small() -> None:
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 30:34, 30:34] = 1  # 0.4 % of the frame: cross-entropy alone would hardly mind
    assert matte_loss(logits_of(torch.zeros_like(matte))[:1], matte, TRUE).item() > 0.9


def test_every_side_output_counts_less_than_the_finest(matte: Any) -> None:
    right, wrong = logits_of(matte), logits_of(1 - matte)
    cost = [matte_loss([*right[:i], wrong[i], *right[i + 1 :]], matte, TRUE).item() for i in range(6)]
    assert all(0 < coarse < cost[0] for coarse in cost[1:])


def gradient(matte: Any, is_vote: Any) -> Any:
    """(64, 64): how much each pixel of an output that says nothing is to change."""
    output = torch.zeros(1, 1, SIDE, SIDE, requires_grad=True)
    matte_loss([output], matte, is_vote).backward()
    return output.grad[0, 0]


def test_a_vote_s_undecided_pixels_teach_nothing(matte: Any) -> None:
    matte[..., 20:40, 10:30] = 0.5
    assert (gradient(matte, VOTE)[20:40, 10:30] == 0).all()
    assert (gradient(matte, VOTE)[50:, 50:] != 0).all()
    assert (gradient(matte, TRUE)[20:40, 10:30] != 0).all()  # half-transparent in truth


def test_votes_and_truths_in_one_batch_are_told_apart(matte: Any) -> None:
    matte = torch.cat([matte, matte])
    matte[..., :10, :10] = 0.5
    output = torch.zeros(2, 1, SIDE, SIDE, requires_grad=True)
    matte_loss([output], matte, torch.cat([TRUE, VOTE])).backward()
    true, vote = output.grad[:, 0, :10, :10]
    assert (true != 0).all()
    assert (vote == 0).all()


def test_a_vote_that_decides_nothing_is_harmless() -> None:
    outputs = [torch.zeros(1, 1, SIDE, SIDE, requires_grad=True)]
    loss = matte_loss(outputs, torch.full((1, 1, SIDE, SIDE), 0.5), VOTE)
    loss.backward()
    assert loss.item() == 0
    assert not outputs[0].grad.any()


def test_pixels_near_the_boundary_weigh_more(matte: Any) -> None:
    pull = gradient(matte, TRUE).abs().mean(dim=1)
    assert pull[SIDE // 2] > 1.5 * pull[-1]
    assert pull[SIDE // 2 - 1] > 1.5 * pull[0]


def test_an_outline_a_pixel_off_is_right_and_farther_off_is_not(matte: Any) -> None:
    costs = [matte_loss([(2 * matte.roll(rows, 2) - 1) * SURE], matte, TRUE).item() for rows in (0, 1, 3)]
    assert costs[0] < costs[1]
    assert costs[2] > costs[1] + 0.4


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_matte_of_one_value_has_a_finite_cost(value: float) -> None:
    matte = torch.full((1, 1, SIDE, SIDE), value)
    assert matte_loss(logits_of(matte), matte, TRUE).item() < 1e-4
    assert torch.isfinite(matte_loss(logits_of(1 - matte), matte, TRUE))
