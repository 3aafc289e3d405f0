"""sRGB transfer, CIELAB and colour difference: what several services measure colour with.

References:
    IEC 61966-2-1 (sRGB), CIE 15 (CIELAB, D65, 2 degree observer).
    Sharma, Wu, Dalal, "The CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test
    Data, and Mathematical Observations", Color Research and Application 30(1), 2005.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Linear sRGB to XYZ, rows already divided by the D65 white so that white is (1, 1, 1).
_RGB_TO_XYZ_OVER_WHITE = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_RGB_TO_XYZ_OVER_WHITE /= _RGB_TO_XYZ_OVER_WHITE.sum(axis=1, keepdims=True)
_CIE_EPSILON = 216 / 24389
_CIE_KAPPA = 24389 / 27
_25_POW_7 = 25.0**7


def srgb_to_linear(image: NDArray[Any]) -> NDArray[np.float32]:
    """Undo the sRGB transfer curve.

    Args:
        image: any shape; uint8, or floating point in [0, 1].

    Returns:
        float32 of the same shape, linear light in [0, 1].
    """
    if image.dtype == np.uint8:
        linear: NDArray[np.float32] = cv2.LUT(image.reshape(1, -1), _linear_of_byte()).reshape(image.shape)
        return linear
    encoded = image.astype(np.float32, copy=False)
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_to_srgb(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Apply the sRGB transfer curve.

    Args:
        linear: float32, any shape; clipped to [0, 1].

    Returns:
        uint8 of the same shape, to the nearest byte as far as 16 bits of linear light can tell.
    """
    fixed_point = cv2.multiply(linear.reshape(1, -1), 65535.0, dtype=cv2.CV_16U)
    encoded: NDArray[np.uint8] = cv2.LUT(fixed_point, _byte_of_linear()).reshape(linear.shape)
    return encoded


def srgb_to_lab(image: NDArray[Any]) -> NDArray[np.float32]:
    """Convert sRGB colours to CIELAB (D65).

    Args:
        image: (..., 3) RGB; uint8, or floating point in [0, 1].

    Returns:
        float32 (..., 3): L* in [0, 100], a* and b*.
    """
    linear = srgb_to_linear(image)
    xyz = cv2.transform(linear.reshape(-1, 1, 3), _RGB_TO_XYZ_OVER_WHITE.astype(np.float32)).reshape(linear.shape)
    f = np.where(xyz > _CIE_EPSILON, np.cbrt(xyz), (_CIE_KAPPA * xyz + 16) / 116)
    lab = np.empty_like(linear)
    lab[..., 0] = 116 * f[..., 1] - 16
    lab[..., 1] = 500 * (f[..., 0] - f[..., 1])
    lab[..., 2] = 200 * (f[..., 1] - f[..., 2])
    return lab


def lab_to_srgb(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert CIELAB colours (D65) to sRGB.

    Args:
        lab: (..., 3) float32.

    Returns:
        uint8 (..., 3): RGB, the nearest value in [0, 255] where the colour lies outside of sRGB.
    """
    f = np.empty_like(lab)
    f[..., 1] = (lab[..., 0] + 16) / 116
    f[..., 0] = f[..., 1] + lab[..., 1] / 500
    f[..., 2] = f[..., 1] - lab[..., 2] / 200
    xyz = np.where(f**3 > _CIE_EPSILON, f**3, (116 * f - 16) / np.float32(_CIE_KAPPA)).astype(np.float32)
    rgb = np.linalg.inv(_RGB_TO_XYZ_OVER_WHITE).astype(np.float32)
    return linear_to_srgb(np.clip(cv2.transform(xyz.reshape(-1, 1, 3), rgb).reshape(lab.shape), 0, 1))


def ciede2000(lab1: NDArray[Any], lab2: NDArray[Any]) -> NDArray[np.float32]:
    """Colour difference CIEDE2000 with unit weights (Sharma 2005, equations 2 to 22).

    Args:
        lab1: (..., 3) CIELAB, floating point; float64 is computed in float64.
        lab2: (..., 3) CIELAB, same or broadcastable shape.

    Returns:
        float32 (...): difference, 0 for equal colours, about 1 for a just noticeable one.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(lab1), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(lab2), -1, 0)

    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_c7 / (mean_c7 + _25_POW_7)))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1 = np.degrees(np.arctan2(b1, a1)) % 360
    h2 = np.degrees(np.arctan2(b2, a2)) % 360

    # Hue difference and mean go the short way round; where a chroma is 0 there is no hue to compare.
    achromatic = c1 * c2 == 0
    turn = h2 - h1
    wraps = np.abs(turn) > 180
    delta_h = np.where(achromatic, 0, np.where(wraps, turn - np.copysign(360, turn), turn))
    total = h1 + h2
    mean_h = np.where(wraps, np.where(total < 360, total + 360, total - 360), total) / 2
    mean_h = np.where(achromatic, total, mean_h)

    delta_l = l2 - l1
    delta_c = c2 - c1
    delta_big_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(delta_h) / 2)

    mean_l50 = ((l1 + l2) / 2 - 50) ** 2
    mean_c = (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    s_l = 1 + 0.015 * mean_l50 / np.sqrt(20 + mean_l50)
    s_c = 1 + 0.045 * mean_c
    s_h = 1 + 0.015 * mean_c * t
    mean_c7 = mean_c**7
    r_c = 2 * np.sqrt(mean_c7 / (mean_c7 + _25_POW_7))
    r_t = -np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2)))) * r_c

    by_l, by_c, by_h = delta_l / s_l, delta_c / s_c, delta_big_h / s_h
    squared = by_l**2 + by_c**2 + by_h**2 + r_t * by_c * by_h
    difference: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0)).astype(np.float32)
    return difference


@cache
def _linear_of_byte() -> NDArray[np.float32]:
    encoded = np.arange(256, dtype=np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@cache
def _byte_of_linear() -> NDArray[np.uint8]:
    linear = np.arange(65536, dtype=np.float64) / 65535
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    encoded_bytes: NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    return encoded_bytes
