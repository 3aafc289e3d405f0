"""Materials as Mitsuba's plugin dictionaries, textures as arrays: nothing here needs Mitsuba."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.scenes import textures

Material = dict[str, Any]


def srgb(red: int, green: int, blue: int) -> Material:
    """Return a constant colour from sRGB bytes."""
    bytes_ = np.array([red, green, blue]) / 255
    linear = np.where(bytes_ <= 0.04045, bytes_ / 12.92, ((bytes_ + 0.055) / 1.055) ** 2.4)
    return {"type": "rgb", "value": [float(channel) for channel in linear]}


def texture(image: textures.Image8, repeat: float = 1.0) -> Material:
    """Return a picture as a texture, tiled ``repeat`` times by mirroring."""
    # Mitsuba counts v from the picture's top row, our meshes from its foot.
    return {"type": "bitmap", "bitmap": image[::-1], "wrap_mode": "mirror", "repeat": repeat}


def paint(colour: Material) -> Material:
    """Return paint, paper or cloth: no gloss."""
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": colour}}


def plastic(colour: Material, roughness: float) -> Material:
    """Return a colour under a clear coat: plastic, glaze, varnish (roughness 0.02 mirrors, 0.4 is silky)."""
    coat = {"type": "roughplastic", "diffuse_reflectance": colour, "alpha": roughness, "nonlinear": True}
    return {"type": "twosided", "bsdf": coat}


def metal(colour: Material, roughness: float) -> Material:
    """Return brushed metal of a tint."""
    return {
        "type": "twosided",
        "bsdf": {"type": "roughconductor", "material": "Al", "alpha": roughness, "specular_reflectance": colour},
    }


def glass(tint: Material, ior: float = 1.5, roughness: float = 0.0) -> Material:
    """Return clear or frosted glass, or a liquid (``ior`` 1.33); the tint is applied at each crossing."""
    body = {"int_ior": ior, "ext_ior": 1.0, "specular_transmittance": tint}
    if roughness > 0:
        return {"type": "roughdielectric", "alpha": roughness, **body}
    return {"type": "dielectric", **body}
