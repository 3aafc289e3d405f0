"""Triangle meshes of product parts: surfaces of revolution, swept tubes, rounded boxes, height fields.

Lengths are centimetres; x points right, y away from the camera, z up. Every closed surface has outward normals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_VERTEX: Final = np.dtype(
    [("position", "<f4", 3), ("normal", "<f4", 3), ("uv", "<f4", 2)],
)
_FACE: Final = np.dtype([("count", "u1"), ("indices", "<i4", 3)])


@dataclass(frozen=True)
class Mesh:
    """Vertices, unit normals (N, 3), texture coordinates (N, 2) in [0, 1] and triangles (M, 3) of row indices."""

    vertices: Floats
    normals: Floats
    uv: Floats
    faces: NDArray[np.int32]

    def moved(self, translation: ArrayLike, rotation: ArrayLike | None = None) -> Mesh:
        """Return this mesh turned by a 3×3 rotation, then shifted by a 3-vector."""
        turn = np.eye(3) if rotation is None else np.asarray(rotation, float)
        return Mesh(self.vertices @ turn.T + np.asarray(translation, float), self.normals @ turn.T, self.uv, self.faces)

    def write_ply(self, path: Path) -> None:
        """Write a binary little-endian PLY with normals and texture coordinates (s, t)."""
        header = (
            "ply\nformat binary_little_endian 1.0\n"
            f"element vertex {len(self.vertices)}\n"
            + "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz", "s", "t"))
            + f"element face {len(self.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
        )
        vertices = np.empty(len(self.vertices), _VERTEX)
        vertices["position"], vertices["normal"], vertices["uv"] = self.vertices, self.normals, self.uv
        faces = np.empty(len(self.faces), _FACE)
        faces["count"], faces["indices"] = 3, self.faces
        path.write_bytes(header.encode("ascii") + vertices.tobytes() + faces.tobytes())


def join(*meshes: Mesh) -> Mesh:
    """Put several meshes into one."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]).astype(np.int32),
    )


def rotation(axis: str, degrees: float) -> Floats:
    """Return the 3×3 matrix turning counter-clockwise about the x, y or z axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def grid(points: Floats, *, closed: bool = False) -> Mesh:
    """Turn a surface sampled as points (U, V, 3) into a mesh with smooth normals along dV × dU.

    ``closed`` says that the first and last column coincide, so that no seam shows. Texture u follows V, v follows U.
    """
    rows, columns = points.shape[:2]
    if closed:
        padded = np.concatenate([points[:, -2:-1], points, points[:, 1:2]], axis=1)
        d_v = (padded[:, 2:] - padded[:, :-2]) / 2
    else:
        d_v = np.gradient(points, axis=1)
    normals = np.cross(d_v, np.gradient(points, axis=0))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(axis=1)
    v = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
    uv = np.stack(np.broadcast_arrays(np.linspace(0, 1, columns)[None, :], v[:, None]), axis=2)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None, :]).ravel()
    lower = np.stack([corner, corner + 1, corner + columns], axis=1)
    upper = np.stack([corner + 1, corner + columns + 1, corner + columns], axis=1)
    faces = np.concatenate([lower, upper]).astype(np.int32)
    return Mesh(points.reshape(-1, 3), normals.reshape(-1, 3), uv.reshape(-1, 2), faces)


def fillet(corners: ArrayLike, radii: ArrayLike, steps: int = 10) -> Floats:
    """Round the inner corners of a polyline (N, D); ``radii`` (N,) is how far each rounding reaches along its sides."""
    corner = np.asarray(corners, float)
    reach = np.broadcast_to(np.asarray(radii, float), (len(corner),))
    t = np.linspace(0, 1, steps)[:, None]
    pieces = [corner[:1]]
    for before, here, after, radius in zip(corner[:-2], corner[1:-1], corner[2:], reach[1:-1], strict=True):
        to_before, to_after = before - here, after - here
        start = here + to_before * min(0.5, radius / np.linalg.norm(to_before))
        end = here + to_after * min(0.5, radius / np.linalg.norm(to_after))
        pieces.append((1 - t) ** 2 * start + 2 * t * (1 - t) * here + t**2 * end)
    line = np.concatenate([*pieces, corner[-1:]])
    step = np.linalg.norm(np.diff(line, axis=0), axis=1)
    distinct: Floats = line[np.concatenate([[True], step > 1e-9])]
    return distinct


def smooth(corners: ArrayLike, rounds: int = 5) -> Floats:
    """Round a polyline (N, D) into a quadratic B-spline by corner cutting, keeping its ends.

    Chaikin, An algorithm for high-speed curve generation, 1974.
    """
    line = np.asarray(corners, float)
    for _ in range(rounds):
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        cut = np.stack([near, far], axis=1).reshape(-1, line.shape[1])
        line = np.concatenate([line[:1], cut, line[-1:]])
    return line


def lathe(
    profile: Floats, *, segments: int = 256, arc_deg: tuple[float, float] = (0.0, 360.0), depth_scale: float = 1.0
) -> Mesh:
    """Turn a profile (N, 2) of (radius, z) about the z axis; upwards on the outside means outward normals.

    An arc other than the full circle gives an open shell (0° is +x, -90° faces the camera). ``depth_scale`` squeezes
    y for oval bodies.
    """
    angle = np.radians(np.linspace(*arc_deg, segments + 1))
    radius, z = np.maximum(profile[:, :1], 1e-4), profile[:, 1:]
    points = np.stack(
        np.broadcast_arrays(radius * np.cos(angle), depth_scale * radius * np.sin(angle), z), axis=2
    ).astype(float)
    return grid(points, closed=arc_deg[1] - arc_deg[0] == 360.0)


def sweep(path: Floats, section: Floats, *, side: ArrayLike, scale: Floats | None = None) -> Mesh:
    """Carry a closed cross-section (S, 2) along a path (P, 3).

    ``side`` is the direction of the section's first axis at the start, carried along without twist; ``scale`` (P,)
    shrinks the section along the way, so that values near 0 close an end.
    """
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    first = np.empty_like(path)
    carried = np.asarray(side, float)
    for index, tangent in enumerate(tangents):
        carried = carried - tangent * (carried @ tangent)
        carried = carried / np.linalg.norm(carried)
        first[index] = carried
    second = np.cross(tangents, first)
    sizes = np.ones(len(path)) if scale is None else scale
    loop = np.concatenate([section, section[:1]])
    offsets = loop[None, :, :1] * first[:, None] + loop[None, :, 1:] * second[:, None]
    return grid(path[:, None] + sizes[:, None, None] * offsets, closed=True)


def superellipse(width: float, height: float, power: float = 2.0, steps: int = 48) -> Floats:
    """Return a counter-clockwise closed section (S, 2): an ellipse for power 2, boxier above."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack(
        [width / 2 * np.sign(c) * np.abs(c) ** (2 / power), height / 2 * np.sign(s) * np.abs(s) ** (2 / power)], axis=1
    )


