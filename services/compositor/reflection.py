"""What surroundings leave on and below a product: its mirror image on a glossy table, the backdrop's colour on chrome.

A table's mirror image is background and goes, where it is certain to be one. A colour cast goes where the metal shows
elsewhere that it is grey. What is likely but not certain is left, and said.

Reference: the interface reflection model of Shafer, "Using Color to Separate Reflection Components", Color Research and
    Application 10(4), 1985: what a glossy surface mirrors adds to what it shows by itself, here the table's own colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import continue_backdrop
from services.common.color import lab_to_srgb, srgb_to_lab, srgb_to_linear
from services.compositor.findings import Finding

Float = NDArray[np.float32]

_SMALL_PX = 128  # longer side of the product at which mirror images are looked for
_LEAST_ROWS = 4
_DEEPEST_SHARE = 0.45  # of the product's height that a mirror image may take
_SAGS = (0.0, 0.04, 0.08, 0.14)  # of the product's width: how far the contact line hangs below its ends
_BEYOND_ROWS = 1  # at the contact line, where product and image meet
_SURE_FIT, _LIKELY_FIT = 0.9, 0.85
_STRONGEST, _WEAKEST = 0.75, 0.04
_OVERLAP = 0.8
_SURE_DETAIL, _LIKELY_DETAIL = 0.6, 0.5
_LEAST_DETAIL = 0.003  # of the product's squared difference from the table
_FADED, _FADING_FIT = 0.7, 0.96
_DROP = 0.75
_LOOKED_AT_PX = 512  # longer side at which colours are counted
_COLOURED = 8.0  # CIELAB chroma of a backdrop that can leave a cast
_GREY = 4.0  # CIELAB chroma of grey
_ASIDE = 6.0  # CIELAB chroma across the backdrop's hue that grey plus backdrop may have
_MOST_OF_BACKDROP = 0.8  # of the backdrop's chroma that a mirror image on metal has at most
_VISIBLE_CAST = 6.0  # CIELAB chroma
_LEAST_CAST, _LEAST_GREY, _MOSTLY = 0.03, 0.3, 0.85  # of the product
_RIM_SHARE = 0.05  # of the product's longer side
_CLEAR_OF_BACKDROP = 0.004  # mean squared difference from the table, linear light


@dataclass(frozen=True, slots=True)
class FloorReflection:
    """A mirror image below a product.

    contact: (W,) float32, the row at which it begins in each column of the photo.
    is_sure: enough of it is like the product above to cut it off.
    """

    contact: Float
    is_sure: bool


REMOVED = Finding("FLOOR_REFLECTION_REMOVED", True, "the table's mirror image of the product was cut off")
CAST_REMOVED = Finding("ENVIRONMENT_CAST_REMOVED", True, "the backdrop's colour was taken out of the metal's rim")
CAST_LEFT = Finding(
    "ENVIRONMENT_CAST",
    False,
    "the metal mirrors the backdrop's colour",
    "take its colour out by hand, or shoot in a grey or white surrounding",
)
LEFT = Finding(
    "FLOOR_REFLECTION",
    False,
    "what looks like the table's mirror image of the product was left below it",
    "cut it off by hand, or shoot on a matt surface",
)


def remove_floor_reflection(image: NDArray[np.uint8], matte: Float) -> tuple[Float, tuple[Finding, ...]]:
    """Cut off the product's mirror image on the table.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].

    Returns:
        The matte, (H, W) float32 in [0, 1], and what was found.
    """
    found = find_floor_reflection(image, matte)
    if found is None:
        return matte, ()
    if not found.is_sure:
        return matte, (LEFT,)
    rows = np.arange(matte.shape[0], dtype=np.float32)[:, None] + np.float32(0.5)
    cut: Float = np.minimum(matte, np.clip(found.contact[None] - rows + np.float32(0.5), 0, 1))
    return cut, (REMOVED,)


def find_floor_reflection(image: NDArray[np.uint8], matte: Float) -> FloorReflection | None:
    """Find the line above which the product is mirrored: `C = (1 - w) * table + w * mirrored product`, w falling with
    depth, in the lower part of the matte, down to its end.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].
    """
    window = _window(matte)
    height, width = matte[window].shape
    scale = min(1.0, _SMALL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    coverage = cv2.resize(matte[window], size, interpolation=cv2.INTER_AREA)
    light = srgb_to_linear(cv2.resize(image[window], size, interpolation=cv2.INTER_AREA))
    known = (cv2.erode((coverage <= 0).astype(np.float32), np.ones((3, 3), np.uint8)) > 0).astype(np.float32)
    if not known.any():
        return None
    difference = light - continue_backdrop(light, known)
    covered = np.flatnonzero((coverage > 0.5).any(axis=1))
    if covered.size < 2 * _LEAST_ROWS:
        return None
    columns = np.flatnonzero((coverage > 0.5).any(axis=0))
    top, bottom = int(covered[0]), int(covered[-1]) + 1
    centre, half = (columns[0] + columns[-1] + 1) / 2, (columns[-1] - columns[0] + 1) / 2
    across = (np.arange(size[0], dtype=np.float32) + np.float32(0.5 - centre)) / np.float32(half)
    lift = np.clip(across, -1, 1) ** 2
    best: tuple[float, Float, bool] | None = None
    for sag in _SAGS:
        hang = np.float32(sag * 2 * half) * lift
        for row in range(bottom - int(_DEEPEST_SHARE * (bottom - top)), bottom - _LEAST_ROWS + 1):
            contact = np.float32(row) - hang
            fit = _mirrored(difference, coverage, contact, bottom)
            if fit is not None and (best is None or fit[0] > best[0]):
                best = fit[0], contact, fit[1]
    if best is None:
        return None
    up = window[0].start or 0
    at = (np.arange(width, dtype=np.float32) + 0.5) * size[0] / width - 0.5
    contact = np.interp(at, np.arange(size[0]), best[1]).astype(np.float32) * (height / size[1]) + up
    whole = np.full(matte.shape[1], np.float32(matte.shape[0]))
    whole[window[1]] = contact
    return FloorReflection(whole, best[2])


def _mirrored(difference: Float, coverage: Float, contact: Float, bottom: int) -> tuple[float, bool] | None:
    """How well the rows below a contact line (w,) are the mirror image of those above, and whether it is sure."""
    depth = bottom - int(contact.max())
    width = contact.size
    steps = np.arange(_BEYOND_ROWS, depth, dtype=np.float32)[:, None] + np.float32(0.5)
    cols = np.broadcast_to(np.arange(width, dtype=np.float32), (len(steps), width)).copy()
    if len(steps) < _LEAST_ROWS - 1:
        return None

    def at(picture: Float, rows: Float) -> Float:
        sampled: Float = cv2.remap(picture, cols[: len(rows)], rows.astype(np.float32), cv2.INTER_LINEAR)
        return sampled

    # The light must fall at the line at once, as it does where a product ends, not little by little.
    near_above = at(difference, contact[None] - np.float32(1.5))[0]
    near_below = at(difference, contact[None] + np.float32(0.5))[0]
    here = (at(coverage, contact[None] - np.float32(1.5))[0] > 0.5) & (np.abs(near_above).sum(axis=1) > 0.05)
    if not here.any():
        return None
    drop = float(np.einsum("nc,nc->", near_above[here], near_below[here]) / np.sum(near_above[here] ** 2))
    if drop > _DROP:
        return None

    above_rows, below_rows = contact - steps - np.float32(0.5), contact + steps - np.float32(0.5)
    inside_above, inside_below = at(coverage, above_rows) > 0.5, at(coverage, below_rows) > 0.5
    both = inside_above & inside_below
    either = inside_above | inside_below
    if not either.any() or both.sum() < _OVERLAP * either.sum():
        return None
    above, below = at(difference, above_rows)[both], at(difference, below_rows)[both]
    depths = np.broadcast_to(steps / np.float32(depth), both.shape)[both]
    # w falls in a line with depth; least squares in its two numbers.
    terms = np.stack([above, above * depths[:, None]], axis=-1).reshape(-1, 2)
    target = below.reshape(-1)
    energy = float(np.mean(target**2))
    if float(np.mean(above**2)) < _CLEAR_OF_BACKDROP:
        return None
    normal = terms.T @ terms + np.eye(2, dtype=np.float32) * np.float32(1e-4 * len(terms) * np.mean(terms**2))
    first, slope = np.linalg.solve(normal, terms.T @ target)
    last = first + slope
    if not (_WEAKEST <= first <= _STRONGEST and last <= first + 0.1 and last > -0.2):
        return None
    rest = target - terms @ np.array([first, slope], np.float32)
    explained = 1 - float(np.mean(rest**2)) / max(energy, 1e-9)
    if explained < _LIKELY_FIT:
        return None
    # A paler foot of a product of one colour would fit, too. Proof is detail that is seen again upside down, or that it
    # fades into the table.
    fine_above, fine_below = above - above.mean(axis=0), below - below.mean(axis=0)
    detail = float(np.sum(fine_above * fine_below)) / max(
        float(np.sqrt(np.sum(fine_above**2) * np.sum(fine_below**2))), 1e-9
    )
    has_detail = float(np.mean(fine_above**2)) > _LEAST_DETAIL * float(np.mean(above**2))
    fades = last < _FADED * first
    if not fades and detail < _LIKELY_DETAIL:
        return None
    by_detail = explained >= _SURE_FIT and has_detail and detail >= _SURE_DETAIL
    sure = by_detail or (fades and explained >= _FADING_FIT)
    return explained + 0.002 * len(steps), sure


def _window(matte: Float) -> tuple[slice, slice]:
    """The product's rows and columns with some of its surroundings."""
    extents = [np.flatnonzero((matte > 0.5).any(axis=axis)) for axis in (1, 0)]
    room = max(8, round(0.15 * max(int(extent[-1] - extent[0]) + 1 for extent in extents)))
    rows, cols = (slice(max(int(extent[0]) - room, 0), int(extent[-1]) + 1 + room) for extent in extents)
    return rows, cols


