"""Whole photos of a simple product, as files, for end-to-end tests: what is in them is known exactly."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.photo import encode_jpeg, encode_png

SIDE_PX = 640
_SUPERSAMPLE = 4


def mug_matte(side_px: int = SIDE_PX) -> NDArray[np.float32]:
    """float32 (H, W) in [0, 1]: a mug seen from the side, its handle with a hole, off the middle of the frame."""
    scale = side_px * _SUPERSAMPLE / 640
    shape = np.zeros((side_px * _SUPERSAMPLE,) * 2, np.uint8)
    cv2.ellipse(shape, _at(430, 320, scale), _at(85, 100, scale), 0, 0, 360, 255, round(36 * scale))
    cv2.rectangle(shape, _at(180, 170, scale), _at(420, 490, scale), 255, -1)
    return np.asarray(cv2.resize(shape, (side_px, side_px), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def mug_image(side_px: int = SIDE_PX, color: tuple[int, int, int] = (30, 90, 130)) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): the mug on a light grey sweep that darkens downwards, with a little noise."""
    matte = mug_matte(side_px)[..., None]
    sweep = np.linspace(205, 165, side_px, dtype=np.float32)[:, None, None] * np.ones((1, side_px, 3), np.float32)
    shading = np.linspace(1.15, 0.85, side_px, dtype=np.float32)[None, :, None]
    photo = matte * np.array(color, np.float32) * shading + (1 - matte) * sweep
    noise = np.random.default_rng(7).normal(0, 1.5, photo.shape)
    return np.asarray(np.clip(np.rint(photo + noise), 0, 255), np.uint8)


def mug_jpeg(side_px: int = SIDE_PX) -> bytes:
    """The mug as a JPEG."""
    return encode_jpeg(mug_image(side_px), 92)


def mug_cutout_png(side_px: int = SIDE_PX) -> bytes:
    """The mug as a PNG that has its exact matte as alpha."""
    alpha = np.rint(mug_matte(side_px) * 255).astype(np.uint8)
    return encode_png(np.ascontiguousarray(np.dstack([mug_image(side_px), alpha])))


def blank_jpeg(value: int = 255, side_px: int = SIDE_PX) -> bytes:
    """A photo of nothing at all."""
    return encode_jpeg(np.full((side_px, side_px, 3), value, np.uint8), 92)


def _at(x: float, y: float, scale: float) -> tuple[int, int]:
    return round(x * scale), round(y * scale)
