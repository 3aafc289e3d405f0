"""Pictures that explain how an edge came about, for people to look at.

Five for every packshot: the matte, the trimap, the product's own colours, a heat map of the halo, and the worst stretch
of edge before and after. No picture is larger than `LONGEST_PX`, whatever the photo; the last one shows pixels as they
are.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.common.color import linear_to_srgb, srgb_to_linear
from services.compositor import drawing
from services.compositor.canvas import Packshot
from services.compositor.compose import Product
from services.compositor.drawing import Picture
from services.compositor.edge_color import halo_map
from services.compositor.layout import Layout
from services.compositor.trimap import UNKNOWN, make_trimap, with_doubt

Float = NDArray[np.float32]

LONGEST_PX: Final = 2048
"""No side of the matte, the trimap, the foreground or the halo map is drawn longer."""

_VISIBLE_ALPHA = 0.05  # less is no part of the product, as for the validator
_HOTTEST = 20.0  # ΔE00; beyond, everything is as bad as it can be
_SEEN_FROM, _SEEN_WELL_FROM = 1.0, 4.0  # ΔE00; less than the first hardly an eye can tell apart
_TICKS = (0, 5, 10, 15, 20)
_HALO_IS = (
    "how far the edge is from the product's own colour on white, in ΔE00: 1 is just visible, 10 is plain to see",
    "A patterned or shiny edge differs from its inside by itself, and shows some without any halo.",
)
_LEAST_MAP_PX = 640  # a smaller map is enlarged: the legend would not fit below it
_DARKEST, _DIMMED = 24, 0.3  # of the packshot's own brightness

_PANEL_PX = 480  # side of a panel of the worst edge, about
_CLOSER = 3  # how much more the close-ups are enlarged
_THUMBNAIL_PX = 200
_HEAD_PX, _MARGIN_PX, _GAP_PX, _ROW_GAP_PX = 104, 28, 16, 52
_TITLE_PX, _WORDS_PX = 26, 17

_PAPER = (242, 242, 240)
_INK, _FAINT_INK = (32, 32, 36), (104, 104, 110)
_LINE = (200, 200, 198)
_MARK = (230, 60, 30)
_BEYOND = (216, 216, 214)  # where a crop reaches over the photo's frame


def explain_product(matte: Float, uncertainty: Float | None, product: Product) -> dict[str, Picture]:
    """How the product was cut out of its photo.

    Args:
        matte: (H, W) float32 in [0, 1], as it came to the compositor.
        uncertainty: (h, w) float32 in [0, 1], likewise; None if none came.
        product: what became of it.

    Returns:
        "matte", "trimap" and "foreground", each uint8 (h, w) grey or (h, w, 3) sRGB.
    """
    return {
        "matte": draw_matte(product.matte),
        "trimap": draw_trimap(matte, uncertainty),
        "foreground": draw_foreground(product.foreground, product.matte),
    }


def explain_packshot(
    image: Picture, product: Product, layout: Layout, packshot: Packshot, outline: Float
) -> dict[str, Picture]:
    """What the edge looks like on one canvas.

    Args:
        image: (H, W, 3) uint8 sRGB, the photo; of an arranged product the photo's pixels arranged likewise.
        product: what was placed on that canvas.
        layout: where.
        packshot: what was drawn.
        outline: (h, w) float32 in [0, 1], how much of a pixel of the canvas lies within the product's outline.

    Returns:
        "halo" and "worst-edge", each uint8 (h, w, 3) sRGB.
    """
    visible = np.where(outline >= _VISIBLE_ALPHA, np.uint8(255), np.uint8(0))
    halo = halo_map(packshot.image, visible, outline)
    if product.is_arranged:  # around the pieces there is nothing of the photo
        image = np.where(product.outline[..., None] > 0, image, np.array(_BEYOND, np.uint8))
    return {
        "halo": draw_halo(packshot.image, halo),
        "worst-edge": draw_worst_edge(image, packshot.image, outline, halo, layout),
    }


def draw_matte(matte: Float) -> Picture:
    """A matte as grey levels.

    Args:
        matte: (H, W) float32 in [0, 1].

    Returns:
        (h, w) uint8: 0 background, 255 product, the longer side at most `LONGEST_PX`.
    """
    small = drawing.shrink_to(matte, LONGEST_PX)
    grey: Picture = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
    return grey


def draw_trimap(matte: Float, uncertainty: Float | None = None) -> Picture:
    """The trimap a matte leads to: what is worked out again is grey.

    Args:
        matte: (H, W) float32 in [0, 1], as it came to the compositor.
        uncertainty: (h, w) float32 in [0, 1], any size: where that is undecided; None if nobody knows.

    Returns:
        (h, w) uint8, only 0, 128 and 255, the longer side at most `LONGEST_PX`. Shrinking never loses the unknown band:
        a pixel is unknown if any it stands for is.
    """
    trimap = make_trimap(matte)
    if uncertainty is not None:
        trimap = with_doubt(trimap, uncertainty)
    if max(trimap.shape) <= LONGEST_PX:
        return trimap
    unknown = np.where(trimap == UNKNOWN, np.float32(1), np.float32(0))
    touched = drawing.shrink_to(unknown, LONGEST_PX)
    height, width = touched.shape
    small: Picture = cv2.resize(trimap, (width, height), interpolation=cv2.INTER_NEAREST)
    small[touched > 0] = UNKNOWN
    return small


def draw_foreground(foreground: Picture, matte: Float) -> Picture:
    """The product in its own colours on a checkerboard of two greys, where both a pale and a dark fringe show.

    Args:
        foreground: (H, W, 3) uint8 sRGB, straight colour without the old background.
        matte: (H, W) float32 in [0, 1], refined.

    Returns:
        (h, w, 3) uint8 sRGB, the longer side at most `LONGEST_PX`.
    """
    alpha = drawing.shrink_to(matte, LONGEST_PX)
    height, width = alpha.shape
    drawn = drawing.checkerboard(height, width, max(8, max(height, width) // 64))
    for channel in range(3):
        # Premultiplied: the colour of a transparent pixel means nothing and must not be averaged in.
        light = drawing.shrink_to(srgb_to_linear(cv2.extractChannel(foreground, channel)) * matte, LONGEST_PX)
        drawn[..., channel] = linear_to_srgb(light + (1 - alpha) * srgb_to_linear(drawn[..., channel]))
    return drawn


def draw_halo(packshot: Picture, halo: Float) -> Picture:
    """Where the edge is off, on the dimmed packshot, with a legend below.

    Every spot is drawn a little wider than it is, or a rim of three pixels could not be seen on the whole picture.

    Args:
        packshot: (H, W, 3) uint8 sRGB.
        halo: (H, W) float32, ΔE00; 0 away from the edge.

    Returns:
        (h, w, 3) uint8 sRGB, the map's longer side at most `LONGEST_PX`, and the legend below it.
    """
    spread = max(1, max(halo.shape) // 600)
    halo = drawing.shrink_to(cv2.dilate(halo, np.ones((2 * spread + 1, 2 * spread + 1), np.uint8)), LONGEST_PX)
    grey = cv2.cvtColor(drawing.shrink_to(packshot, LONGEST_PX), cv2.COLOR_RGB2GRAY)
    dimmed = (_DARKEST + _DIMMED * grey)[..., None].astype(np.float32)
    opacity = np.clip((halo - _SEEN_FROM) / (_SEEN_WELL_FROM - _SEEN_FROM), 0, 1)[..., None]
    mixed = dimmed + opacity * (drawing.heat(halo, _HOTTEST) - dimmed)
    drawn = drawing.enlarge(np.rint(mixed).astype(np.uint8), math.ceil(_LEAST_MAP_PX / grey.shape[1]))
    return np.vstack([drawn, _legend(drawn.shape[1])])


def draw_worst_edge(image: Picture, packshot: Picture, outline: Float, halo: Float, layout: Layout) -> Picture:
    """The stretch of edge with the most halo, photo and packshot side by side, at 100 % and larger.

    The photo is brought to the packshot's size and place, so both show the same. Without any halo the softest stretch
    is shown.

    Args:
        image: (H, W, 3) uint8 sRGB, the photo.
        packshot: (h, w, 3) uint8 sRGB.
        outline: (h, w) float32 in [0, 1], how much of a pixel lies within the product's outline.
        halo: (h, w) float32, ΔE00; 0 away from the edge.
        layout: how the photo lies on the canvas.

    Returns:
        A sheet, uint8 sRGB, about 1300 x 1150 pixels.
    """
    side = min(_PANEL_PX, *outline.shape)
    factor = max(1, round(_PANEL_PX / side))
    close_side = max(1, side // _CLOSER)
    close_factor = max(1, factor * side // close_side)
    centre = _worst(halo, outline, close_side)
    window, close = _window(centre, side, outline.shape), _window(centre, close_side, outline.shape)
    at_100 = [drawing.enlarge(picture, factor) for picture in _both(image, packshot, layout, window)]
    closer = [drawing.enlarge(picture, close_factor) for picture in _both(image, packshot, layout, close)]
    for picture in at_100:
        _mark(picture, close, origin=(window[0].start, window[1].start), scale=factor)
    thumbnail = drawing.shrink_to(packshot, _THUMBNAIL_PX)
    _mark(thumbnail, window, origin=(0, 0), scale=thumbnail.shape[0] / packshot.shape[0])

    strongest = float(halo[close].max(initial=0))
    found = (
        f"halo up to ΔE00 {strongest:.1f} in the frame" if strongest else "no halo was measured: the softest stretch"
    )
    return _sheet(found, ((factor * 100, at_100), (close_factor * 100, closer)), thumbnail)


def _worst(halo: Float, outline: Float, side_px: int) -> tuple[int, int]:
    """(row, col) around which there is the most halo within a square or so, strong ones counting more."""
    badness = halo**2 if halo.any() else outline * (1 - outline)
    around = badness.astype(np.float64)
    for _ in range(2):  # twice: what lies in the middle counts most
        around = cv2.blur(around, (max(side_px // 2, 1), max(side_px // 2, 1)), borderType=cv2.BORDER_CONSTANT)
    row, col = np.unravel_index(int(np.argmax(around)), around.shape)
    return int(row), int(col)


def _window(centre: tuple[int, int], side_px: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """A square around a place, moved until it lies within the canvas."""
    starts = [min(max(at - side_px // 2, 0), length - side_px) for at, length in zip(centre, shape[:2], strict=True)]
    return slice(starts[0], starts[0] + side_px), slice(starts[1], starts[1] + side_px)


def _both(image: Picture, packshot: Picture, layout: Layout, window: tuple[slice, slice]) -> tuple[Picture, Picture]:
    return _photo_under(image, layout, window), packshot[window].copy()


def _photo_under(image: Picture, layout: Layout, window: tuple[slice, slice]) -> Picture:
    """The part of the photo that lies beneath a window of the canvas, at the canvas's size."""
    height, width = window[0].stop - window[0].start, window[1].stop - window[1].start
    top, left = ((part.start - offset) / layout.scale for part, offset in zip(window, layout.offset, strict=True))
    bottom, right = top + height / layout.scale, left + width / layout.scale
    first_row, last_row = math.floor(top), max(math.ceil(bottom), math.floor(top) + 1)
    first_col, last_col = math.floor(left), max(math.ceil(right), math.floor(left) + 1)
    photo_height, photo_width = image.shape[:2]
    inside_rows = min(max(first_row, 0), photo_height), max(min(last_row, photo_height), 0)
    inside_cols = min(max(first_col, 0), photo_width), max(min(last_col, photo_width), 0)
    part = np.full((last_row - first_row, last_col - first_col, 3), _BEYOND, np.uint8)
    if inside_rows[0] < inside_rows[1] and inside_cols[0] < inside_cols[1]:
        cut = image[inside_rows[0] : inside_rows[1], inside_cols[0] : inside_cols[1]]
        drawing.paste(part, cut, inside_rows[0] - first_row, inside_cols[0] - first_col)
    box = left - first_col, top - first_row, right - first_col, bottom - first_row
    resized: Picture = np.asarray(Image.fromarray(part).resize((width, height), Image.Resampling.BICUBIC, box=box))
    return resized.copy()


