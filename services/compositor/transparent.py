"""Clear and tinted products: what of a pixel is the product's own light, and what is the backdrop seen through it.

Inside of a transparent product a pixel is `C = F + T * B` in linear light: B the backdrop behind it, T what glass and
liquid leave of that light per channel (the tint), F what the surface adds or hides it with (highlights, reflections,
labels). On white the same pixel is `F + T`. With one backdrop only, F and T cannot be told apart without assumptions:
six unknowns, three equations. The assumptions here:

- The backdrop goes on behind the product as it does beside it, without its texture; what a lens of glass or liquid may
  show of it instead is as likely as its colours vary (`behind.py`).
- T does not rise above what is usual around a pixel (`tint.py`): what is brighter is a reflection.
- Where the backdrop has almost no light in a channel, single pixels say nothing about T there: what is usual holds, as
  much darker as the other channels are.
- A wide area brighter than the backdrop is no glass but a label, and what is almost black is a cap: they stay solid.

References:
    Smith, Blinn, "Blue Screen Matting", SIGGRAPH 1996: what one backdrop can and cannot tell, and triangulation.
    Zongker, Werner, Curless, Salesin, "Environment Matting and Compositing", SIGGRAPH 1999: the model with tint and
    refraction, of which only the tint survives one photo.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.backdrop import continue_backdrop
from services.common.color import linear_to_srgb, srgb_to_lab, srgb_to_linear
from services.compositor.behind import as_far_as_followed, as_shown
from services.compositor.findings import Finding
from services.compositor.tint import Tint, glare, usual_tint

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SUM = np.ones((1, 3), np.float32)
_MEAN = _SUM / 3

_ROOM_SHARE = 0.15  # of the product's longer side, of backdrop looked at around it
_ROOM_LEAST_PX = 24
_SMALL_PX = 256  # longer side at which what is smooth is worked out
_GUARD_PX = 2  # small pixels around the product that may hold some of it
_ALL = 0.999  # sums of area weights are not exactly 1
_COVERED = 0.99  # of a pixel: nothing is seen beside the product
_LEAST_LIGHT = 2e-3  # of a backdrop, linear; darker ones tell nothing
_BRIGHTER, _WIDE_BRIGHT = 0.07, 0.11  # than the backdrop, linear, and over that share of the longer side: no reflection
_BLACK, _WIDE_BLACK = 0.12, 0.04  # of the backdrop's light, and over that share of the longer side: no glass
_OWN_COLOUR, _COLOURED, _WIDE_COLOURED = 0.05, 0.4, 0.03  # light added in one channel and not in all, linear, and as a
# share of all that is added: no reflection of a grey surrounding
_TINTED = 0.2  # between the usual ratios of the channels: the product is tinted as a whole
_PRINT = 0.03  # of the longer side: what is narrower in a label is print
_GRAIN = 0.006  # linear light: what a single pixel is off by
_UNSURE = 0.02  # linear light: how far the veil over a single pixel may be from what is usual
_TINT_SD = 0.15  # how far T may be from what is usual
_MISFIT = 0.1  # relative, up to which grey glare over what is usual explains a pixel; at twice that it does not
_STRAY_SHARE = 0.004  # of the longer side: how far the silhouette may reach over the backdrop
_LIKE_BACKDROP = 0.06  # relative: what is seen there is the backdrop itself
_GLASS_FROM = 0.25  # of the backdrop's light, in the channel that gets most of it
_GLASS_REFLECTS = 0.05  # linear light, more than the backdrop's
_GLASS_SHARE = 0.2  # of the product that has to look like that
_STRIP_PX = 1 << 15
_SEEN, _SEEN_SHARE = 3.0, 0.5  # L* darker than white, along at least that share of the outline
_OUTLINE_PX = 4  # small pixels from the outline in which that may lie
_MATTE_TRUST = 0.1  # below, the silhouette itself fades
_OUTLINE = 0.25
_BUSY = 0.2  # relative deviation of a backdrop from its smooth self, from where on it cannot be taken out
_SATURATED = 0.1  # of a backdrop's strongest channel, below which the weakest tells little
_SATURATED_WHOLLY = 0.02  # and below which it tells nothing
_MANY_COLOURS = 0.25  # between the shares of a channel in a backdrop's light, from one place to another
_DARK = 0.03  # linear light of a backdrop, below which nothing is seen through a product

LEFT = Finding(
    "TRANSPARENT_BACKDROP_LEFT",
    False,
    "the backdrop could not be taken out of the transparent product cleanly",
    "shoot it before an even backdrop that is not dark",
)
FAINT = Finding(
    "GLASS_EDGE_FAINT",
    False,
    "the outline of the transparent product can hardly be seen on white",
    "shoot it with black cards on both sides, so that its edges turn dark",
)


@dataclass(frozen=True, slots=True)
class SeenThrough:
    """A product with what is seen through it taken out.

    alpha: (H, W) float32 in [0, 1].
    foreground: (H, W, 3) uint8 sRGB, straight colour. Laid on white the two give `F + T` exactly.
    findings: what could not be done.
    """

    alpha: Float
    foreground: NDArray[np.uint8]
    findings: tuple[Finding, ...] = ()


def fill_outline(matte: Float) -> Float:
    """The solid silhouette of a transparent product: what its outline encloses belongs to it, whatever a segmenter saw
    through it. Real openings do no harm: there the backdrop itself is seen.

    Args:
        matte: (H, W) float32 in [0, 1].

    Returns:
        (H, W) float32 in [0, 1].
    """
    visible = cv2.compare(matte, _OUTLINE, cv2.CMP_GE)
    outlines, _ = cv2.findContours(visible, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(visible), outlines, -1, 255, cv2.FILLED)
    inside = cv2.erode(filled, np.ones((3, 3), np.uint8))
    return np.where(inside > 0, np.float32(1), matte)


def see_through(
    image: NDArray[np.uint8], matte: Float, foreground: NDArray[np.uint8], opaque: Mask | None = None
) -> SeenThrough:
    """Separate a transparent product from the backdrop that shows through it.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1], the product's solid silhouette; a little too wide does no harm.
        foreground: (H, W, 3) uint8 sRGB, the colours that go with it: they stay where the product is solid.
        opaque: (H, W) bool, the parts known to be solid, labels and caps, while the rest is known not to be; None if
            nobody knows, then both are looked for.

    Returns:
        Matte and foreground as they came, if the product shows no sign of being transparent or if there is no backdrop
        beside it to compare with.
    """
    window = _window(matte)
    coverage = matte[window]
    if not (coverage == 0).any() or not (coverage > 0.5).any():
        return SeenThrough(matte, foreground, (LEFT,))
    light = srgb_to_linear(image[window])
    backdrop = _behind(light, coverage)
    behind = backdrop[coverage > 0.5][:: max(1, coverage.size // _SMALL_PX**2)]
    typical, shift = np.median(behind, axis=0), _hue_shift(behind)
    is_dark = bool(typical.mean() < _DARK)
    if not is_dark and typical.min() < _SATURATED_WHOLLY * typical.max():
        return SeenThrough(matte, foreground, (LEFT,))
    is_saturated = bool(typical.min() < _SATURATED * typical.max())
    ratio = cv2.divide(light, backdrop)
    busy = _busyness(ratio, coverage == 0)
    if opaque is None:
        solid = _solid(ratio, backdrop, coverage, busy, has_many_colours=shift > _MANY_COLOURS)
    else:
        solid = opaque[window].astype(np.float32)
    if opaque is None and not _is_glass(ratio, backdrop, coverage, solid):
        return SeenThrough(matte, foreground)
    clear = (coverage > _COVERED) & (solid < 0.5)
    if not clear.any():
        return SeenThrough(matte, foreground)
    backdrop = as_shown(as_far_as_followed(backdrop, light, clear), light, clear, coverage == 0)
    tint = usual_tint(light, backdrop, clear)
    outermost = _outermost(coverage)
    whole_alpha, whole_colour = np.zeros_like(matte), foreground.copy()
    alpha, colour = whole_alpha[window], whole_colour[window]
    # Strip by strip, so that all of it stays in the processor's cache.
    rows = max(1, _STRIP_PX // coverage.shape[1])
    for strip in (slice(top, top + rows) for top in range(0, coverage.shape[0], rows)):
        usual = Tint(tint.through[strip], tint.veil[strip])
        through, on_white = _separate(light[strip], backdrop[strip], usual, coverage[strip], outermost[strip])
        _keep_solid(through, on_white, solid[strip], coverage[strip], colour[strip])
        alpha[strip], colour[strip] = _as_cutout(on_white, through)
    alpha *= np.clip(coverage / np.float32(_MATTE_TRUST), 0, 1)
    is_left = busy > _BUSY or is_dark or is_saturated or shift > _MANY_COLOURS
    findings: tuple[Finding, ...] = (LEFT,) if is_left else ()
    if _visible_outline(alpha, colour, coverage) < _SEEN_SHARE:
        findings += (FAINT,)
    return SeenThrough(whole_alpha, whole_colour, findings)


def _visible_outline(alpha: Float, colour: NDArray[np.uint8], coverage: Float) -> float:
    """The share of the outline along which something at least `_SEEN` L* darker than white lies within it."""
    small = _small_size(*coverage.shape)
    thin, outline = (cv2.resize(part, small, interpolation=cv2.INTER_AREA) for part in (alpha, coverage))
    lightness = srgb_to_lab(cv2.resize(colour, small, interpolation=cv2.INTER_AREA))[..., 0]
    seen = cv2.dilate((thin * (100 - lightness) >= _SEEN).astype(np.uint8), _disc(_OUTLINE_PX))
    inside = (outline > 0.5).astype(np.uint8)
    rim = (inside - cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=0)) > 0
    return float(seen[rim].mean()) if rim.any() else 1.0


def _hue_shift(backdrop: Float) -> float:
    """How far the share of a channel in a backdrop's light (N, 3) changes from one place to another."""
    shares = backdrop / backdrop.sum(axis=1, keepdims=True)
    low, high = np.percentile(shares, (5, 95), axis=0)
    return float(np.max(high - low))


