"""What a product is photographed before: six backdrops, drawn on the floor and the wall that the camera sees.

All light is linear, float32, 1.0 the brightest white of the photo. Nothing here needs Mitsuba.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from bench.scenes import textures
from bench.scenes.lighting import Radiance, directions
from bench.scenes.meshes import Floats, Mesh
from bench.scenes.silhouette import View

Linear = NDArray[np.float32]

_LIGHTS: Final = 24
_SHADOW_SCALE: Final = 4
_GLASS_SHADOW: Final = np.float32(0.3)


@dataclass(frozen=True)
class Sprite:
    """A thing to stand about in a room: its light (H, W, 3) and matte (H, W), standing on the lower edge."""

    light: Linear
    matte: Linear


@dataclass(frozen=True)
class Stage:
    """Floor and wall as the camera sees them, each float32 (H, W); lengths are in radii of the product.

    Attributes:
        across, along: place on the floor or the wall: to the right, and away from the camera, then up the wall.
        floor: 1 on the floor, 0 on the wall.
        lit: share of the light that the product lets through to the floor.
        focal_px: how many pixels a radius measures at the product.
    """

    across: Linear
    along: Linear
    floor: Linear
    lit: Linear
    focal_px: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.lit.shape
        return height, width


def decode(image: ArrayLike) -> Linear:
    """Return sRGB values in [0, 255] as linear light in [0, 1], float32 of the same shape."""
    value = np.asarray(image, np.float32) / np.float32(255)
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4), np.float32)


def stage(view: View, dense: list[Mesh], clear: list[Mesh], sky: Radiance, wall_radii: float) -> Stage:
    """Return the floor under the meshes, a wall ``wall_radii`` behind them, and the shadow they cast under that sky.

    Clear meshes let most of the light through.
    """
    points = np.concatenate([mesh.vertices for mesh in dense + clear])
    low, high = points.min(axis=0), points.max(axis=0)
    centre, floor_z = (low + high) / 2, float(low[2])
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    heading = view.axes[2] * (1, 1, 0)
    heading /= np.linalg.norm(heading)
    sideways = np.array([heading[1], -heading[0], 0.0])
    x = (np.arange(view.width_px) + 0.5 + view.left_px) / view.focal_px
    y = (np.arange(view.height_px) + 0.5 + view.top_px) / view.focal_px
    ray = view.axes[2] + x[None, :, None] * view.axes[0] - y[:, None, None] * view.axes[1]
    wall = float((centre - view.position) @ heading) + wall_radii * radius
    to_wall = wall / np.maximum(ray @ heading, 1e-6)
    to_floor = (floor_z - view.position[2]) / np.minimum(ray[..., 2], -1e-6)
    on_floor = (to_floor < to_wall) | (ray @ heading < 1e-6)
    place = view.position + np.where(on_floor, to_floor, to_wall)[..., None] * ray - centre
    along = place @ heading + np.where(on_floor, 0, place[..., 2] - (floor_z - centre[2]))
    depth = float((centre - view.position) @ view.axes[2])
    return Stage(
        np.asarray(place @ sideways / radius, np.float32),
        np.asarray(along / radius, np.float32),
        on_floor.astype(np.float32),
        _shadow(view, dense, sky, floor_z) * (1 - _GLASS_SHADOW * (1 - _shadow(view, clear, sky, floor_z))),
        radius * view.focal_px / depth,
    )


def _shadow(view: View, meshes: Iterable[Mesh], sky: Radiance, floor_z: float) -> Linear:
    """Return the share (H, W) of the sky's light that reaches the floor past the meshes.

    The sky is 24 lights of equal strength, drawn from it; each throws every triangle on the floor.
    """
    where = directions()
    up = np.clip(where[..., 2], 0, None)
    weight = (sky.mean(axis=2) * up * np.sqrt(1 - where[..., 2] ** 2) * (up > 0.15)).ravel()
    picks = np.searchsorted(np.cumsum(weight) / weight.sum(), (np.arange(_LIGHTS) + 0.5) / _LIGHTS)
    size = (-(-view.height_px // _SHADOW_SCALE), -(-view.width_px // _SHADOW_SCALE))
    blocked = np.zeros(size, np.float32)
    for light in where.reshape(-1, 3)[picks]:
        mask = np.zeros(size, np.uint8)
        for mesh in meshes:
            fallen = mesh.vertices - light * ((mesh.vertices[:, 2:] - floor_z) / light[2])
            depth = (fallen - view.position) @ view.axes[2]
            corners = np.clip(view.project(fallen) / _SHADOW_SCALE, -9999, 9999).astype(np.int32)
            for triangle in corners[mesh.faces[(depth[mesh.faces] > 1e-3).all(axis=1)]]:
                cv2.fillConvexPoly(mask, triangle, 1)
        blocked += mask
    soft = cv2.GaussianBlur(blocked / _LIGHTS, (0, 0), 1.6)
    whole = cv2.resize(soft, (view.width_px, view.height_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(1 - np.clip(whole, 0, 1), np.float32)


# Painting


def _colour(rng: Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Floats:
    """Draw a colour as linear light (3,)."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value))
    return np.asarray(decode(255 * np.array(rgb)), float)