def _mark(picture: Picture, window: tuple[slice, slice], origin: tuple[int, int], scale: float) -> None:
    """A frame around a window of the canvas, on a picture of the canvas that begins at `origin`."""
    (top, bottom), (left, right) = (
        (round((part.start - begin) * scale), round((part.stop - begin) * scale))
        for part, begin in zip(window, origin, strict=True)
    )
    drawing.outline(picture, top, left, bottom, right, _MARK)


def _sheet(found: str, rows: tuple[tuple[int, list[Picture]], ...], thumbnail: Picture) -> Picture:
    """Heading, the two close-ups in two sizes (percent, panels), and on the right where on the packshot that is."""
    panel_px = rows[0][1][0].shape[0]
    lefts = [_MARGIN_PX + column * (panel_px + _GAP_PX) for column in range(3)]
    tops = [_HEAD_PX + row * (panel_px + _ROW_GAP_PX) for row in range(len(rows))]
    height, width = tops[-1] + panel_px + _MARGIN_PX, lefts[2] + thumbnail.shape[1] + _MARGIN_PX
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    title = "The worst stretch of edge"
    drawing.write(sheet, title, lefts[0], 44, _TITLE_PX, _INK, bold=True)
    after_title = lefts[0] + drawing.text_width(title, _TITLE_PX, bold=True) + _GAP_PX
    drawing.write(sheet, found, after_title, 44, _WORDS_PX, _FAINT_INK)
    for top, (percent, pictures) in zip(tops, rows, strict=True):
        for left, name, picture in zip(lefts, ("photo", "packshot"), pictures, strict=False):
            _pin(sheet, picture, f"{name}, {percent} %", top, left)
    _pin(sheet, thumbnail, "where that is", tops[0], lefts[2])
    return sheet


