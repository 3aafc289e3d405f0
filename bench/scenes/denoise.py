"""Remove Monte Carlo noise while keeping texture and edges, guided by noise-free albedo and normals.

Dammertz et al., Edge-avoiding À-Trous wavelet transform for fast global illumination filtering, HPG 2010.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Linear = NDArray[np.float32]

_TAPS = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1) if (row, col) != (0, 0)]


def denoise(light: Linear, albedo: Linear, normals: Linear, levels: int = 4, strength: float = 0.35) -> Linear:
    """Return ``light`` smoothed where albedo and normals agree; all float32 (H, W, 3).

    What is filtered is light over albedo, so printed texture passes through untouched. ``strength`` is the relative
    brightness difference, between local means, that starts to count as an edge.
    """
    floor = np.maximum(albedo, np.float32(0.04))
    shading = _without_fireflies(np.asarray(light / floor, np.float32))
    guide = np.concatenate([albedo / np.float32(0.08), normals / np.float32(0.12)], axis=2)
    height, width = light.shape[:2]
    for level in range(levels):
        step = 2**level
        # Means, not pixels, are compared: at few samples a pixel's own brightness is mostly noise.
        mean = cv2.GaussianBlur(shading.mean(axis=2), (0, 0), 2.0)
        tone = np.log(mean + np.float32(0.02)) / np.float32(strength)
        total = shading.copy()
        weights = np.ones((height, width), np.float32)
        for row, col in _TAPS:
            here = (_span(row * step, height), _span(col * step, width))
            there = (_span(-row * step, height), _span(-col * step, width))
            distance = (tone[here] - tone[there]) ** 2
            for channel in range(guide.shape[2]):
                distance += (guide[(*here, channel)] - guide[(*there, channel)]) ** 2
            kernel = np.float32(0.25 if row and col else 0.5)
            weight = kernel * np.exp(-distance)
            total[here] += weight[..., None] * shading[there]
            weights[here] += weight
        shading = total / weights[..., None]
    return np.asarray(shading * floor, np.float32)


def clean_outline(light: Linear, matte: Linear) -> Linear:
    """Return linear light (H, W, 3) whose mixed pixels follow the matting equation with the exact matte (H, W).

    The filter leaves the outline alone, since its pixels resemble no neighbour, and with few samples it stays ragged.
    Product and background colour are continued from the pure pixels nearby; where there are none, nothing changes.
    """
    pure = {"product": matte >= 0.99, "background": matte <= 0.01}
    mixed = ~(pure["product"] | pure["background"])
    colours = {}
    for side, known in pure.items():
        share = cv2.GaussianBlur(known.astype(np.float32), (0, 0), 1.5)
        mixed &= share > 1e-3
        colours[side] = cv2.GaussianBlur(light * known[..., None], (0, 0), 1.5) / np.maximum(share, 1e-3)[..., None]
    composite = matte[..., None] * colours["product"] + (1 - matte[..., None]) * colours["background"]
    return np.asarray(np.where(mixed[..., None], composite, light), np.float32)


def _without_fireflies(shading: Linear) -> Linear:
    """Dim pixels far brighter than the median around them: single light paths that a few samples cannot average."""
    tone = shading.mean(axis=2)
    limit = 2 * cv2.medianBlur(tone, 5) + np.float32(0.02)
    return np.asarray(shading * np.minimum(1, limit / np.maximum(tone, np.float32(1e-6)))[..., None], np.float32)


def _span(shift: int, length: int) -> slice:
    """Return the slice of positions p for which p - shift is inside, and its mirror for -shift."""
    return slice(max(shift, 0), length + min(shift, 0))
