"""What training minimises.

References
----------
Wei et al., "F³Net", AAAI 2020: cross-entropy and soft IoU, pixels near the boundary weighing more.
Bokhovkin and Burnaev, "Boundary Loss for Remote Sensing Imagery Semantic Segmentation", ISNN 2019: boundary F that can
be differentiated.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

_BOUNDARY_CELL_PX = 4  # how near a boundary is, is told per cell: boxes at full resolution cost as much as the network
_BOUNDARY_REACH = 5  # cells
_BOUNDARY_GAIN = 4.0
_SIDE_WEIGHT = 0.3
_OUTLINE_WEIGHT = 0.5
_OUTLINE_TOLERANCE_PX = 1


def matte_loss(outputs: Sequence[Tensor], matte: Tensor, is_vote: Tensor) -> Tensor:
    """Mean over the batch, all outputs taken together.

    Args:
        outputs: logits (N, 1, s, s), the finest first, as Network gives them.
        matte: (N, 1, S, S) in [0, 1].
        is_vote: (N,) bool; a vote's undecided pixels teach nothing.
    """
    weight = 1 + _BOUNDARY_GAIN * _near_boundary(matte)
    weight = torch.where(is_vote[:, None, None, None], weight * (2 * matte - 1).abs(), weight)
    total = matte.new_zeros(())
    for output in outputs:
        step = matte.shape[-1] // output.shape[-1]
        target, trust = (functional.avg_pool2d(map_, step) if step > 1 else map_ for map_ in (matte, weight))
        share = 1.0 if output is outputs[0] else _SIDE_WEIGHT
        total = total + share * _structure_loss(output.float(), target, trust)
    return total + _OUTLINE_WEIGHT * _outline_loss(torch.where(weight > 0, outputs[0].float().sigmoid(), matte), matte)


def _outline_loss(chance: Tensor, matte: Tensor) -> Tensor:
    """1 - F of the outlines, each pixel found where the other outline passes within the tolerance."""
    seen, true = _outline(chance), _outline(matte)
    reach = 2 * _OUTLINE_TOLERANCE_PX + 1
    near_seen, near_true = (functional.max_pool2d(map_, reach, 1, _OUTLINE_TOLERANCE_PX) for map_ in (seen, true))
    right = (seen * near_true).sum((1, 2, 3)) + 1
    found = (true * near_seen).sum((1, 2, 3)) + 1
    precision, recall = right / (seen.sum((1, 2, 3)) + 1), found / (true.sum((1, 2, 3)) + 1)
    return (1 - 2 * precision * recall / (precision + recall)).mean()


def _outline(map_: Tensor) -> Tensor:
    """(N, 1, S, S) in [0, 1]: how much a pixel of the product stands out from a neighbour."""
    return map_ + functional.max_pool2d(-map_, 3, 1, 1)


def _near_boundary(matte: Tensor) -> Tensor:
    """(N, 1, S, S) in [0, 1], 0 away from boundaries."""
    cells = functional.avg_pool2d(matte, _BOUNDARY_CELL_PX)
    around = functional.avg_pool2d(cells, _BOUNDARY_REACH, 1, _BOUNDARY_REACH // 2, count_include_pad=False)
    return functional.interpolate((around - cells).abs(), scale_factor=float(_BOUNDARY_CELL_PX))


def _structure_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    entropy = functional.binary_cross_entropy_with_logits(logits, target, weight, reduction="none").sum((1, 2, 3))
    entropy = entropy / weight.sum((1, 2, 3)).clamp(min=1.0)
    chance = logits.sigmoid()
    both = (weight * chance * target).sum((1, 2, 3))
    either = (weight * (chance + target)).sum((1, 2, 3)) - both
    return (entropy + 1 - (both + 1) / (either + 1)).mean()
