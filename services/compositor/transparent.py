"""Clear and tinted products: what of a pixel is the product's own light, and what is the backdrop seen through it.

Inside of a transparent product a pixel is `C = F + T * B` in linear light: B the backdrop behind it, T what glass and
liquid leave of that light per channel (the tint), F what the surface adds or hides it with (highlights, reflections,
labels). On white the same pixel is `F + T`. With one backdrop only, F and T cannot be told apart without assumptions:
six unknowns, three equations. The assumptions here:

- The backdrop goes on behind the product as it does beside it, up to its texture.
- T is at most what is seen, `C / B`, and at most 1. It does not rise above what is usual around a pixel: what is
  brighter is a reflection.
- A wide area brighter than the backdrop is no glass but a label, and what is almost black is a cap: they stay solid.

References:
    Smith, Blinn, "Blue Screen Matting", SIGGRAPH 1996: what one backdrop can and cannot tell, and triangulation.
    Zongker, Werner, Curless, Salesin, "Environment Matting and Compositing", SIGGRAPH 1999: the model with tint and
    refraction, of which only the tint survives one photo.
    Lee, "Digital Image Enhancement and Noise Filtering by Use of Local Statistics", PAMI 2(2), 1980, band by band:
    structure no stronger than the backdrop's own texture is taken for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.color import linear_to_srgb, srgb_to_lab, srgb_to_linear
from services.compositor.backdrop import continue_backdrop
from services.compositor.findings import Finding

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SUM = np.ones((1, 3), np.float32)
_MEAN = _SUM / 3

_ROOM_SHARE = 0.15  # of the product's longer side, of backdrop looked at around it
_ROOM_LEAST_PX = 24
_SMALL_PX = 256  # longer side at which what is smooth is worked out
_GUARD_PX = 2  # small pixels around the product that may hold some of it
_ALL = 0.999  # sums of area weights are not exactly 1
_LEAST_LIGHT = 2e-3  # of a backdrop, linear; darker ones tell nothing
_BANDS = 6
_PLAIN = 0.03  # relative deviation of a backdrop from its smooth self, up to which it has no texture
_TEXTURE_FACTOR = 2.5  # local power beyond this many times the backdrop's is structure of the product
_USUAL_SHARE = 0.06  # of the longer side: the window in which the usual ratio is found
_BRIGHTER, _WIDE_BRIGHT = 0.07, 0.11  # than the backdrop, linear, and over that share of the longer side: no reflection
_BLACK, _WIDE_BLACK = 0.12, 0.04  # of the backdrop's light, and over that share of the longer side: no glass
_OWN_COLOUR, _COLOURED, _WIDE_COLOURED = 0.05, 0.4, 0.03  # light added in one channel and not in all, linear, and as a
# share of all that is added: no reflection of a grey surrounding
_TINTED = 0.2  # between the usual ratios of the channels: the product is tinted as a whole
_PRINT = 0.03  # of the longer side: what is narrower in a label is print
_CLEAREST = 0.93  # of the light gets through two walls; more than half of what is lost the surface mirrors back
_GLARE_SD = 0.1  # linear light: reflections to be expected
_TINT_SD = 0.15  # relative: how far glass may colour what is seen through it
_GLASS_FROM = 0.25  # of the backdrop's light, in the channel that gets most of it
_GLASS_REFLECTS = 0.05  # linear light, more than the backdrop's
_GLASS_SHARE = 0.2  # of the product that has to look like that
_STRIP_PX = 1 << 15
_SEEN, _SEEN_SHARE = 3.0, 0.5  # L* darker than white, along at least that share of the outline
_OUTLINE_PX = 4  # small pixels from the outline in which that may lie
_MATTE_TRUST = 0.1  # below, the silhouette itself fades
_OUTLINE = 0.25
_BUSY = 0.2  # relative deviation of a backdrop from its smooth self, from where on it cannot be taken out
_SATURATED = 0.1  # of a backdrop's strongest channel, below which the weakest tells nothing
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


def see_through(image: NDArray[np.uint8], matte: Float, foreground: NDArray[np.uint8]) -> SeenThrough:
    """Separate a transparent product from the backdrop that shows through it.

    Args:
        image: (H, W, 3) uint8 sRGB.
        matte: (H, W) float32 in [0, 1], the product's solid silhouette; a little too wide does no harm.
        foreground: (H, W, 3) uint8 sRGB, the colours that go with it: they stay where the product is solid.

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
    ratio, busy = _without_texture(cv2.divide(light, backdrop), coverage == 0)
    behind = backdrop[coverage > 0.5][:: max(1, coverage.size // _SMALL_PX**2)]
    typical, shift = np.median(behind, axis=0), _hue_shift(behind)
    is_dark = bool(typical.mean() < _DARK)
    if not is_dark and typical.min() < _SATURATED * typical.max():
        return SeenThrough(matte, foreground, (LEFT,))
    solid = _solid(ratio, backdrop, coverage, busy, has_many_colours=shift > _MANY_COLOURS)
    if not _is_glass(ratio, backdrop, coverage, solid):
        return SeenThrough(matte, foreground)
    usual = _usual(ratio)
    whole_alpha, whole_colour = np.zeros_like(matte), foreground.copy()
    alpha, colour = whole_alpha[window], whole_colour[window]
    # Strip by strip, so that all of it stays in the processor's cache.
    rows = max(1, _STRIP_PX // coverage.shape[1])
    for strip in (slice(top, top + rows) for top in range(0, coverage.shape[0], rows)):
        through, on_white = _separate(ratio[strip], backdrop[strip], usual[strip])
        _keep_solid(through, on_white, solid[strip], coverage[strip], colour[strip])
        alpha[strip], colour[strip] = _as_cutout(on_white, through)
    alpha *= np.clip(coverage / np.float32(_MATTE_TRUST), 0, 1)
    findings: tuple[Finding, ...] = (LEFT,) if busy > _BUSY or is_dark or shift > _MANY_COLOURS else ()
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


def _without_texture(ratio: Float, beside: Mask) -> tuple[Float, float]:
    """Take from a ratio (H, W, 3), band by band, what is no stronger than it is beside the product.

    Returns:
        The ratio, and how far it is from 1 beside the product (root mean square).
    """
    # The same without the product, of which no band beside it may hold anything.
    plain = np.where(beside[..., None], ratio, np.float32(1))
    deviation = cv2.subtract(plain, (1.0, 1.0, 1.0, 0.0))
    share = cv2.countNonZero(beside.view(np.uint8)) / beside.size
    busy = float(np.sqrt(cv2.norm(deviation, cv2.NORM_L2SQR) / (3 * beside.size * share)))
    if busy <= _PLAIN:
        return ratio, busy
    levels, empty = [ratio], [plain]
    while len(levels) <= _BANDS and min(levels[-1].shape[:2]) > 8:
        levels.append(cv2.pyrDown(levels[-1]))
        empty.append(cv2.pyrDown(empty[-1]))
    result = levels[-1]
    for level in range(len(levels) - 2, -1, -1):
        height, width = levels[level].shape[:2]
        band = cv2.subtract(levels[level], cv2.pyrUp(levels[level + 1], dstsize=(width, height)))
        of_backdrop = cv2.subtract(empty[level], cv2.pyrUp(empty[level + 1], dstsize=(width, height)))
        texture = np.array(cv2.mean(cv2.multiply(of_backdrop, of_backdrop))[:3], np.float32) / np.float32(share)
        local = np.maximum(cv2.blur(cv2.multiply(band, band), (5, 5)), np.float32(1e-12))
        band *= np.maximum(1 - np.float32(_TEXTURE_FACTOR) * texture / local, 0)
        result = cv2.add(cv2.pyrUp(result, dstsize=(width, height)), band)
    return np.maximum(result, 0), busy


def _usual(ratio: Float) -> Float:
    """The ratio that is usual around each pixel, at most 1: a median over a wide window."""
    height, width = ratio.shape[:2]
    small = _small_size(height, width)
    radius = max(1, round(_USUAL_SHARE * max(small) / 2))
    roots = np.sqrt(np.clip(cv2.resize(ratio, small, interpolation=cv2.INTER_AREA), 0, 1))
    median = cv2.medianBlur(cv2.convertScaleAbs(roots, alpha=255.0), 2 * radius + 1).astype(np.float32)
    large: Float = cv2.resize((median / 255) ** 2, (width, height), interpolation=cv2.INTER_LINEAR)
    return large


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


def _separate(ratio: Float, backdrop: Float, usual: Float) -> tuple[Float, Float]:
    """T and F + T, each (H, W, 3)."""
    glare = _glare(ratio, backdrop)
    explained = cv2.subtract(ratio, cv2.divide(cv2.merge([glare] * 3), backdrop))
    through = cv2.min(explained, np.minimum(usual, np.float32(_CLEAREST)))
    surface = cv2.multiply(cv2.subtract(explained, through), backdrop)
    on_white = surface + glare[..., None]
    on_white += through
    return through, on_white


def _glare(ratio: Float, backdrop: Float) -> Float:
    """Grey light from the surface, (H, W), that explains why the backdrop's colour is washed out.

    The pixel is fitted as `k * B + glare`, both with priors: before a grey backdrop the two look the same, and it is k.
    """
    light = cv2.multiply(ratio, backdrop)

    def dot(one: Float, other: Float) -> Float:
        product: Float = cv2.transform(cv2.multiply(one, other), _SUM)
        return product

    certainty = 1 / (np.float32(_TINT_SD**2) * dot(light, light) + np.float32(1e-5))
    bb = dot(backdrop, backdrop) * certainty + 1
    b1 = cv2.transform(backdrop, _SUM) * certainty
    ones = 3 * certainty + np.float32(1 / _GLARE_SD**2)
    right_b = dot(backdrop, light) * certainty + 1
    right_1 = cv2.transform(light, _SUM) * certainty
    glare: Float = np.clip((bb * right_1 - b1 * right_b) / (bb * ones - b1 * b1), 0, _darkest(light))
    return glare


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
