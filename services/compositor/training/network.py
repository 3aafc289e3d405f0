"""The edge network: a small residual U-Net over patches, one for all scales.

It sees the photo, the trimap and the alpha believed so far (from a coarser level, from a segmenter, or nothing) and
answers with alpha. All work is done at half resolution and below; the finest detail travels as channels.

References
----------
Xu, Price, Cohen, Huang, "Deep Image Matting", CVPR 2017 (image and trimap in, alpha out); Shi et al., "Real-Time Single
Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", CVPR 2016 (pixels as channels); Yu et al., "Mask
Guided Matting via Progressive Refinement Network", CVPR 2021 (coarse to fine, the band alone refined).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.common.layers import Residual, convolution

_INPUTS = 35
_HALF, _QUARTER, _EIGHTH = 24, 40, 72  # widths
_SURE = 0.9  # a prior from where on a pixel's colour is taken for its side's
_STRETCH = 0.03  # a sigmoid never gets to 0 and 1, alpha has to
SMALLEST_STEP = 64
"""A patch's sides are multiples of it."""


def to_input(image: Tensor, trimap: Tensor, prior: Tensor) -> Tensor:
    """What the network takes, (N, 35, S/2, S/2): pixels as channels, and what can be said of them beforehand.

    Beside photo, trimap and prior these are the colours of product and background next to each place, the alpha that
    mixes each pixel's colour from the two, and how far the two are apart: what a network would need many samples to
    learn by itself.

    Args:
        image: (N, 3, S, S) bytes, sRGB.
        trimap: (N, 1, S, S) with 0, 128 and 255.
        prior: (N, 1, S, S) alpha in [0, 1].
    """
    colour = image.float() / 255
    is_product, is_background = (trimap == 255).float(), (trimap == 0).float()
    sure = (prior - _SURE) / (1 - _SURE), (1 - prior - _SURE) / (1 - _SURE)
    small = functional.avg_pool2d(colour, 2)
    product, background = (
        _spread(colour, torch.maximum(known, believed).clamp(0, 1))
        for known, believed in zip((is_product, is_background), sure, strict=True)
    )
    # A square is near enough to the transfer curve, and light is what mixes.
    light = functional.pixel_unshuffle(colour * colour, 2).unflatten(1, (3, 4))
    bright, dim = product * product, background * background
    apart = bright - dim
    contrast = (apart * apart).sum(dim=1, keepdim=True)
    mixed = ((light - dim[:, :, None]) * apart[:, :, None]).sum(dim=1) / (contrast + 1e-3)
    pixels = torch.cat([colour * 2 - 1, is_product, is_background, prior * 2 - 1], dim=1)
    return torch.cat(
        [
            functional.pixel_unshuffle(pixels, 2),
            mixed.clamp(-0.5, 1.5) * 2 - 1,
            product - small,
            background - small,
            (contrast + 1e-4).sqrt(),
        ],
        dim=1,
    )


def _spread(colour: Tensor, weight: Tensor) -> Tensor:
    """Fill a picture (N, 3, S, S) from where the weight (N, 1, S, S) is, at half its size: averages of larger blocks,
    and back."""
    levels = [(functional.avg_pool2d(colour * weight, 2), functional.avg_pool2d(weight, 2))]
    while levels[-1][0].shape[-1] > 1:
        levels.append((functional.avg_pool2d(levels[-1][0], 2), functional.avg_pool2d(levels[-1][1], 2)))
    filled = levels[-1][0] / (levels[-1][1] + 1e-4)
    for part, share in levels[-2::-1]:
        filled = functional.interpolate(filled, scale_factor=2.0, mode="bilinear")
        filled = part + (1 - share) * filled
    return filled


class EdgeNetwork(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """(N, 35, S/2, S/2) from `to_input` to alpha (N, 1, S, S), S a multiple of 64; a little beyond [0, 1] at times."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = convolution(_INPUTS, _HALF)
        self.to_quarter = nn.Sequential(convolution(_HALF, _QUARTER, stride=2), Residual(_QUARTER))
        self.to_eighth = nn.Sequential(
            convolution(_QUARTER, _EIGHTH, stride=2), Residual(_EIGHTH), Residual(_EIGHTH, 2)
        )
        self.up_quarter = nn.Sequential(
            convolution(_EIGHTH + _QUARTER, _QUARTER, side=1), convolution(_QUARTER, _QUARTER)
        )
        self.up_half = nn.Sequential(convolution(_QUARTER + _HALF, _HALF, side=1), convolution(_HALF, _HALF))
        self.finest = nn.Sequential(nn.Conv2d(_HALF, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, given: Tensor) -> Tensor:
        half = self.enter(given)
        quarter = self.to_quarter(half)
        features = functional.interpolate(self.to_eighth(quarter), scale_factor=2.0)
        features = functional.interpolate(self.up_quarter(torch.cat([features, quarter], dim=1)), scale_factor=2.0)
        features = self.up_half(torch.cat([features, half], dim=1))
        alpha: Tensor = self.finest(features).sigmoid() * (1 + 2 * _STRETCH) - _STRETCH
        return alpha
