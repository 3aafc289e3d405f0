"""Skin on a product or right beside it: a person wears it or a hand holds it.

Colour alone also answers to leather, wood and brass, so a region of skin colour has to look like a limb or a face as
well: large and thick enough, one hue, shaded as a round body is, touching the product but neither all of it nor the
backdrop. The numbers were chosen on real product photos for few false alarms, not for every hand: skin that is small,
gloved, strongly lit in colour or in front of a wall of its own colour is not found.

References
----------
Jones and Rehg, "Statistical color models with application to skin detection", IJCV 46(1), 2002.
Kovac, Peer and Solina, "Human skin color clustering for face detection", EUROCON 2003 (explicit bounds instead of a
histogram; ours are in CIELAB, where one range of hue holds for light and dark skin).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.background import Background
from services.segmenter.masks import disc, grow, resize, working_size
from services.segmenter.superpixels import gradient_magnitude

_SIDE_PX = 192

# A pixel of skin colour, widely meant: hue in degrees, the rest in CIELAB units.
_PIXEL_HUE = (25.0, 75.0)
_PIXEL_CHROMA = (9.0, 42.0)
_PIXEL_LIGHTNESS = (20.0, 90.0)
_PIXEL_MIN_A = 4.0
_MAX_GRADIENT = 12.0  # ΔE76 per pixel; more is an outline or print
_MIN_BACKDROP_DIFFERENCE = 8.0  # ΔE76; closer to a plain backdrop's field is the backdrop

# A region that is skin: medians, and spread within it.
_HUE = (35.0, 60.0)
_MIN_A = 8.0
_MIN_LIGHTNESS = 30.0
_MAX_SATURATION = 0.7  # chroma over lightness; tanned leather and copper have more
_MAX_HUE_DEVIATION = 8.0
_MIN_SHADING = 15.0  # L* between the 5th and 95th percentile; flat paint and paper have less
_MIN_RELATIVE_SHADING = 0.35  # of its lightness, enough where the skin is dark

_MIN_AREA_SHARE = 0.006  # of the frame
_MIN_RADIUS_PX = 4.0  # of the largest circle inside, at the working size
_REACH_PX = 3  # closer to the product is touching it
_MIN_CONTACT = 1.5  # length along which it touches, over the root of its area
_MAX_PRODUCT_SHARE = 0.7  # of the product; more is a product of that colour
_MAX_FRAME_SHARE = 0.15  # of the frame's rim; more is a wall or a table
_MAX_SHARE_AROUND = 0.2  # of what is not product; where more has skin colour, colour tells nothing


def shows_skin(lab: NDArray[np.float32], product: NDArray[np.bool_], background: Background) -> bool:
    """Whether skin is part of the product or touches it.

    Args:
        lab: CIELAB, float32 (H, W, 3), L* in [0, 100]; measured at 192 px.
        product: bool (H, W).
        background: as described before; a plain one's own colour is not skin.
    """
    height, width = product.shape
    size = working_size(height, width, _SIDE_PX)
    lab = resize(lab, *size)
    product = resize(product.astype(np.float32), *size) >= 0.5
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    colored = (
        _within(hue, _PIXEL_HUE)
        & _within(chroma, _PIXEL_CHROMA)
        & _within(lab[..., 0], _PIXEL_LIGHTNESS)
        & (lab[..., 1] >= _PIXEL_MIN_A)
    )
    if np.count_nonzero(colored & ~product) > _MAX_SHARE_AROUND * np.count_nonzero(~product):
        return False
    smooth = colored & (gradient_magnitude(lab) < _MAX_GRADIENT)
    if background.is_plain:
        smooth &= np.linalg.norm(lab - background.field(*size), axis=2) > _MIN_BACKDROP_DIFFERENCE
    opened = cv2.morphologyEx(smooth.astype(np.uint8), cv2.MORPH_OPEN, disc(1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    near = grow(product, _REACH_PX)
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < _MIN_AREA_SHARE * product.size:
            continue
        region = labels == label
        if _lies_like_skin(region, product, near) and _looks_like_skin(lab[region], hue[region], chroma[region]):
            return True
    return False


def _lies_like_skin(region: NDArray[np.bool_], product: NDArray[np.bool_], near: NDArray[np.bool_]) -> bool:
    """Thick, along the product, not most of it, and not along the frame as a backdrop is."""
    contact_px = np.count_nonzero(region & near) / _REACH_PX
    if contact_px < _MIN_CONTACT * np.sqrt(np.count_nonzero(region)):
        return False
    if np.count_nonzero(region & product) > _MAX_PRODUCT_SHARE * np.count_nonzero(product):
        return False
    frame = np.concatenate([region[0], region[-1], region[1:-1, 0], region[1:-1, -1]])
    if frame.mean() > _MAX_FRAME_SHARE:
        return False
    # Padded, since skin may go on beyond the frame but its thickness is only known inside.
    depth_px = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3)
    return float(depth_px.max()) >= _MIN_RADIUS_PX


def _looks_like_skin(lab: NDArray[np.float32], hue: NDArray[np.float32], chroma: NDArray[np.float32]) -> bool:
    """One hue of skin, shaded; pixels of one region, (N, 3) and (N,)."""
    dark, lightness, bright = np.percentile(lab[:, 0], [5, 50, 95])
    return bool(
        _HUE[0] <= np.median(hue) <= _HUE[1]
        and np.median(lab[:, 1]) >= _MIN_A
        and lightness >= _MIN_LIGHTNESS
        and np.median(chroma) <= _MAX_SATURATION * lightness
        and hue.std() <= _MAX_HUE_DEVIATION
        and bright - dark >= min(_MIN_SHADING, _MIN_RELATIVE_SHADING * lightness)
    )


def _within(values: NDArray[np.float32], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    return (values >= bounds[0]) & (values <= bounds[1])
