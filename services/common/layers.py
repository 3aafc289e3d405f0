"""Layers that every network trained here is made of.

Reference: He et al., "Deep residual learning for image recognition", CVPR 2016. Needs torch, the `training` extra.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def convolution(before: int, after: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution, normalised and rectified."""
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, side // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """Two convolutions added to what came in."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.second(self.first(features)))
