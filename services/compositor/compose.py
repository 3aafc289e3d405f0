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
from services.compositor.mannequin import find_support, open_holes
from services.compositor.refine import AS_FOUND, EdgeTreatment, refine_matte
from services.compositor.reflection import remove_cast, remove_floor_reflection
from services.compositor.shadow import with_shadow
from services.compositor.tighten import tighten_matte
from services.compositor.traits import Trait
from services.compositor.transparent import fill_outline, see_through

_WORTH_MOVING = 1.05  # how much larger a new layout has to draw the pieces


@dataclass(frozen=True, slots=True)
class Product:
    """A product cut out of its photo.

    foreground: (H, W, 3) uint8 sRGB, straight colour without the old background.
    matte: (H, W) float32 in [0, 1], refined.
    bbox: around what is at least half opaque, or within the outline of a transparent product.
    fringe: around everything that can be seen.
    findings: what was noticed about its look.
    is_arranged: its pieces lie as one canvas wants them, no longer as in the photo.
    silhouette: (H, W) float32 in [0, 1], how much of a pixel lies within the outline of a transparent product, whose
        matte does not show that; None of any other.
    """

    foreground: NDArray[np.uint8]
    matte: NDArray[np.float32]
    bbox: Box
    fringe: Box
    findings: tuple[Finding, ...] = ()
    is_arranged: bool = False
    silhouette: NDArray[np.float32] | None = None

    @property
    def outline(self) -> NDArray[np.float32]:
        """(H, W) float32 in [0, 1]: how much of a pixel lies within the product's outline."""
        return self.matte if self.silhouette is None else self.silhouette


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
        uncertainty: (h, w) float32 in [0, 1], any size: how undecided the segmenter is.
        traits: what the segmenter found to be hard about the product.

    Raises:
        EmptyMatteError: no product in the matte, before or after refinement.
        ValueError: image and matte differ in size.
    """
    if image.shape[:2] != matte.shape:
        raise ValueError(f"matte is {matte.shape[1]}x{matte.shape[0]}, image {image.shape[1]}x{image.shape[0]} pixels")
    bounding_box(matte)
    if already_cut_out:
        refined = tighten_matte(matte, edge.tighten_px)
        return _product(image, refined)
    return _cut_out(image, matte, edge, uncertainty, traits)


def _cut_out(
    image: NDArray[np.uint8],
    matte: NDArray[np.float32],
    edge: EdgeTreatment,
    uncertainty: NDArray[np.float32] | None,
    traits: frozenset[Trait],
) -> Product:
    """What the product itself is made of decides what happens after its outline is found."""
    if Trait.TRANSPARENT in traits:
        matte = fill_outline(matte)
        uncertainty = None  # it is of what shines through; here only the outline is refined
    elif Trait.WORN_OR_HELD in traits:
        matte = open_holes(image, matte)
    refined = refine_matte(image, matte, edge, uncertainty=uncertainty, hairy=Trait.HAIRY in traits)
    silhouette, findings = remove_floor_reflection(image, refined)
    foreground = estimate_foreground(image, silhouette)
    if Trait.TRANSPARENT in traits:
        seen = see_through(image, silhouette, foreground)
        return _product(seen.foreground, seen.alpha, findings + seen.findings, silhouette)
    if Trait.REFLECTIVE in traits:
        foreground, casts = remove_cast(image, silhouette, foreground)
        findings += casts
    if Trait.WORN_OR_HELD in traits:
        findings += find_support(image, silhouette)
    return _product(foreground, silhouette, findings)


def _product(
    foreground: NDArray[np.uint8],
    matte: NDArray[np.float32],
    findings: tuple[Finding, ...] = (),
    silhouette: NDArray[np.float32] | None = None,
) -> Product:
    outline = matte if silhouette is None else silhouette
    return Product(
        foreground=foreground,
        matte=matte,
        bbox=bounding_box(outline),
        fringe=fringe_box(outline),
        findings=findings,
        silhouette=silhouette,
    )


def arrange_pieces(product: Product, canvas: CanvasSpec) -> tuple[Product, tuple[Finding, ...]]:
    """Lay the loose pieces of a product out anew for a canvas, where that draws them noticeably larger.

    Returns:
        The product with its pieces moved, or as it was, and what to say about it: nothing when it is all one piece.
    """
    pieces = find_pieces(product.outline)
    count = len(pieces.boxes)
    if count < 2:
        return product, ()
    kept = _layout(product, canvas)
    places = pack_boxes(pieces.boxes, canvas, least_scale=_WORTH_MOVING * kept.scale)
    if places is not None:
        foreground, matte = lay_out(product.foreground, product.matte, pieces, places)
        silhouette = None
        if product.silhouette is not None:
            _, silhouette = lay_out(product.foreground, product.silhouette, pieces, places)
        moved = replace(_product(foreground, matte, product.findings, silhouette), is_arranged=True)
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
    if shadow:
        packshot = with_shadow(packshot, place_outline(product, layout, canvas, packshot))
    return layout, packshot


def place_outline(product: Product, layout: Layout, canvas: CanvasSpec, packshot: Packshot) -> NDArray[np.float32]:
    """The product's outline on the canvas it was placed on, filled: (h, w) float32 in [0, 1]."""
    if product.silhouette is None:
        return packshot.alpha
    return render_canvas(product.foreground, product.silhouette, layout, canvas).alpha


def _layout(product: Product, canvas: CanvasSpec) -> Layout:
    if product.is_arranged:  # the fill that the photo had is gone
        canvas = replace(canvas, keep_fill_from=math.inf)
    return plan_layout(product.bbox, product.matte.shape, canvas, fringe=product.fringe)
