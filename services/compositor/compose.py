"""From photo and matte to packshots: the product is prepared once and placed on as many canvases as are wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.compositor.canvas import Packshot, render_canvas
from services.compositor.findings import Finding
from services.compositor.foreground import estimate_foreground
from services.compositor.layout import Box, CanvasSpec, Layout, bounding_box, fringe_box, plan_layout
from services.compositor.refine import AS_FOUND, EdgeTreatment, refine_matte
from services.compositor.tighten import tighten_matte
from services.compositor.traits import Trait


@dataclass(frozen=True, slots=True)
class Product:
    """A product cut out of its photo.

    foreground: (H, W, 3) uint8 sRGB, straight colour without the old background.
    matte: (H, W) float32 in [0, 1], refined.
    bbox: around what is at least half opaque.
    fringe: around everything that can be seen.
    findings: what was noticed about its look.
    """

    foreground: NDArray[np.uint8]
    matte: NDArray[np.float32]
    bbox: Box
    fringe: Box
    findings: tuple[Finding, ...] = ()


def prepare_product(
    image: NDArray[np.uint8],
    matte: NDArray[np.float32],
    edge: EdgeTreatment = AS_FOUND,
    *,
    already_cut_out: bool = False,
    uncertainty: NDArray[np.float32] | None = None,
    traits: frozenset[Trait] = frozenset(),
) -> Product:
    """Refine the matte and free the edge's colour from the background.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1], as the segmenter found it.
        edge: how to draw the edge.
        already_cut_out: the photo came with an alpha channel of its own and the matte is that, so colours are straight
            and alpha is meant: neither is estimated again.
        uncertainty: (H, W) float32 in [0, 1], how undecided the segmenter is about each pixel; None if nobody knows.
        traits: what the segmenter found to be hard about the product.

    Raises:
        EmptyMatteError: no product in the matte, before or after refinement.
        ValueError: image and matte differ in size.
    """
    if image.shape[:2] != matte.shape:
        raise ValueError(f"matte is {matte.shape[1]}x{matte.shape[0]}, image {image.shape[1]}x{image.shape[0]} pixels")
    bounding_box(matte)
    if already_cut_out:
        foreground, refined = image, tighten_matte(matte, edge.tighten_px)
    else:
        refined = refine_matte(image, matte, edge)
        foreground = estimate_foreground(image, refined)
    return Product(
        foreground=foreground,
        matte=refined,
        bbox=bounding_box(refined),
        fringe=fringe_box(refined),
    )


def place(product: Product, canvas: CanvasSpec) -> tuple[Layout, Packshot]:
    """Lay a product out on a canvas and draw it."""
    layout = plan_layout(product.bbox, product.matte.shape, canvas, fringe=product.fringe)
    return layout, render_canvas(product.foreground, product.matte, layout, canvas)
