"""A product alone under a sky: its own colour, and for a clear one what comes through it from behind. Needs Mitsuba."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import mitsuba as mi
import numpy as np
from numpy.typing import NDArray

from bench.scenes.denoise import denoise
from bench.scenes.lighting import Radiance
from bench.scenes.render import resolve, shape
from bench.scenes.scenes import Part
from bench.scenes.silhouette import View

Linear = NDArray[np.float32]

_GUIDE_SPP: Final = 2
_LAYERS: Final = "albedo:albedo,normal:sh_normal"
_BLACK: Final[dict[str, Any]] = {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.0}}


@dataclass(frozen=True)
class Seen:
    """A clear product as light, each float32 (H, W, 3), linear.

    Attributes:
        black: the product before black, premultiplied.
        through: what a white plane behind adds to that.
        behind: what the backdrop's plane behind adds to that.
    """

    black: Linear
    through: Linear
    behind: Linear


def is_clear(part: Part) -> bool:
    """Say whether light goes through the part's material."""
    return part.material["type"] in ("dielectric", "roughdielectric", "thindielectric")


def light_of(
    parts: list[Part], view: View, sky: Radiance, spp: int, seed: int, cache: Path, *, smooth: bool = True
) -> Linear:
    """Return the product's linear light, float32 (H, W, 3), of pure and of continued pixels.

    ``smooth`` removes the noise; hair, whose pixels resemble no neighbour, is better off with more samples.
    """
    path = {"type": "path", "max_depth": 14 if any(map(is_clear, parts)) else 5, "rr_depth": 14, "hide_emitters": True}
    scene = mi.load_dict(_described(parts, view, cache) | {"integrator": path, "sky": _sky(sky)})
    lit = np.array(mi.render(scene, spp=spp, seed=seed), np.float32)
    share = np.maximum(lit[..., 3:], 1e-3)
    # A mixed pixel has few samples of the product: it takes a pure neighbour's colour, or its own where it has none, as
    # in hair and wire.
    pure = lit[..., 3] > 0.99
    known = pure | ((lit[..., 3] > 0.2) & (cv2.dilate(pure.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0))
    if not smooth:
        return continued(lit[..., :3] / share, lit[..., 3] > 0.1)
    color = continued(lit[..., :3] / share, known)
    albedo, normals, sampled = _guides(scene, seed)
    albedo, normals = continued(albedo, sampled), continued(normals, sampled)
    # Where two surfaces meet the filter finds no kin: a median takes off the grains it leaves there, print untouched.
    base = np.maximum(albedo, np.float32(0.04))
    return np.asarray(cv2.medianBlur(denoise(color, albedo, normals, strength=0.5) / base, 3) * base, np.float32)


def seen_through(
    parts: list[Part], view: View, sky: Radiance, backdrop: Linear, margin_px: int, spp: int, seed: int, cache: Path
) -> Seen:
    """Return a clear product before a plane that shows ``backdrop``, its frame with ``margin_px`` more on each side.

    ``spp`` is for the product's own light; what comes through, which is smooth, gets half. The plane stands just behind
    the product and faces the camera, so that it fills the frame as the picture does, and glass bends it. What comes
    through is rendered apart, everything opaque black and the sky off: the difference between two planes then has no
    noise of the product's own light.
    """
    height, width = view.height_px, view.width_px
    deepest = max(float(((part.mesh.vertices - view.position) @ view.axes[2]).max()) for part in parts)
    path = {"type": "path", "max_depth": 12, "rr_depth": 12}
    frame = (height + 2 * margin_px, width + 2 * margin_px)

    wall = _plane(view, deepest * 1.02, margin_px) | {"bsdf": _BLACK}
    scene = mi.load_dict(_described(parts, view, cache) | {"integrator": path, "sky": _sky(sky), "wall": wall})
    black = np.array(mi.render(scene, spp=spp, seed=seed), np.float32)[..., :3]
    _, normals, _ = _guides(scene, seed)
    # What is seen through glass has no guide of its own: the picture's medians keep its colours apart.
    seen = cv2.medianBlur(np.minimum(black, 1), 5)

    dark = [part if is_clear(part) else Part(part.mesh, _BLACK) for part in parts]
    shown = []
    for picture in (np.ones((*frame, 3), np.float32), backdrop):
        glow = {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(picture[::-1])), "raw": True}
        wall = _plane(view, deepest * 1.02, margin_px) | {"emitter": {"type": "area", "radiance": glow}}
        scene = mi.load_dict(_described(dark, view, cache) | {"integrator": path, "wall": wall})
        shown.append(np.array(mi.render(scene, spp=-(-spp // 2), seed=seed), np.float32)[..., :3])
    white, behind = shown
    # Both saw the same light paths, so that their ratio, the backdrop's mean over the paths, has hardly any noise.
    ratio = behind / np.maximum(white, np.float32(1e-3))
    clean = np.clip(denoise(white, np.ones_like(white), normals, levels=3, strength=0.15), 0, 1)
    return Seen(denoise(black, seen, normals, levels=3, strength=0.3), clean, np.asarray(clean * ratio, np.float32))


def continued(color: NDArray[np.floating[Any]], known: NDArray[np.bool_]) -> Linear:
    """Return colour (H, W, 3) with each unknown pixel taken from the nearest known one, softened with distance."""
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    palette = np.zeros((int(nearest.max()) + 1, 3), np.float32)
    palette[nearest[known]] = color[known]
    spread = palette[nearest]
    return np.asarray(np.where(known[..., None], color, cv2.GaussianBlur(spread, (0, 0), 2)), np.float32)


def _described(parts: list[Part], view: View, cache: Path) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "scene", "sensor": _sensor(view)}
    for index, part in enumerate(parts):
        described[f"part_{index}"] = shape(part, cache, resolve(part.material))
    return described


def _sky(sky: Radiance) -> dict[str, Any]:
    return {"type": "envmap", "bitmap": mi.Bitmap(sky), "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], 90)}


def _guides(scene: Any, seed: int) -> tuple[Linear, Linear, NDArray[np.bool_]]:
    """Return albedo and normals (H, W, 3), and where a surface was seen (H, W)."""
    aov = mi.load_dict({"type": "aov", "aovs": _LAYERS})
    guides = np.array(mi.render(scene, spp=_GUIDE_SPP, seed=seed, integrator=aov), np.float32)
    return guides[..., :3], guides[..., 3:6], np.linalg.norm(guides[..., 3:6], axis=2) > 0.6


def _plane(view: View, depth: float, margin_px: int) -> dict[str, Any]:
    """Return a rectangle that faces the camera at that depth and fills the frame with ``margin_px`` more around."""
    scale = depth / view.focal_px
    across = (view.left_px + view.width_px / 2) * scale
    down = (view.top_px + view.height_px / 2) * scale
    right, up, forward = view.axes
    place = np.eye(4)
    place[:3, 0] = right * (view.width_px / 2 + margin_px) * scale
    place[:3, 1] = up * (view.height_px / 2 + margin_px) * scale
    place[:3, 2] = -forward
    place[:3, 3] = view.position + depth * forward + across * right - down * up
    return {"type": "rectangle", "to_world": mi.ScalarTransform4f(place.tolist())}


def _sensor(view: View) -> dict[str, Any]:
    """Return the view as Mitsuba's camera: a frame centred on the principal point, cropped."""
    right, bottom = view.left_px + view.width_px, view.top_px + view.height_px
    half_x, half_y = max(abs(view.left_px), abs(right)), max(abs(view.top_px), abs(bottom))
    place = np.eye(4)
    place[:3, 0], place[:3, 1], place[:3, 2], place[:3, 3] = -view.axes[0], view.axes[1], view.axes[2], view.position
    return {
        "type": "perspective",
        "fov": float(np.degrees(2 * np.arctan(half_x / view.focal_px))),
        "fov_axis": "x",
        "near_clip": 0.1,
        "far_clip": 1e4,
        "to_world": mi.ScalarTransform4f(place.tolist()),
        "film": {
            "type": "hdrfilm",
            "width": 2 * half_x,
            "height": 2 * half_y,
            "crop_offset_x": view.left_px + half_x,
            "crop_offset_y": view.top_px + half_y,
            "crop_width": view.width_px,
            "crop_height": view.height_px,
            "pixel_format": "rgba",
            "component_format": "float32",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "multijitter"},
    }