def remove_cast(
    image: NDArray[np.uint8], matte: Float, foreground: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Take the backdrop's hue out of a grey metal's rim, which mirrors what stands around it.

    Only a product that is grey elsewhere is touched, and only colours that are grey plus some of the backdrop's: a
    coloured product stays as it is. Lightness stays.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1].
        foreground: (H, W, 3) uint8 sRGB, from `foreground.estimate_foreground`.

    Returns:
        The foreground, and what was found.
    """
    window = _window(matte)
    coverage, product = matte[window], foreground[window]
    step = max(1, max(coverage.shape) // _LOOKED_AT_PX)
    thin = coverage[::step, ::step]
    beside = np.ascontiguousarray(image[window][::step, ::step])[thin == 0]
    inside = thin >= 0.99
    if not beside.size or not inside.any():
        return foreground, ()
    hue = np.median(srgb_to_lab(beside)[:, 1:], axis=0)
    strength = float(np.hypot(*hue))
    if strength < _COLOURED:
        return foreground, ()
    hue /= np.float32(strength)
    towards, aside = _along(srgb_to_lab(np.ascontiguousarray(product[::step, ::step])[inside]), hue)
    # Chrome mirrors many things; what it is by itself shows where it is grey.
    is_grey = (np.abs(towards) <= _GREY) & (np.abs(aside) <= _GREY)
    is_cast = (towards > _GREY) & (towards <= strength * _MOST_OF_BACKDROP) & (np.abs(aside) <= _ASIDE)
    if float(is_cast.mean()) < _LEAST_CAST:
        return foreground, ()
    if float(is_grey.mean()) < _LEAST_GREY or float((is_grey | is_cast).mean()) < _MOSTLY:
        return foreground, ()
    cleaned, left = _without_hue(product, coverage, hue, strength)
    whole = foreground.copy()
    whole[window] = cleaned
    return whole, (CAST_LEFT,) if left > _LEAST_CAST else (CAST_REMOVED,)


def _without_hue(
    product: NDArray[np.uint8], coverage: Float, hue: Float, strength: float
) -> tuple[NDArray[np.uint8], float]:
    """The product (H, W, 3) with its rim freed of a hue, and the share of it that still has it inside."""
    depth = cv2.distanceTransform((coverage > 0.5).view(np.uint8), cv2.DIST_L2, 5)
    rim_px = np.float32(_RIM_SHARE * max(coverage.shape))
    rows, cols = np.nonzero(coverage > 0)
    lab = srgb_to_lab(product[rows, cols])
    towards, aside = _along(lab, hue)
    # Full strength on the outline, none deeper than the rim, none for what is more than a cast.
    weight = np.clip(2 - 2 * depth[rows, cols] / rim_px, 0, 1)
    weight *= np.clip((_ASIDE - np.abs(aside)) / (_ASIDE / 2), 0, 1)
    weight *= np.clip((1 - towards / (strength * _MOST_OF_BACKDROP)) * 4, 0, 1)
    removed = weight * np.maximum(towards, 0)
    lab[:, 1:] -= removed[:, None] * hue
    cleaned = product.copy()
    cleaned[rows, cols] = lab_to_srgb(lab)
    left = (towards - removed > _VISIBLE_CAST) & (np.abs(aside) <= _ASIDE)
    return cleaned, float(left.mean())


def _along(lab: Float, hue: Float) -> tuple[Float, Float]:
    """Chroma along a hue (2,) and across it, each (N,)."""
    return lab[:, 1] * hue[0] + lab[:, 2] * hue[1], lab[:, 2] * hue[0] - lab[:, 1] * hue[1]
