"""Generated surroundings that light a product: light tents, softboxes, windows, as environment maps.

Directions are the scenes' own: x right, y away from the camera, z up. Row 0 looks up; column 0 looks along +y and
columns turn towards +x.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.scenes.meshes import Floats

Radiance = NDArray[np.float32]

_ROWS: Final = 48
_COLUMNS: Final = 96


def directions() -> Floats:
    """Return the unit direction of each texel, (48, 96, 3)."""
    theta = (np.arange(_ROWS)[:, None] + 0.5) / _ROWS * np.pi
    phi = (np.arange(_COLUMNS)[None, :] + 0.5) / _COLUMNS * 2 * np.pi
    x, y, z = np.sin(phi) * np.sin(theta), np.cos(phi) * np.sin(theta), np.cos(theta)
    return np.stack(np.broadcast_arrays(x, y, z), axis=2)


def toward(azimuth_deg: float, elevation_deg: float) -> Floats:
    """Return the unit vector (3,) at that angle from +y towards +x, and above the horizon."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    return np.array([np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])


def surroundings(rng: Generator, forward: Floats) -> Radiance:
    """Draw an environment map, float32 (48, 96, 3) of linear radiance.

    A gradient from below to above, one to four softboxes or windows on it, and a plain backdrop around ``forward``, the
    direction the camera looks in: what glass shows. A white diffuse patch turned to the camera and a little up gets a
    radiance between 0.65 and 1.25.
    """
    where = directions()
    height = where[..., 2:]
    tint = 1 + rng.uniform(-0.06, 0.06) * np.array([1.0, 0.1, -1.0])
    below, level, above = rng.uniform(0.05, 1.0, 3) * rng.choice([0.15, 0.5, 1.0])
    light = np.where(height < 0, level + (below - level) * -height, level + (above - level) * height) * tint
    for _ in range(int(rng.integers(1, 5))):
        side, lift = rng.uniform(60, 300), rng.uniform(5, 85)
        light = light + _lamp(rng, where, toward(side, lift)) * (1 + rng.uniform(-0.12, 0.12) * np.array([1, 0.1, -1]))
    # Seen through glass: one plain colour, in a cone of 25 degrees that fades out by 45.
    away = np.degrees(np.arccos(np.clip(where @ forward, -1, 1)))
    share = np.clip((45 - away) / 20, 0, 1)[..., None]
    backdrop = rng.uniform(0.15, 1.1) * (1 + rng.uniform(-0.2, 0.2, 3) * (rng.random() < 0.4))
    exposure = rng.uniform(0.65, 1.25) / _white(where, light * (1 - share) + share * 0.5, -forward)
    return np.asarray(light * exposure * (1 - share) + share * backdrop, np.float32)


def among(sky: Radiance, floor: Floats, wall: Floats, forward: Floats) -> Radiance:
    """Return the sky with a floor of that radiance (3,) below and a wall (3,) far behind: their light is the spill.

    The floor fills what is below the horizon, the wall a cone of 45 degrees around ``forward`` that fades out by 75.
    """
    where = directions()
    level = forward * (1, 1, 0.3)
    away = np.degrees(np.arccos(np.clip(where @ (level / np.linalg.norm(level)), -1, 1)))
    behind = np.clip((75 - away) / 30, 0, 1)[..., None]
    below = np.clip(0.5 - where[..., 2:] * 8, 0, 1)
    return np.asarray((sky * (1 - behind) + wall * behind) * (1 - below) + floor * below, np.float32)


def _lamp(rng: Generator, where: Floats, centre: Floats) -> Floats:
    """Draw one softbox or window around ``centre``: radiance (48, 96, 1)."""
    across = np.cross(centre, (0.0, 0.0, 1.0))
    across /= np.linalg.norm(across)
    depth = where @ centre
    x, y = (where @ across) / np.maximum(depth, 1e-3), (where @ np.cross(across, centre)) / np.maximum(depth, 1e-3)
    half_x, half_y = np.tan(np.radians(rng.uniform(6, 40, 2)))
    soft = rng.uniform(0.05, 0.5)
    edge = np.maximum(np.abs(x) / half_x, np.abs(y) / half_y)
    shape = np.clip((1 - edge) / soft, 0, 1) * (depth > 0)
    if rng.random() < 0.3:  # a window's bars
        panes = rng.integers(1, 4, 2)
        for place, half, count in ((x, half_x, panes[0]), (y, half_y, panes[1])):
            phase = np.abs((place / half + 1) / 2 * count % 1 - 0.5)
            shape = shape * np.where(phase > 0.44, 0.1, 1.0)
    # Small lamps are brighter: each adds about as much light.
    return np.asarray(shape * rng.uniform(1.0, 8.0) / np.sqrt(half_x * half_y), float)[..., None]


def _white(where: Floats, light: Floats, facing: Floats) -> float:
    """Return the radiance of a white diffuse patch turned to ``facing`` and a little up, under that light."""
    normal = facing + (0.0, 0.0, 0.5)
    normal /= np.linalg.norm(normal)
    area = np.sqrt(1 - where[..., 2] ** 2)  # texels shrink towards the poles
    weight = np.clip(where @ normal, 0, None) * area
    return float((weight * light.mean(axis=2)).sum() / weight.sum())