def _mixed(first: ArrayLike, second: ArrayLike, share: Linear) -> Linear:
    weight = np.clip(share, 0, 1)[..., None]
    return np.asarray(np.asarray(first) * (1 - weight) + np.asarray(second) * weight, np.float32)


def _ramp(height: int, width: int, angle_deg: float) -> Linear:
    """Return a ramp from 0 to 1 across the frame, (H, W); 90° runs from the top to the bottom."""
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    angle = np.radians(angle_deg)
    return np.asarray(0.5 + x * np.cos(angle) + y * np.sin(angle), np.float32)


def _covered(place: tuple[Linear, Linear], picture: textures.Image8, per_radius: float, turn_deg: float) -> Linear:
    """Return the picture, mirrored on and on, laid on the floor at ``per_radius`` pictures a radius."""
    angle = np.radians(turn_deg)
    u = np.cos(angle) * place[0] - np.sin(angle) * place[1]
    v = np.sin(angle) * place[0] + np.cos(angle) * place[1]
    height, width = picture.shape[:2]
    columns, rows = (np.abs((t * per_radius + 100.3) % 2 - 1) for t in (u, v))
    step = np.hypot(np.gradient(columns, axis=1), np.gradient(columns, axis=0)) * width
    # Far away many texels fall on one pixel: a stack of blurred pictures stands in for a mean over each.
    level = np.log2(np.clip(step, 1, 16))
    total = np.zeros((*u.shape, 3), np.float32)
    for index in range(5):
        blurred = cv2.GaussianBlur(picture, (0, 0), 0.5 * 2.0**index) if index else picture
        seen = cv2.remap(
            blurred,
            (columns * (width - 1)).astype(np.float32),
            (rows * (height - 1)).astype(np.float32),
            cv2.INTER_LINEAR,
        )
        total += decode(seen) * np.clip(1 - np.abs(level - index), 0, 1)[..., None].astype(np.float32)
    return total


def _defocused(light: Linear, floor: Linear, sigma_px: float) -> Linear:
    """Blur the wall, and the floor a little before it."""
    far = cv2.GaussianBlur(1 - floor, (0, 0), 4 * sigma_px)
    return _mixed(light, cv2.GaussianBlur(light, (0, 0), sigma_px), np.clip(far * 2, 0, 1))


def _white(rng: Generator, ground: Stage, _: list[Sprite]) -> Linear:
    """A white table or paper, not quite white everywhere, as most sellers have it."""
    tone = rng.uniform(0.80, 0.97) * (1 + rng.uniform(-0.03, 0.03) * np.array([1, 0.1, -1]))
    ramp = _ramp(*ground.shape, rng.uniform(30, 150))
    light = _mixed(tone, tone * rng.uniform(0.86, 0.97), ramp)
    return light * _dimmed(ground, 0.35)


