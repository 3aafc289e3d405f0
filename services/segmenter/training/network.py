"""Packshot's own network: a compact residual U-Net with a little attention where the frame is smallest.

What is salient is decided by the whole frame, so most weights sit at 1/32 resolution, where they cost least; edges are
decided by the early maps, carried over by skips. Every decoder step has a side output for intermediate supervision.

References
----------
Ronneberger et al., "U-Net", MICCAI 2015; He et al., "Deep residual learning", CVPR 2016; Qin et al., "Highly Accurate
Dichotomous Image Segmentation", ECCV 2022 (intermediate supervision); Chu et al., "Conditional positional encodings
for vision transformers", ICLR 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.common.layers import Residual, convolution

_WIDTHS = (16, 32, 64, 112, 176)  # at 1/2, 1/4, 1/8, 1/16, 1/32
_DEPTHS = (0, 1, 2, 2, 2)
_DECODER_WIDTHS = (16, 32, 48, 80)  # at 1/2, 1/4, 1/8, 1/16
_ATTENTION_BLOCKS = 2
_HEADS = 4
SMALLEST_STEP = 32
"""The input's sides are multiples of it."""


def to_input(image: Tensor) -> Tensor:
    """Bytes (N, 3, S, S) to what the network takes."""
    return image.float().div_(127.5).sub_(1.0)


class _Attention(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """A transformer block over all positions, told where they are by a depthwise convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.second_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.position(features)
        batch, width, height, breadth = features.shape
        tokens = features.flatten(2).transpose(1, 2)
        heads = self.mix(self.norm(tokens)).reshape(batch, height * breadth, 3, _HEADS, width // _HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(seen.transpose(1, 2).reshape(batch, height * breadth, width))
        tokens = tokens + self.narrow(functional.gelu(self.widen(self.second_norm(tokens))))
        return tokens.transpose(1, 2).reshape(batch, width, height, breadth)


class _Up(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """Doubles the resolution and takes in the encoder's map of that size."""

    def __init__(self, before: int, skip: int, after: int, *, refined: bool) -> None:
        super().__init__()
        self.narrow = convolution(before + skip, after, side=1)
        self.refine = Residual(after) if refined else convolution(after, after)
        self.side = nn.Conv2d(after, 1, 1)

    def forward(self, features: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        features = functional.interpolate(features, scale_factor=2.0)
        features = self.refine(self.narrow(torch.cat([features, skip], dim=1)))
        return features, self.side(features)


class Network(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """Image (N, 3, S, S) float in [-1, 1] to logits of the product's matte, S a multiple of 32."""

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = 3
        for width, depth in zip(_WIDTHS, _DEPTHS, strict=True):
            blocks = [convolution(before, width, stride=2), *(Residual(width, 1 + i % 2) for i in range(depth))]
            stages.append(nn.Sequential(*blocks))
            before = width
        self.stages = nn.ModuleList(stages)
        self.attention = nn.Sequential(*(_Attention(before) for _ in range(_ATTENTION_BLOCKS)))
        self.deepest = nn.Conv2d(before, 1, 1)
        ups: list[nn.Module] = []
        for skip, after in zip(_WIDTHS[-2::-1], _DECODER_WIDTHS[::-1], strict=True):
            ups.append(_Up(before, skip, after, refined=skip != _WIDTHS[0]))
            before = after
        self.ups = nn.ModuleList(ups)
        self.finest = nn.Sequential(nn.Conv2d(before, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, image: Tensor) -> Sequence[Tensor]:
        """Logits, the finest (N, 1, S, S) first, then the side outputs from 1/2 to 1/32."""
        features, skips = image, []
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        features = self.attention(features)
        outputs = [self.deepest(features)]
        for up, skip in zip(self.ups, skips[-2::-1], strict=True):
            features, side = up(features, skip)
            outputs.append(side)
        outputs.append(self.finest(features))
        return outputs[::-1]
