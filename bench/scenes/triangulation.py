"""Alpha and colour of a product from how it looks before black and before white.

Smith and Blinn, Blue screen matting, SIGGRAPH 1996: C = alpha F + (1 - alpha) B, known for two backdrops B.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Linear = NDArray[np.float32]


def triangulate(black: Linear, white: Linear) -> tuple[Linear, Linear]:
    """Return the matte (H, W) and the straight colour (H, W, 3) of linear pictures (H, W, 3) before black and white.

    One alpha stands for three channels, the mean of what each holds back: a tint of what comes through is in neither
    matte nor colour. A highlight brighter than what its alpha can carry raises alpha instead; over white both clip to
    the same. Where alpha is 0 the colour is 0.
    """
    held_back = 1 - (white - black).mean(axis=2)
    alpha = np.clip(np.maximum(held_back, np.minimum(black, 1).max(axis=2)), 0, 1)
    color = np.divide(black, alpha[..., None], out=np.zeros_like(black), where=alpha[..., None] > 1e-4)
    return np.asarray(alpha, np.float32), np.asarray(np.clip(color, 0, 1), np.float32)


def over(color: Linear, matte: Linear, backdrop: Linear | float) -> Linear:
    """Return the straight colour (H, W, 3) over a backdrop by the matte (H, W), all linear."""
    weight = matte[..., None]
    return np.asarray(weight * color + (1 - weight) * np.asarray(backdrop, np.float32), np.float32)