def rounded_box(size: ArrayLike, radius: float, steps: int = 6) -> dict[str, Mesh]:
    """Return the six faces of a box centred on the origin, edges rounded; each face is textured over [0, 1]².

    Keys: front (-y), back, left (-x), right, top, bottom.
    """
    half = np.asarray(size, float) / 2
    frames = {
        "front": ((1, 0, 0), (0, 0, 1)),
        "back": ((-1, 0, 0), (0, 0, 1)),
        "left": ((0, -1, 0), (0, 0, 1)),
        "right": ((0, 1, 0), (0, 0, 1)),
        "top": ((1, 0, 0), (0, 1, 0)),
        "bottom": ((1, 0, 0), (0, -1, 0)),
    }
    bend = radius * np.tan(np.linspace(0, np.pi / 4, steps + 1))
    faces = {}
    for name, (across, up) in frames.items():
        u, v = np.asarray(across, float), np.asarray(up, float)
        outward = np.cross(u, v)
        a, b = (float(np.abs(axis) @ half) - radius for axis in (u, v))
        line_a = np.concatenate([-a - bend[::-1], a + bend])
        line_b = np.concatenate([-b - bend[::-1], b + bend])
        cube = outward * (np.abs(outward) @ half) + line_a[None, :, None] * u + line_b[:, None, None] * v
        core = np.clip(cube, radius - half, half - radius)
        normals = cube - core
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        points = core + radius * normals
        flat = grid(points)
        uv = np.stack(np.broadcast_arrays(points @ u / (2 * a + 2 * radius), points @ v / (2 * b + 2 * radius)), axis=2)
        faces[name] = Mesh(flat.vertices, normals.reshape(-1, 3), uv.reshape(-1, 2) + 0.5, flat.faces)
    return faces


def height_field(width: float, depth: float, heights: Floats) -> Mesh:
    """Return a cloth-like sheet centred on the origin; ``heights`` (R, C) is z, row 0 nearest to the camera."""
    rows, columns = heights.shape
    x, y = np.meshgrid(np.linspace(-width / 2, width / 2, columns), np.linspace(-depth / 2, depth / 2, rows))
    return grid(np.stack([x, y, heights], axis=2))


def backdrop(width: float, front: float, back: float, height: float, bend: float) -> Mesh:
    """Return a photographer's sweep: a floor at z = 0 from y = ``front`` to ``back``, curving up into a wall."""
    side = fillet([(front, 0.0), (back, 0.0), (back, height)], bend, steps=48)
    x = np.array([-width / 2, width / 2])
    points = np.stack(np.broadcast_arrays(x[None, :], side[:, :1], side[:, 1:]), axis=2).astype(float)
    return grid(points)