def _pin(sheet: Picture, picture: Picture, name: str, top: int, left: int) -> None:
    """A picture on the sheet with a thin line around it and its name above."""
    height, width = picture.shape[:2]
    drawing.outline(sheet, top - 1, left - 1, top + height + 1, left + width + 1, _LINE, 1)
    drawing.paste(sheet, picture, top, left)
    drawing.write(sheet, name, left, top - 10, _WORDS_PX, _INK, bold=True)


def _legend(width_px: int) -> Picture:
    """The colour scale of the halo map with what its values mean."""
    unit = max(1.0, width_px / 1000)
    words_px, left, right = round(15 * unit), round(24 * unit), width_px - round(24 * unit)
    strip = np.full((round(134 * unit), width_px, 3), _PAPER, np.uint8)
    drawing.write(strip, "Halo", left, round(32 * unit), round(20 * unit), _INK, bold=True)
    for line, words in enumerate(_HALO_IS):
        drawing.write(strip, words, left + round(64 * unit), round((31 + 20 * line) * unit), words_px, _FAINT_INK)
    scale = np.linspace(0, _HOTTEST, right - left, dtype=np.float32)[None]
    drawing.paste(strip, drawing.heat(scale, _HOTTEST).repeat(round(22 * unit), axis=0), round(68 * unit), left)
    for tick in _TICKS:
        words = f"{tick}" if tick < _HOTTEST else f"{tick} or more"
        at, wide = left + round((right - left) * tick / _HOTTEST), drawing.text_width(words, words_px)
        drawing.write(strip, words, min(max(at - wide // 2, left), right - wide), round(112 * unit), words_px, _INK)
    return strip
