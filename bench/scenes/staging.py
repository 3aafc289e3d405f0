"""One scene of the edge benchmark as linear light: product, backdrop, shadow and lens. Needs Mitsuba."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.scenes import backdrops, kinds
from bench.scenes.alone import continued, is_clear, light_of, seen_through
from bench.scenes.edge_groups import EdgeScene
from bench.scenes.lighting import among, surroundings
from bench.scenes.meshes import Mesh
from bench.scenes.scenes import Part
from bench.scenes.silhouette import View, coverage, framed
from bench.scenes.strands import Strands, ribbons
from bench.scenes.triangulation import triangulate

Linear = NDArray[np.float32]
Image8 = NDArray[np.uint8]

_SPRITES: Final = 10
_SPRITE_SEED: Final = 49_000_000
_LENS_SIGMA_PX: Final = 0.55
_KNEE: Final = np.float32(0.75)


@dataclass(frozen=True)
class Shot:
    """A scene as a camera took it, and its truth, all uint8: (H, W, 3) sRGB, the matte (H, W).

    Attributes:
        photo: the product before its backdrop, with a little noise.
        matte: the share of each pixel that the product holds back.
        foreground: the product's straight colour, continued where the matte is 0.
        white: the product before pure white, without noise.
    """

    photo: Image8
    matte: Image8
    foreground: Image8
    white: Image8


def shoot(scene: EdgeScene, side_px: int, spp: int, cache: Path) -> Shot:
    """Render a scene, its longer side ``side_px`` long."""
    rng = np.random.default_rng(scene.seed)
    things = scene.draw(rng)
    frame, parts = _composed(rng, scene, things, side_px)
    crop, top, left = frame.crop, frame.top_px, frame.left_px
    whole = View(
        crop.position,
        crop.axes,
        crop.focal_px,
        crop.left_px - left,
        crop.top_px - top,
        frame.width_px,
        frame.height_px,
    )
    sky = surroundings(rng, whole.axes[2])
    meshes = [part.mesh for part in parts]
    dense = [_thinned(part.mesh) for part in parts if not is_clear(part)]
    clear = [part.mesh for part in parts if is_clear(part)]
    ground = backdrops.stage(whole, dense, clear, sky, float(rng.uniform(1.6, 3.2)))
    sprites = _sprites(cache) if scene.backdrop == "room" else []
    backdrop = backdrops.paint(scene.backdrop, rng, ground, sprites)
    floor = backdrop[ground.floor > 0.5] if (ground.floor > 0.5).any() else backdrop.reshape(-1, 3)
    wall = backdrop[ground.floor < 0.5] if (ground.floor < 0.5).any() else floor
    sky = among(sky, floor.mean(axis=0), wall.mean(axis=0), whole.axes[2])

    if scene.gloss:
        backdrop = _mirrored(parts, whole, sky, backdrop, ground.floor, scene, spp, cache)
    inside = (slice(top, top + crop.height_px), slice(left, left + crop.width_px))
    matte = coverage(meshes, crop)
    if clear:
        margin = side_px // 5
        reach = margin + side_px // 2
        wide = cv2.copyMakeBorder(backdrop, reach, reach, reach, reach, cv2.BORDER_REFLECT)
        corner_y, corner_x = top + side_px // 2, left + side_px // 2
        plane = wide[
            corner_y : corner_y + crop.height_px + 2 * margin, corner_x : corner_x + crop.width_px + 2 * margin
        ]
        seen = seen_through(parts, crop, sky, plane, margin, 3 * spp, scene.seed, cache)
        # Outside the silhouette there is nothing: what noise and filter leave there goes.
        mask = np.minimum(cv2.dilate(matte, np.ones((3, 3), np.uint8)) * 64, 1)[..., None]
        black = _shoulder(seen.black) * mask
        through = seen.through * mask + (1 - mask)
        behind = seen.behind * mask + backdrop[inside] * (1 - mask)
    else:
        furry = any(isinstance(thing, Strands) for thing in things)
        samples = spp * (2 if furry or scene.group == "pieces" else 1)
        light = light_of(parts, crop, sky, samples, scene.seed, cache, smooth=not furry)
        black = matte[..., None] * _shoulder(light)
        through = np.repeat(1 - matte[..., None], 3, axis=2)
        behind = through * backdrop[inside]
    layers = np.zeros((3, *backdrop.shape), np.float32)
    layers[1], layers[2] = 1, backdrop
    for layer, part in zip(layers, (black, through, behind), strict=True):
        layer[inside] = part
    # The lens blurs what the sensor sees: layer by layer, so that the truth stays one.
    black, through, behind = (cv2.GaussianBlur(layer, (0, 0), _LENS_SIGMA_PX) for layer in layers)
    return _developed(rng, black, through, behind)


def _developed(rng: Generator, black: Linear, through: Linear, behind: Linear) -> Shot:
    white = black + through
    alpha, color = triangulate(black, white)
    known = alpha > 0.02
    photo = black + behind
    # Photon noise grows with the root of the light, read noise does not; demosaicing smears both a little.
    grain = cv2.GaussianBlur(rng.standard_normal(photo.shape).astype(np.float32), (0, 0), 0.6) * np.float32(1.9)
    noisy = photo + grain * np.float32(0.006) * np.sqrt(np.maximum(photo, 0) + np.float32(0.01))
    return Shot(
        _srgb(noisy),
        np.asarray(np.rint(alpha * 255), np.uint8),
        _srgb(continued(color, known)),
        _srgb(white),
    )


@dataclass(frozen=True)
class _Frame:
    crop: View
    top_px: int
    left_px: int
    width_px: int
    height_px: int


def _composed(
    rng: Generator, scene: EdgeScene, things: list[Part] | list[Part | Strands], side_px: int
) -> tuple[_Frame, list[Part]]:
    """Set up the camera and the frame; strands become ribbons that face it."""
    azimuth_deg = float(np.clip(rng.normal(0, 22), -50, 50))
    elevation_deg = float(rng.uniform(*scene.elevation_deg))
    roll_deg, distance = float(rng.normal(0, 1.2)), float(rng.uniform(5, 12))
    fill = float(rng.uniform(0.66, 0.86))
    outline = [
        thing.mesh
        if isinstance(thing, Part)
        else Mesh(
            thing.points.reshape(-1, 3),
            np.zeros((0, 3)),
            np.zeros((0, 2)),
            np.zeros((0, 3), np.int32),
        )
        for thing in things
    ]
    stance = (azimuth_deg, elevation_deg, roll_deg, distance)
    rough = framed(outline, *stance, 1000)
    aspect = rough.width_px / rough.height_px
    shapes = [(3, 4), (4, 5), (1, 1)] if aspect < 0.8 else [(1, 1), (4, 5)] if aspect < 1.25 else [(1, 1), (4, 3)]
    across, down = shapes[int(rng.integers(len(shapes)))]
    unit = side_px / max(across, down)
    width_px, height_px = round(across * unit), round(down * unit)
    scale = fill * min(width_px / rough.width_px, height_px / rough.height_px)
    crop = framed(outline, *stance, round(1000 * scale) - 8)
    left = (width_px - crop.width_px) * rng.uniform(0.42, 0.58)
    top = (height_px - crop.height_px) * rng.uniform(0.45, 0.65)
    parts = [thing if isinstance(thing, Part) else Part(ribbons(thing, crop), thing.material) for thing in things]
    return _Frame(crop, int(top), int(left), width_px, height_px), parts


def _thinned(mesh: Mesh) -> Mesh:
    """Keep one in forty triangles of a mesh of many small triangles: enough for its shadow."""
    if len(mesh.faces) < 60_000:
        return mesh
    return Mesh(mesh.vertices, mesh.normals, mesh.uv, mesh.faces[::40])


def _sprites(cache: Path) -> list[backdrops.Sprite]:
    """Return things to stand about in a room, rendered once."""
    found = []
    for seed in range(_SPRITE_SEED, _SPRITE_SEED + _SPRITES):
        store = cache / f"sprite-{seed}.npz"
        if not store.exists():
            rng = np.random.default_rng(seed)
            _, parts = kinds.draw(rng)
            view = framed([part.mesh for part in parts], float(rng.normal(0, 40)), 12.0, 0.0, 8.0, 300)
            light = light_of(parts, view, surroundings(rng, view.axes[2]), 10, seed, cache)
            partial = store.with_suffix(f".{os.getpid()}.npz")
            np.savez_compressed(partial, light=light, matte=coverage([part.mesh for part in parts], view))
            partial.replace(store)
        with np.load(store) as saved:
            found.append(backdrops.Sprite(saved["light"], saved["matte"]))
    return found


def _mirrored(
    parts: list[Part],
    view: View,
    sky: Linear,
    backdrop: Linear,
    floor: Linear,
    scene: EdgeScene,
    spp: int,
    cache: Path,
) -> Linear:
    """Return the backdrop with the product mirrored in its floor, as in a polished table."""
    low = min(float(part.mesh.vertices[:, 2].min()) for part in parts)
    below = [Part(_flipped(part.mesh, low), part.material) for part in parts]
    light = _shoulder(light_of(below, view, np.ascontiguousarray(sky[::-1]), max(4, spp // 2), scene.seed, cache))
    matte = coverage([part.mesh for part in below], view) * floor
    sigma = 0.0025 * max(floor.shape)
    weight = scene.gloss * cv2.GaussianBlur(matte, (0, 0), sigma)[..., None]
    seen = cv2.GaussianBlur(light * matte[..., None], (0, 0), sigma)
    return np.asarray(backdrop * (1 - weight) + scene.gloss * seen, np.float32)


def _flipped(mesh: Mesh, level: float) -> Mesh:
    """Return the mesh mirrored at a height."""
    return Mesh(
        mesh.vertices * (1, 1, -1) + (0, 0, 2 * level),
        mesh.normals * (1, 1, -1),
        mesh.uv,
        np.ascontiguousarray(mesh.faces[:, ::-1]),
    )


def _shoulder(linear: Linear) -> Linear:
    """Bend light above the knee so that it never quite clips, as a camera does."""
    room = 1 - _KNEE
    bent = _KNEE + room * (1 - np.exp(-np.maximum(linear - _KNEE, 0) / room))
    return np.asarray(np.where(linear > _KNEE, bent, np.maximum(linear, 0)), np.float32)


def _srgb(linear: Linear) -> Image8:
    light = np.clip(linear, 0, 1)
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-8) ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(value * 255), np.uint8)
