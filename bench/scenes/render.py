"""Render scenes with Mitsuba 3: linear light for the photo, exact coverage for the matte.

The matte is the product rendered as white albedo before a black stage, through the same lens and pixel filter as the
photo. Shadows and reflections cannot enter it, openings stay open, whatever stands before the product hides it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import mitsuba as mi
import numpy as np
from numpy.typing import NDArray

from bench.scenes.meshes import Mesh
from bench.scenes.scenes import Camera, Light, Part, Scene

Linear = NDArray[np.float32]
Progress = Callable[[int, int], None]

PASS_SPP: Final = 8
FRAME_MM: Final = 36.0

_PATH: Final[dict[str, Any]] = {"type": "path", "max_depth": 6, "rr_depth": 4}
_GUIDES: Final[dict[str, Any]] = {"type": "aov", "aovs": "albedo:albedo,normal:sh_normal"}
_COVERAGE: Final[dict[str, Any]] = {"type": "aov", "aovs": "albedo:albedo"}


def fingerprint(value: object) -> str:
    """Return a short hash of a scene's content, whatever it is made of: the name of its cached render."""
    digest = hashlib.sha256()

    def feed(item: object) -> None:
        if isinstance(item, np.ndarray):
            digest.update(f"{item.dtype}{item.shape}".encode() + np.ascontiguousarray(item).tobytes())
        elif isinstance(item, dict):
            for key in sorted(item):
                digest.update(str(key).encode())
                feed(item[key])
        elif isinstance(item, list | tuple):
            digest.update(f"[{len(item)}".encode())
            for entry in item:
                feed(entry)
        elif isinstance(item, Mesh | Part | Light | Camera):
            feed(vars(item))
        else:
            digest.update(repr(item).encode())

    feed(value)
    return digest.hexdigest()[:12]


def resolve(value: Any) -> Any:
    """Turn a material's arrays into Mitsuba bitmaps and its ``repeat`` into a texture transform."""
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("bitmap"), np.ndarray):
        texture = {key: item for key, item in value.items() if key not in ("bitmap", "repeat")}
        scale = value.get("repeat", 1.0)
        return texture | {
            "bitmap": mi.Bitmap(value["bitmap"]),
            "to_uv": mi.ScalarTransform4f().scale([scale, scale, 1]),
        }
    return {key: resolve(item) for key, item in value.items()}


def shape(part: Part, cache: Path, material: dict[str, Any]) -> dict[str, Any]:
    """Return a part as a Mitsuba shape of that material; its mesh is written to ``cache`` once."""
    path = cache / f"{fingerprint(part.mesh)}.ply"
    if not path.exists():
        part.mesh.write_ply(path)
    return {"type": "ply", "filename": str(path), "bsdf": material}


def _lamp(light: Light) -> dict[str, Any]:
    radiance: dict[str, Any] = {"type": "rgb", "value": list(light.radiance)}
    if light.front is not None:
        front = (light.front / np.float32(255)) * np.asarray(light.radiance, np.float32)
        radiance = {"type": "bitmap", "bitmap": mi.Bitmap(front.astype(np.float32)), "raw": True}
    place = mi.ScalarTransform4f().look_at(origin=list(light.position), target=list(light.target), up=[0, 0, 1])
    size = mi.ScalarTransform4f().scale([light.size[0] / 2, light.size[1] / 2, 1])
    return {"type": "rectangle", "to_world": place @ size, "emitter": {"type": "area", "radiance": radiance}}


def _sensor(camera: Camera, width_px: int, height_px: int) -> dict[str, Any]:
    position, target, focus = (np.asarray(point, float) for point in (camera.position, camera.target, camera.focus))
    axis = (target - position) / np.linalg.norm(target - position)
    return {
        "type": "thinlens",
        "fov": float(np.degrees(2 * np.arctan(FRAME_MM / 2 / camera.focal_length_mm))),
        "fov_axis": "larger",
        "aperture_radius": camera.focal_length_mm / 10 / camera.f_number / 2,
        "focus_distance": float((focus - position) @ axis),
        "to_world": mi.ScalarTransform4f().look_at(origin=position.tolist(), target=target.tolist(), up=[0, 0, 1]),
        "film": {
            "type": "hdrfilm",
            "width": width_px,
            "height": height_px,
            "pixel_format": "rgb",
            "component_format": "float32",
            "rfilter": {"type": "gaussian", "stddev": 0.5},
        },
        "sampler": {"type": "multijitter", "sample_count": PASS_SPP},
    }


