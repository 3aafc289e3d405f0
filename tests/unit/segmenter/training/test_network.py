"""The network's shape. Needs torch, the `training` extra."""

import pytest

pytest.importorskip("torch")

import torch

from services.segmenter.training.losses import matte_loss
from services.segmenter.training.network import SMALLEST_STEP, Network


@pytest.mark.parametrize("side", [192, 256, 320])
def test_logits_at_every_step_the_finest_first(side: int) -> None:
    with torch.inference_mode():
        outputs = Network().eval()(torch.zeros(1, 3, side, side))
    assert [tuple(output.shape) for output in outputs] == [(1, 1, side // step, side // step) for step in steps()]


def steps() -> list[int]:
    return [1, 2, 4, 8, 16, 32]


def test_the_smallest_step_is_the_deepest_output_s() -> None:
    assert steps()[-1] == SMALLEST_STEP


@pytest.mark.parametrize("side", [100, 250, 16])
def test_a_side_that_is_no_multiple_of_the_smallest_step_is_refused(side: int) -> None:
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"), torch.inference_mode():
        Network().eval()(torch.zeros(1, 3, side, side))


def test_the_whole_frame_decides_about_every_pixel() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    Network().eval()(image)[0][0, 0, 0, 0].backward()
    assert image.grad[0, :, -8:, -8:].abs().max() > 0


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    network = Network()
    matte = torch.zeros(2, 1, 64, 64)
    matte[..., 16:40, 10:50] = 1
    matte_loss(network(torch.rand(2, 3, 64, 64)), matte, torch.zeros(2, dtype=torch.bool)).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


def test_checkpoints_of_earlier_legs_still_fit() -> None:
    """Renaming a part or changing a width makes every kept checkpoint useless: then start a new run, and pin anew."""
    weights = Network().state_dict()
    assert {name.partition(".")[0] for name in weights} == {"stages", "attention", "deepest", "ups", "finest"}
    assert (len(weights), sum(weight.numel() for weight in weights.values())) == (220, 2_722_199)