def _sweep(rng: Generator, ground: Stage, _: list[Sprite]) -> Linear:
    """Grey paper bent up to a wall, lit from above, with the product's shadow."""
    tone = rng.uniform(0.28, 0.62)
    height = np.clip((ground.along - ground.along[ground.floor > 0].max(initial=0) + 1.5) / 3.0, 0, 1)
    light = _mixed(np.full(3, tone), np.full(3, tone * rng.uniform(0.45, 0.8)), height * height * (3 - 2 * height))
    light *= _mixed(np.ones(3), np.full(3, 0.85), _ramp(*ground.shape, rng.uniform(-30, 30)))
    return light * _dimmed(ground, 0.12)


def _gradient(rng: Generator, ground: Stage, _: list[Sprite]) -> Linear:
    """Two saturated colours running into each other."""
    first, second = _colour(rng, (0.45, 0.95), (0.55, 1.0)), _colour(rng, (0.3, 0.9), (0.35, 1.0))
    return _mixed(first, second, _ramp(*ground.shape, rng.uniform(40, 140))) * _dimmed(ground, 0.3)


def _wood(rng: Generator, ground: Stage, _: list[Sprite]) -> Linear:
    """A wooden table before a painted wall, which is out of focus."""
    pairs = [((206, 164, 118), (126, 84, 52)), ((150, 104, 66), (82, 50, 32)), ((214, 190, 158), (160, 128, 96))]
    boards = textures.wood(1600, 4, int(rng.integers(1 << 30)), *pairs[int(rng.integers(3))])
    table = _covered((ground.across, ground.along), boards, 0.45, float(rng.choice([0.0, 90.0])) + rng.uniform(-12, 12))
    paint = _colour(rng, (0.02, 0.35), (0.45, 0.95))
    wall = _mixed(paint, paint * 0.75, _ramp(*ground.shape, rng.uniform(-40, 40)))
    table *= rng.uniform(0.85, 1.15) * _dimmed(ground, 0.12)
    return _defocused(_mixed(wall, table, ground.floor), ground.floor, 0.006 * max(ground.shape))


def _fabric(rng: Generator, ground: Stage, _: list[Sprite]) -> Linear:
    """A cloth that lies on the table and hangs behind it, checked or plain, in soft folds."""
    seed = int(rng.integers(1 << 30))
    dye = textures.to_image(255 * np.asarray(_colour(rng, (0.25, 0.9), (0.4, 0.95)), np.float32) ** (1 / 2.2))
    colour = (int(dye[0]), int(dye[1]), int(dye[2]))
    if rng.random() < 0.5:
        cloth = textures.gingham(1200, int(rng.integers(4, 12)), 150, seed, (244, 240, 232), colour)
    else:
        cloth = textures.gingham(1200, 2, 130, seed, colour, colour)
    light = _covered((ground.across, ground.along), cloth, 0.6, float(rng.uniform(-40, 40)))
    folds = textures.fractal((256, 256), (2, 3), seed, octaves=3)
    bent = np.gradient(cv2.GaussianBlur(folds, (0, 0), 3), axis=1) * 12
    picture = np.clip(128 + 60 * bent, 30, 255).astype(np.uint8)
    relief = cv2.resize(picture, ground.shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32) / 128
    return np.asarray(light * cv2.GaussianBlur(relief, (0, 0), 3)[..., None] * _dimmed(ground, 0.15), np.float32)


