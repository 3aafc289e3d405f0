"""The exact silhouette of meshes before a pinhole camera, by filling their triangles: no ray, no noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.scenes.meshes import Floats, Mesh

_SUBPIXELS: Final = 8
_FRACTION_BITS: Final = 4


@dataclass(frozen=True)
class View:
    """A pinhole camera whose frame is cropped to the product.

    Attributes:
        position: the camera, (3,).
        axes: rows right, up and forward, (3, 3), orthonormal.
        focal_px: focal length in pixels.
        left_px, top_px: the crop's corner, relative to the principal point.
        width_px, height_px: the crop's size.
    """

    position: Floats
    axes: Floats
    focal_px: float
    left_px: int
    top_px: int
    width_px: int
    height_px: int

    def project(self, points: Floats) -> Floats:
        """Return (x, y) in pixels from the crop's corner, (N, 2), of points (N, 3); (0.5, 0.5) is a pixel's middle."""
        right, up, forward = self.axes @ (points - self.position).T
        x, y = self.focal_px * right / forward, -self.focal_px * up / forward
        return np.stack([x - self.left_px, y - self.top_px], axis=1)


def framed(
    meshes: Iterable[Mesh], azimuth_deg: float, elevation_deg: float, roll_deg: float, distance: float, side_px: int
) -> View:
    """Return the view from that direction in which the product's longer side measures ``side_px``, with 4 px around.

    Azimuth 0 looks at the front (from -y); ``distance`` is in radii of the product: small means strong perspective.
    """
    points = np.concatenate([mesh.vertices for mesh in meshes])
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    azimuth, elevation, roll = np.radians([azimuth_deg, elevation_deg, roll_deg])
    forward = np.array([np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), -np.sin(elevation)])
    level = np.array([np.cos(azimuth), -np.sin(azimuth), 0.0])
    upright = np.cross(level, forward)
    right = np.cos(roll) * level + np.sin(roll) * upright
    axes = np.stack([right, np.cross(right, forward), forward])
    position = centre - distance * radius * forward
    unit = View(position, axes, 1.0, 0, 0, 0, 0).project(points)
    low, high = unit.min(axis=0), unit.max(axis=0)
    focal_px = side_px / float((high - low).max())
    first = np.floor(low * focal_px).astype(int) - 4
    size = np.ceil(high * focal_px).astype(int) + 4 - first
    return View(position, axes, focal_px, int(first[0]), int(first[1]), int(size[0]), int(size[1]))


def coverage(meshes: Iterable[Mesh], view: View) -> NDArray[np.float32]:
    """Return the share of each pixel that the meshes cover, float32 (H, W) in [0, 1], in steps of 1/64."""
    fine = np.zeros((view.height_px * _SUBPIXELS, view.width_px * _SUBPIXELS), np.uint8)
    scale = 1 << _FRACTION_BITS
    for mesh in meshes:
        # OpenCV puts pixel centres on whole numbers.
        corners = np.rint((view.project(mesh.vertices) * _SUBPIXELS - 0.5) * scale).astype(np.int32)
        for triangle in corners[mesh.faces]:
            cv2.fillConvexPoly(fine, triangle, 255, shift=_FRACTION_BITS)
    # OpenCV also fills every subpixel that an outline touches, half of one too many on each side. The 2×2 minimum takes
    # one off at the left and the top; shifting by half a subpixel each way is left to the mean of both orders.
    left = cv2.erode(fine, np.ones((2, 2), np.uint8), anchor=(0, 0), borderValue=0)
    right = cv2.erode(fine, np.ones((2, 2), np.uint8), anchor=(1, 1), borderValue=0)
    both = left.astype(np.float32) + right.astype(np.float32)
    covered = cv2.resize(both, (view.width_px, view.height_px), interpolation=cv2.INTER_AREA)
    return np.asarray(covered / np.float32(510), np.float32)
