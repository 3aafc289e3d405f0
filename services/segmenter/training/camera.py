"""What light and camera do to a picture, at random. Images are (S, S, 3) uint8 RGB."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def relight(rng: np.random.Generator, image: Image, strength: float = 1.0) -> Image:
    """Exposure, contrast, gamma, colour cast, saturation and a light from one side."""
    values = (np.arange(256, dtype=np.float32) / np.float32(255)) ** np.float32(np.exp(rng.normal(0, 0.25 * strength)))
    gain = np.exp(rng.normal(0, 0.15 * strength)) * (1 + rng.normal(0, 0.04 * strength, 3))
    table = np.clip(values[:, None] * gain * 255, 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), np.uint8)
    saturation = np.clip(1 + rng.normal(0, 0.3 * strength), 0, 2)
    image = np.asarray(cv2.transform(image, np.eye(3) * saturation + np.full((3, 3), (1 - saturation) / 3)), np.uint8)
    if rng.random() < 0.3:
        ramp = 1 + np.linspace(-1, 1, image.shape[1], dtype=np.float32) * np.float32(rng.uniform(-0.3, 0.3) * strength)
        ramps = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], image.shape))
        image = np.asarray(cv2.multiply(image, ramps, dtype=cv2.CV_8U), np.uint8)
    return image


def expose(rng: np.random.Generator, image: Image) -> Image:
    """The camera's own doing: white balance, blur or sharpening, noise, JPEG."""
    if rng.random() < 0.7:
        image = relight(rng, image, 0.5)
    chance = rng.random()
    if chance < 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.3)), np.uint8)
    elif chance < 0.4:
        soft = cv2.GaussianBlur(image, (0, 0), 1.0)
        image = np.asarray(cv2.addWeighted(image, 1.6, soft, -0.6, 0), np.uint8)
    if rng.random() < 0.4:
        noise = rng.standard_normal(image.shape[:2], dtype=np.float32)[..., None] * np.float32(rng.uniform(1, 10))
        image = np.asarray(np.clip(image + noise, 0, 255), np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(35, 95))
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image