def _room(rng: Generator, ground: Stage, sprites: list[Sprite]) -> Linear:
    """A table full of other things before a wall with pictures."""
    height, width = ground.shape
    side = max(height, width)
    light = _wood(rng, ground, sprites) if rng.random() < 0.6 else _fabric(rng, ground, sprites)
    walled = ground.floor.mean() < 0.9
    for _ in range(int(rng.integers(3, 7)) if walled else 0):  # pictures, windows, shelves
        wide, tall = (int(t) for t in rng.uniform(0.08, 0.4, 2) * side)
        column, row = int(rng.uniform(-0.1, 1) * width), int(rng.uniform(-0.2, 0.5) * height)
        ink = textures.to_image(255 * np.asarray(_colour(rng, (0, 0.8), (0.15, 1)), np.float32))
        frame = textures.label(
            max(wide, 16), max(tall, 16), int(rng.integers(1 << 30)), (int(ink[0]), int(ink[1]), int(ink[2]))
        )
        _paste(light, decode(frame), (1 - ground.floor), row, column)
    light = _defocused(light, ground.floor, 0.008 * side)
    # From the back to the front, nearer ones lower in the picture; the middle is left to the product's foot.
    places = sorted(rng.uniform(0.25, 0.72 if walled else 1.1, int(rng.integers(5, 9))))
    for place in places:
        sprite = sprites[int(rng.integers(len(sprites)))]
        scale = side * rng.uniform(0.22, 0.5) * (0.5 + place) / max(sprite.matte.shape)
        size = (round(sprite.matte.shape[1] * scale), round(sprite.matte.shape[0] * scale))
        matte = cv2.resize(sprite.matte, size, interpolation=cv2.INTER_AREA)
        colour = cv2.resize(sprite.light, size, interpolation=cv2.INTER_AREA) * rng.uniform(0.7, 1.1)
        sigma = side * rng.uniform(0.0, 0.006)
        pad = int(3 * sigma) + 2
        colour, matte = (
            cv2.copyMakeBorder(t, pad, pad, pad, pad, kind)
            for t, kind in ((colour, cv2.BORDER_REPLICATE), (matte, cv2.BORDER_CONSTANT))
        )
        if sigma > 0.4:
            colour, matte = cv2.GaussianBlur(colour, (0, 0), sigma), cv2.GaussianBlur(matte, (0, 0), sigma)
        foot, column = int(place * height), int(rng.uniform(-0.15, 0.95) * width)
        shade = np.zeros(ground.shape, np.float32)
        cv2.ellipse(shade, (column + size[0] // 2, foot), (size[0] // 2, size[0] // 9), 0, 0, 360, 0.6, -1)
        light *= 1 - cv2.GaussianBlur(shade, (0, 0), 0.012 * side)[..., None]
        _paste(light, colour, matte, foot - size[1], column)
    return light * (1 - 0.5 * (1 - _dimmed(ground, 0.1)))


def _paste(light: Linear, picture: Linear, matte: Linear, row: int, column: int) -> None:
    """Lay a picture over ``light`` at that place; the matte is as large as the picture or as the light."""
    height, width = picture.shape[:2]
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + height, light.shape[0]), min(column + width, light.shape[1])
    if bottom <= top or right <= left:
        return
    here = (slice(top, bottom), slice(left, right))
    there = (slice(top - row, bottom - row), slice(left - column, right - column))
    weight = (matte[here] if matte.shape == light.shape[:2] else matte[there])[..., None]
    light[here] = light[here] * (1 - weight) + picture[there] * weight


def _dimmed(ground: Stage, least: float) -> Linear:
    """Return the factor (H, W, 1) that the product's shadow dims the floor by; none is darker than ``least``."""
    return (1 - ground.floor * (1 - least) * (1 - ground.lit))[..., None]


BACKDROPS: Final[dict[str, Callable[[Generator, Stage, list[Sprite]], Linear]]] = {
    "white": _white,
    "sweep": _sweep,
    "gradient": _gradient,
    "wood": _wood,
    "fabric": _fabric,
    "room": _room,
}


def paint(name: str, rng: Generator, ground: Stage, sprites: list[Sprite]) -> Linear:
    """Draw the backdrop of that name, linear light (H, W, 3) in [0, 1]; a room needs sprites."""
    return np.asarray(np.clip(BACKDROPS[name](rng, ground, sprites), 0, 1), np.float32)