def _window(matte: Float) -> tuple[slice, slice]:
    """The product's rows and columns with some backdrop around them."""
    extents = [np.flatnonzero((matte > 0).any(axis=axis)) for axis in (1, 0)]
    longer = max(int(extent[-1] - extent[0]) + 1 for extent in extents)
    room = max(_ROOM_LEAST_PX, round(_ROOM_SHARE * longer))
    rows, cols = (slice(max(int(extent[0]) - room, 0), int(extent[-1]) + 1 + room) for extent in extents)
    return rows, cols


def _behind(light: Float, coverage: Float) -> Float:
    """The backdrop behind the product, without its texture, at the window's size."""
    height, width = coverage.shape
    small = _small_size(height, width)
    beside = cv2.resize((coverage == 0).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    guard = np.ones((2 * _GUARD_PX + 1, 2 * _GUARD_PX + 1), np.uint8)
    known = (cv2.erode(beside, guard) > _ALL).astype(np.float32)
    if not known.any():
        known = (beside >= beside.max()).astype(np.float32)
    behind = continue_backdrop(cv2.resize(light, small, interpolation=cv2.INTER_AREA), known)
    lit = np.maximum(behind, np.float32(_LEAST_LIGHT))
    large: Float = cv2.resize(lit, (width, height), interpolation=cv2.INTER_LINEAR)
    return large


def _busyness(ratio: Float, beside: Mask) -> float:
    """How far a ratio (H, W, 3) is from 1 beside the product (root mean square)."""
    deviation = cv2.subtract(np.where(beside[..., None], ratio, np.float32(1)), (1.0, 1.0, 1.0, 0.0))
    return float(np.sqrt(cv2.norm(deviation, cv2.NORM_L2SQR) / (3 * cv2.countNonZero(beside.view(np.uint8)))))


def _outermost(coverage: Float) -> Mask:
    """Where a silhouette (H, W) that is a little too wide would show the backdrop itself."""
    reach = max(1, round(_STRAY_SHARE * max(coverage.shape)))
    inner = cv2.erode((coverage > 0).view(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return np.asarray(inner == 0, bool)


def _solid(ratio: Float, backdrop: Float, coverage: Float, busy: float, *, has_many_colours: bool) -> Float:
    """How solid the product is, (H, W) in [0, 1]: wide areas much brighter than the backdrop, black ones, and what adds
    coloured light to it, as no reflection of a grey surrounding does."""
    height, width = ratio.shape[:2]
    small = _small_size(height, width)
    coarse, behind = (cv2.resize(part, small, interpolation=cv2.INTER_AREA) for part in (ratio, backdrop))
    coarse, behind = (part.reshape(small[1], small[0], 3) for part in (coarse, behind))
    excess = (coarse - 1) * behind
    least, most = excess.min(axis=2), excess.max(axis=2)
    coloured = most - np.maximum(least, 0)
    # Behind tinted glass a grey reflection adds coloured light, too, and glass bends that of other places into sight.
    usual = np.median(coarse[cv2.resize(coverage, small, interpolation=cv2.INTER_AREA) > 0.5], axis=0)
    own_light = (coloured > _OWN_COLOUR + busy / 2 * behind.max(axis=2)) & (coloured > _COLOURED * most)
    if has_many_colours or np.ptp(usual) > _TINTED:
        own_light[:] = False
    print_px = max(1, round(_PRINT / 2 * max(small)))
    solid = np.zeros((small[1], small[0]), np.uint8)
    for mask, width_share in (
        (least > _BRIGHTER, _WIDE_BRIGHT),
        (coarse.max(axis=2) < _BLACK, _WIDE_BLACK),
        (own_light, _WIDE_COLOURED),
    ):
        radius = max(1, round(width_share / 2 * max(small)))
        # Print is closed over; lines and highlights are opened away, and corners brought back.
        closed = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, _disc(print_px))
        core = cv2.morphologyEx(closed, cv2.MORPH_OPEN, _disc(radius))
        solid |= cv2.dilate(core, _disc(max(1, radius // 2))) & closed
    large: Float = cv2.resize(solid.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return large


def _is_glass(ratio: Float, backdrop: Float, coverage: Float, solid: Float) -> bool:
    """Whether enough of the product shows some of the backdrop's light and no more than that, as glass does and no
    opaque product that is brighter or black."""
    step = max(1, max(coverage.shape) // _SMALL_PX)
    ratio, backdrop, coverage, solid = (part[::step, ::step] for part in (ratio, backdrop, coverage, solid))
    inside = (coverage > 0.5) & (solid < 0.5)
    passes = ratio.max(axis=2) >= _GLASS_FROM
    reflects = ((ratio - 1) * backdrop).min(axis=2) > _GLASS_REFLECTS
    return int((inside & passes & ~reflects).sum()) >= _GLASS_SHARE * int((coverage > 0.5).sum())


def _separate(light: Float, backdrop: Float, usual: Tint, coverage: Float, outermost: Mask) -> tuple[Float, Float]:
    """T and F + T, each (H, W, 3)."""
    covered = coverage[..., None]
    most = 1 - covered * (1 - usual.through)
    stray = (np.abs(light - backdrop) <= _LIKE_BACKDROP * backdrop + np.float32(_GRAIN)).all(axis=2) & outermost
    most[stray] = 1
    rest = light - usual.veil * covered
    expected = most * backdrop
    rest -= _glare(rest, expected)[..., None]
    # Where the backdrop is dark in a channel a pixel says nothing about T there; the others say how dark it is.
    unmoved = np.float32((_GRAIN / _TINT_SD) ** 2)
    product, square = (cv2.transform(part, _SUM) for part in (rest * expected, expected**2))
    darker = ((product + unmoved) / (square + unmoved)).clip(0, 1)
    likely = most * darker[..., None]
    weight = np.float32(_TINT_SD**2) / (np.float32(_TINT_SD**2) + (np.float32(_UNSURE) / backdrop) ** 2)
    through: Float = np.clip(likely + weight * (rest / backdrop - likely), 0, most)
    on_white: Float = light + through * (1 - backdrop)
    return through, on_white


def _glare(light: Float, expected: Float) -> Float:
    """Grey light, (H, W), that explains why a pixel is not as expected; what does not fit may be another tint, so there
    only what all channels have too much of is grey light."""
    fitted = glare(light, expected)
    rest = light - fitted[..., None]
    strength = (rest / np.maximum(expected, np.float32(1e-4))).mean(axis=2).clip(0)
    misfit = np.linalg.norm(rest - strength[..., None] * expected, axis=2)
    fits = np.clip(2 - misfit / (np.float32(_MISFIT) * np.linalg.norm(light, axis=2) + np.float32(1e-4)), 0, 1)
    too_much = _darkest(light - expected).clip(0)
    return np.asarray(too_much + fits * (fitted - too_much), np.float32)


def _keep_solid(through: Float, on_white: Float, solid: Float, coverage: Float, foreground: NDArray[np.uint8]) -> None:
    """Lay the solid parts over glass (H, W, 3), in place: there alpha is the matte's and colour the foreground's."""
    rows, cols = np.nonzero(solid)
    if not rows.size:
        return
    share, weight = coverage[rows, cols, None], solid[rows, cols, None]
    clear = through[rows, cols]
    through[rows, cols] = clear + weight * (1 - share - clear)
    glass = on_white[rows, cols]
    on_white[rows, cols] = glass + weight * (1 - share * (1 - srgb_to_linear(foreground[rows, cols])) - glass)


def _as_cutout(on_white: Float, through: Float) -> tuple[Float, NDArray[np.uint8]]:
    """One alpha and a straight colour that give `on_white` exactly: as little alpha as a colour in [0, 1] allows."""
    on_white = np.clip(on_white, 0, 1)
    alpha = np.clip(np.maximum(1 - cv2.transform(through, _MEAN), 1 - _darkest(on_white)), 0, 1)
    per_alpha = 1 / np.maximum(alpha, np.float32(1e-4))
    colour = 1 - (1 - on_white) * per_alpha[..., None]
    return alpha, linear_to_srgb(np.clip(colour, 0, 1))


def _darkest(picture: Float) -> Float:
    """The smallest channel, (H, W)."""
    red, green, blue = cv2.split(picture)
    smallest: Float = cv2.min(cv2.min(red, green), blue)
    return smallest


def _disc(radius_px: int) -> NDArray[np.uint8]:
    side = 2 * radius_px + 1
    element: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return element


def _small_size(height: int, width: int) -> tuple[int, int]:
    """(width, height) with a longer side of `_SMALL_PX`, or as it is if that is smaller."""
    scale = min(1.0, _SMALL_PX / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))