def _accumulate(scene: dict[str, Any], spp: int, store: Path, progress: Progress) -> Linear:
    """Average passes of ``PASS_SPP`` samples, keeping the running sum in ``store`` so that a stopped render resumes."""
    passes = max(1, -(-spp // PASS_SPP))
    done, total = 0, np.zeros(0, np.float32)
    if store.exists():
        with np.load(store) as saved:
            done, total = int(saved["passes"]), saved["total"]
    loaded = mi.load_dict(scene) if done < passes else None
    progress(min(done, passes), passes)
    while done < passes:
        picture = np.array(mi.render(loaded, spp=PASS_SPP, seed=done), np.float32)
        total = picture if done == 0 else total + picture
        done += 1
        partial = store.with_suffix(".partial.npz")
        np.savez(partial, passes=done, total=total)
        partial.replace(store)
        progress(done, passes)
    return np.asarray(total / np.float32(done), np.float32)


def render_light(scene: Scene, width_px: int, height_px: int, spp: int, cache: Path, progress: Progress) -> Linear:
    """Return the scene's linear light, float32 (H, W, 3), of ``spp`` samples a pixel or more."""
    return _render_lit(scene, _PATH, width_px, height_px, spp, cache, progress)


def render_guides(
    scene: Scene, width_px: int, height_px: int, cache: Path, progress: Progress
) -> tuple[Linear, Linear]:
    """Return albedo and normals, float32 (H, W, 3) each, to denoise by.

    They cost more than light here and settle sooner, so that one pass is enough.
    """
    layers = _render_lit(scene, _GUIDES, width_px, height_px, PASS_SPP, cache, progress)
    return layers[..., :3], layers[..., 3:6]


def _render_lit(
    scene: Scene, integrator: dict[str, Any], width_px: int, height_px: int, spp: int, cache: Path, progress: Progress
) -> Linear:
    described: dict[str, Any] = {
        "type": "scene",
        "integrator": integrator,
        "sensor": _sensor(scene.camera, width_px, height_px),
        "ambient": {"type": "constant", "radiance": {"type": "rgb", "value": list(scene.ambient)}},
    }
    for index, part in enumerate(scene.product + scene.stage):
        described[f"part_{index}"] = shape(part, cache, resolve(part.material))
    for index, light in enumerate(scene.lights):
        described[f"light_{index}"] = _lamp(light)
    seen = [scene.product, scene.stage, scene.lights, scene.ambient, scene.camera, width_px, height_px]
    kind = "guides" if integrator is _GUIDES else "light"
    store = cache / f"{scene.name}-{fingerprint([integrator, *seen])}-{kind}.npz"
    return _accumulate(described, spp, store, progress)


def render_matte(scene: Scene, width_px: int, height_px: int, spp: int, cache: Path, progress: Progress) -> Linear:
    """Return the share of each pixel that shows the product, float32 (H, W) in [0, 1]."""
    described: dict[str, Any] = {
        "type": "scene",
        "integrator": _COVERAGE,
        "sensor": _sensor(scene.camera, width_px, height_px),
    }
    for index, part in enumerate(scene.product + scene.stage):
        shown = 1.0 if index < len(scene.product) else 0.0
        colour = {"type": "rgb", "value": shown}
        described[f"part_{index}"] = shape(
            part, cache, {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": colour}}
        )
    content = fingerprint([scene.product, scene.stage, scene.camera, width_px, height_px])
    covered = _accumulate(described, spp, cache / f"{scene.name}-{content}-matte.npz", progress)
    return np.clip(covered[..., 0], 0, 1)
