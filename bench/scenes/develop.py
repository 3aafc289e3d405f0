"""Develop linear light as a phone would: lens fall-off, white balance, sensor noise, tone curve, JPEG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from bench.scenes.scenes import Development

_ORIENTATION_TAG = 0x0112
# What a viewer does for each tag is undone before storing.
_STORE = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def _tone(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map linear light to sRGB values in [0, 1]: straight up to 0.6, then a shoulder that never quite clips."""
    knee, room = np.float32(0.6), np.float32(0.4)
    over = np.maximum(linear - knee, 0) / room
    light = np.where(linear > knee, knee + room * (1 - np.exp(-over)), np.maximum(linear, 0))
    return np.asarray(
        np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-8) ** (1 / 2.4) - 0.055), np.float32
    )


def develop(linear: NDArray[np.float32], look: Development, seed: int) -> NDArray[np.uint8]:
    """Return the upright image, uint8 (H, W, 3), of linear light (H, W, 3)."""
    height, width = linear.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    falloff = 1 - np.float32(look.vignetting) * (x**2 + y**2) / 2
    gains = np.asarray([look.white_balance[0], 1.0, look.white_balance[1]], np.float32) * 2.0**look.exposure_ev
    exposed = linear * falloff[..., None] * gains.astype(np.float32)
    rng = np.random.default_rng(seed)
    # Photon noise grows with the root of the light, read noise does not; demosaicing smears both a little.
    grain = cv2.GaussianBlur(rng.standard_normal(linear.shape).astype(np.float32), (0, 0), 0.6) * np.float32(1.9)
    noisy = exposed + grain * np.float32(look.noise) * np.sqrt(np.maximum(exposed, 0) + np.float32(0.02))
    tone = _tone(noisy)
    sharpened = tone + np.float32(0.35) * (tone - cv2.GaussianBlur(tone, (0, 0), 1.2))
    return np.asarray(np.clip(np.rint(sharpened * 255), 0, 255), np.uint8)


def save_photo(image: NDArray[np.uint8], path: Path, look: Development) -> None:
    """Write a JPEG stored the way the phone was held, with the EXIF orientation that sets it upright again."""
    stored = Image.fromarray(image)
    if look.orientation != 1:
        stored = stored.transpose(_STORE[look.orientation])
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = look.orientation
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    stored.save(path, quality=look.jpeg_quality, subsampling="4:2:0", optimize=True, exif=exif, icc_profile=profile)


def save_matte(matte: NDArray[np.float32], path: Path) -> None:
    """Write a matte (H, W) in [0, 1] as an 8-bit grey PNG."""
    Image.fromarray(np.rint(matte * 255).astype(np.uint8)).save(path, optimize=True)
