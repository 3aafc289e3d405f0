"""From photo and matte to packshots: the product is prepared once and placed on as many canvases as are wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.compositor.arrange import find_pieces, lay_out, pack_boxes
from services.compositor.canvas import Packshot, render_canvas
from services.compositor.findings import Finding
from services.compositor.foreground import estimate_foreground
from services.compositor.layout import Box, CanvasSpec, Layout, bounding_box, fringe_box, plan_layout
from services.compositor.refine import AS_FOUND, EdgeTreatment, refine_matte
from services.compositor.shadow import with_shadow
from services.compositor.tighten import tighten_matte
from services.compositor.traits import Trait

_WORTH_MOVING = 1.05  # how much larger a new layout has to draw the pieces


@dataclass(frozen=True, slots=True)
class Product:
    """A product cut out of its photo.

    foreground: (H, W, 3) uint8 sRGB, straight colour without the old background.
    matte: (H, W) float32 in [0, 1], refined.
    bbox: around what is at least half opaque.
    fringe: around everything that can be seen.
    findings: what was noticed about its look.
    is_arranged: its pieces lie as one canvas wants them, no longer as in the photo.
    """

    foreground: NDArray[np.uint8]
    matte: NDArray[np.float32]
    bbox: Box
    fringe: Box
    findings: tuple[Finding, ...] = ()
    is_arranged: bool = False


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


def arrange_pieces(product: Product, canvas: CanvasSpec) -> tuple[Product, tuple[Finding, ...]]:
    """Lay the loose pieces of a product out anew for a canvas, where that draws them noticeably larger.

    Returns:
        The product with its pieces moved, or as it was, and what to say about it: nothing when it is all one piece.
    """
    pieces = find_pieces(product.matte)
    count = len(pieces.boxes)
    if count < 2:
        return product, ()
    kept = _layout(product, canvas)
    places = pack_boxes(pieces.boxes, canvas, least_scale=_WORTH_MOVING * kept.scale)
    if places is not None:
        foreground, matte = lay_out(product.foreground, product.matte, pieces, places)
        moved = replace(
            product,
            foreground=foreground,
            matte=matte,
            bbox=bounding_box(matte),
            fringe=fringe_box(matte),
            is_arranged=True,
        )
        larger = _layout(moved, canvas).scale / kept.scale
        if larger >= _WORTH_MOVING:
            message = f"The {count} loose pieces are laid out anew: {larger:.2f} times as large as left in place."
            return moved, (Finding("PIECES_ARRANGED", True, message),)
    message = f"The {count} loose pieces are left in place: no other layout draws them noticeably larger."
    return product, (Finding("PIECES_KEPT", True, message),)


def place(product: Product, canvas: CanvasSpec, *, shadow: bool = False) -> tuple[Layout, Packshot]:
    """Lay a product out on a canvas and draw it, on request with a soft shadow beneath it."""
    layout = _layout(product, canvas)
    packshot = render_canvas(product.foreground, product.matte, layout, canvas)
    return layout, with_shadow(packshot) if shadow else packshot


def _layout(product: Product, canvas: CanvasSpec) -> Layout:
    if product.is_arranged:  # the fill that the photo had is gone
        canvas = replace(canvas, keep_fill_from=math.inf)
    return plan_layout(product.bbox, product.matte.shape, canvas, fringe=product.fringe)
