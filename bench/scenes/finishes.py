"""What products are made of: colours and finishes drawn from a seed.

White and glossy ones are drawn far more often than shops have them: white on white is what a segmenter learns last.
"""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.random import Generator

from bench.scenes import textures
from bench.scenes.materials import Material, metal, paint, plastic, srgb, texture


def colour_bytes(rng: Generator, white: float = 0.4) -> textures.Colour:
    """Draw an sRGB colour: near white with that probability, else dark, grey, pastel or saturated."""
    draw = rng.random()
    if draw < white:
        level = rng.uniform(222, 250)
        red, green, blue = level + rng.uniform(-5, 5, 3) * (1.0, 0.7, 1.6)
    elif draw < white + (1 - white) * 0.22:
        red, green, blue = rng.uniform(14, 60) + rng.uniform(-6, 6, 3)
    elif draw < white + (1 - white) * 0.34:
        red, green, blue = rng.uniform(90, 200) + rng.uniform(-8, 8, 3)
    else:
        hue, saturation, value = rng.random(), rng.uniform(0.2, 0.95), rng.uniform(0.35, 0.98)
        red, green, blue = (255 * channel for channel in colorsys.hsv_to_rgb(hue, saturation, value))
    clipped = np.clip([red, green, blue], 0, 255)
    return int(clipped[0]), int(clipped[1]), int(clipped[2])


def colour(rng: Generator, white: float = 0.4) -> Material:
    return srgb(*colour_bytes(rng, white))


def glossy(rng: Generator, colour: Material) -> Material:
    return plastic(colour, float(rng.uniform(0.03, 0.14)))


def coated(rng: Generator, colour: Material) -> Material:
    """Draw a finish for a colour, from mirror-like glaze to chalk."""
    draw = rng.random()
    if draw < 0.5:
        return glossy(rng, colour)
    if draw < 0.8:
        return plastic(colour, float(rng.uniform(0.15, 0.4)))
    return paint(colour)


def ceramic(rng: Generator) -> Material:
    """Draw a glaze, most often white and glossy."""
    if rng.random() < 0.2:
        return glossy(rng, texture(textures.glaze((512, 1024), int(rng.integers(1 << 30)), colour_bytes(rng, 0.2))))
    return coated(rng, colour(rng, 0.6))


def steel(rng: Generator) -> Material:
    tints = [srgb(235, 235, 238), srgb(225, 225, 228), srgb(240, 205, 130), srgb(235, 170, 140), srgb(120, 120, 126)]
    return metal(tints[int(rng.choice(len(tints), p=[0.4, 0.3, 0.12, 0.1, 0.08]))], float(rng.uniform(0.02, 0.28)))


def wooden(rng: Generator) -> Material:
    light, dark = ((206, 164, 118), (126, 84, 52)) if rng.random() < 0.6 else ((120, 78, 50), (60, 36, 24))
    grain = textures.wood(256, 2, int(rng.integers(1 << 30)), light, dark)
    return plastic(texture(grain), float(rng.uniform(0.2, 0.4)))


def woven(rng: Generator) -> Material:
    """Draw a cloth: plain with a weave's unevenness, or checked."""
    seed = int(rng.integers(1 << 30))
    if rng.random() < 0.3:
        return paint(
            texture(
                textures.gingham(384, int(rng.integers(2, 7)), 96, seed, colour_bytes(rng, 0.8), colour_bytes(rng, 0))
            )
        )
    return paint(texture(textures.plaster(256, seed, colour_bytes(rng, 0.35), float(rng.uniform(2, 9)))))


def printed(rng: Generator, aspect: float) -> Material:
    """Draw a printed label of that width over height."""
    height = int(np.clip(320 / max(aspect, 1.0), 64, 320))
    picture = textures.label(
        max(48, round(height * aspect)), height, int(rng.integers(1 << 30)), colour_bytes(rng, 0.45)
    )
    return plastic(texture(picture), float(rng.uniform(0.08, 0.4)))


def tint(rng: Generator, strength: tuple[float, float] = (0.2, 0.8)) -> Material:
    """Draw the colour of a liquid or of coloured glass: what is left of light after one crossing."""
    hue = colorsys.hsv_to_rgb(rng.random(), float(rng.uniform(*strength)), 1.0)
    return {"type": "rgb", "value": [float(max(channel, 0.08) ** 1.5) for channel in hue]}
