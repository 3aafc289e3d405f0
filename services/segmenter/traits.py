"""What about a product makes its edge or its inside hard, each by one documented measure.

These are hints for confidence and for people, not classifiers: thresholds are set so that ordinary opaque
products show none.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import continue_backdrop
from services.segmenter.background import Background
from services.segmenter.masks import enclosed, grow, resize, shrink, to_lab, working_size
from services.segmenter.pieces import Piece
from services.segmenter.skin import shows_skin
from services.segmenter.superpixels import gradient_magnitude

_SIDE_PX = 384
_MIN_PIECE_SHARE = 0.03  # of the largest piece, for a piece to count as one


class Trait(Enum):
    TRANSPARENT = "transparent"
    HAIRY = "hairy"
    REFLECTIVE = "reflective"
    MULTI_PIECE = "multi-piece"
    WHITE_ON_WHITE = "white-on-white"
    WORN_OR_HELD = "worn or held"


def find_traits(
    image: NDArray[np.uint8], matte: NDArray[np.float32], background: Background, pieces: Sequence[Piece]
) -> frozenset[Trait]:
    """Traits of the product.

    Args:
        image: (H, W, 3) uint8 RGB.
        matte: float32 (H, W) in [0, 1].
        background, pieces: as described and found before.
    """
    if not pieces:
        return frozenset()
    found = set()
    if sum(piece.area_share >= _MIN_PIECE_SHARE * pieces[0].area_share for piece in pieces) > 1:
        found.add(Trait.MULTI_PIECE)
    height, width = image.shape[:2]
    size = working_size(height, width, _SIDE_PX)
    lab = to_lab(resize(image, *size))
    product = resize(matte, *size) >= 0.5
    inside = shrink(product, 4)
    if np.count_nonzero(inside) < 64:
        return frozenset(found)
    if background.is_plain:
        field = background.field(*size)
        # Before white a white product looks like glass to any colour measure, before black a black one does, and taken
        # for glass it is erased.
        if _is_near_white(field):
            if _is_like(field, lab, inside):
                found.add(Trait.WHITE_ON_WHITE)
        elif not _is_near_black(field) and _is_transparent(lab, field, inside):
            found.add(Trait.TRANSPARENT)
        if _is_hairy(lab, product):
            found.add(Trait.HAIRY)
    if _repeats_backdrop(lab, product):
        found.add(Trait.TRANSPARENT)
    if _is_reflective(lab, inside):
        found.add(Trait.REFLECTIVE)
    if shows_skin(lab, product, background):
        found.add(Trait.WORN_OR_HELD)
    return frozenset(found)


def _is_near_white(field: NDArray[np.float32]) -> bool:
    """A backdrop of L* at least 90 and next to no chroma."""
    typical = np.median(field, axis=(0, 1))
    return bool(typical[0] >= 90 and np.hypot(typical[1], typical[2]) <= 6)


def _is_near_black(field: NDArray[np.float32]) -> bool:
    """A backdrop of L* at most 25, whatever its colour: down there, differences of colour are small."""
    return bool(np.median(field[..., 0]) <= 25)


def _is_like(field: NDArray[np.float32], lab: NDArray[np.float32], inside: NDArray[np.bool_]) -> bool:
    """Half of the product's inside is within 15 ΔE76 of the backdrop."""
    close = np.linalg.norm(lab - field, axis=2)[inside] <= 15
    return bool(close.mean() >= 0.5)


def _is_transparent(lab: NDArray[np.float32], field: NDArray[np.float32], inside: NDArray[np.bool_]) -> bool:
    """40 % of the inside shows the backdrop's own colour within 8 ΔE76, in places brighter or darker than it, while
    the rest differs: what glass and clear film look like in front of a plain backdrop that is not white on white."""
    difference = np.linalg.norm(lab - field, axis=2)[inside]
    return bool((difference <= 8).mean() >= 0.4 and (difference >= 12).mean() >= 0.1)


def _repeats_backdrop(lab: NDArray[np.float32], product: NDArray[np.bool_]) -> bool:
    """The backdrop has several colours, at least 6 a*b* apart on average, and the product's own colours change from
    place to place as those of the backdrop behind it do (correlation 0.82): what glass and liquid look like before a
    scene. Of 1,743 photos of opaque products none does, of 34 rendered glass ones four do."""
    filled = product | enclosed(~product, 0.0)
    inside, beside = shrink(filled, 3), ~grow(filled, 3)
    if min(np.count_nonzero(inside), np.count_nonzero(beside)) < 64:
        return False
    behind = continue_backdrop(lab, beside.astype(np.float32))
    seen, expected = (colours[inside][:, 1:] for colours in (lab, behind))
    seen, expected = seen - seen.mean(axis=0), expected - expected.mean(axis=0)
    spread = float(np.square(expected).sum(axis=1).mean())
    if spread < 6.0**2:
        return False
    together = float((seen * expected).sum())
    return together >= 0.82 * float(np.sqrt(np.square(seen).sum() * np.square(expected).sum()))


def _is_hairy(lab: NDArray[np.float32], product: NDArray[np.bool_]) -> bool:
    """Just outside the outline, where a clean edge has ended, the photo is at least four times as busy as the
    backdrop farther out, and busier than 1 ΔE76 per pixel."""
    gradient = gradient_magnitude(lab)
    fringe = grow(product, 8) & ~grow(product, 4)
    far = grow(product, 24) & ~grow(product, 14)
    if min(np.count_nonzero(fringe), np.count_nonzero(far)) < 64:
        return False
    busy = float(np.median(gradient[fringe]))
    return busy >= 1.0 and busy >= 4.0 * float(np.median(gradient[far]))


def _is_reflective(lab: NDArray[np.float32], inside: NDArray[np.bool_]) -> bool:
    """At least three separate small highlights (L* ≥ 97, at least 30 above their 21 px surroundings), together
    0.2 % to 15 % of the inside: mirror images of lamps, not white print."""
    lightness = np.ascontiguousarray(lab[..., 0])
    around = cv2.blur(lightness, (21, 21))
    highlight = inside & (lightness >= 97) & (lightness - around >= 30)
    count, _, stats, _ = cv2.connectedComponentsWithStats(highlight.astype(np.uint8), connectivity=8)
    sizable = int((stats[1:, cv2.CC_STAT_AREA] >= 3).sum()) if count > 1 else 0
    share = float(highlight.sum()) / float(inside.sum())
    return sizable >= 3 and 0.002 <= share <= 0.15
