"""Generated pictures for the scenes: woods, cloths, glazes, labels and printed cartons of invented brands.

All return sRGB images, uint8 (H, W, 3), and depend on nothing but their arguments.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

Image8 = NDArray[np.uint8]
Field = NDArray[np.float32]
Colour = tuple[int, int, int]

INK: Final[Colour] = (44, 52, 50)


def noise(shape: tuple[int, int], cells: tuple[float, float], seed: int) -> Field:
    """Return smooth value noise, float32 (H, W), roughly standard normal, with ``cells`` bumps down and across."""
    rng = np.random.default_rng(seed)
    size = (max(int(cells[1]), 1) + 3, max(int(cells[0]), 1) + 3)
    coarse = rng.standard_normal(size[::-1]).astype(np.float32)
    field = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)


def fractal(shape: tuple[int, int], cells: tuple[float, float], seed: int, octaves: int = 5) -> Field:
    """Return noise summed over ``octaves`` of halving strength and doubling frequency, scaled to unit deviation."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        scale = 2.0**octave
        total += noise(shape, (cells[0] * scale, cells[1] * scale), seed + octave) / scale
    return np.asarray(total / total.std(), np.float32)


def blend(first: ArrayLike, second: ArrayLike, share: Field) -> Field:
    """Mix two colours (or images) by a field (H, W) clipped to [0, 1]; float32 (H, W, 3)."""
    weight = np.clip(share, 0, 1)[..., None]
    mixed = np.asarray(first, np.float32) * (1 - weight) + np.asarray(second, np.float32) * weight
    return np.asarray(mixed, np.float32)


def to_image(field: Field) -> Image8:
    """Round a float image in [0, 255] to uint8."""
    return np.clip(np.rint(field), 0, 255).astype(np.uint8)


def wood(size: int, planks: int, seed: int, light: Colour, dark: Colour) -> Image8:
    """Return oak-like boards running across the picture."""
    rng = np.random.default_rng(seed)
    board = size // planks
    rows = []
    for index in range(planks):
        shape = (board, size)
        y = np.linspace(0, 1, board, dtype=np.float32)[:, None]
        # Growth rings cut at a shallow angle: far stretched along the board, bent by slow noise.
        warp = 0.9 * noise(shape, (1, 3), seed + 31 * index) + 0.12 * noise(shape, (3, 12), seed + 31 * index + 1)
        rings = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(7, 11) * y + 0.75 * warp))
        fibre = noise(shape, (board / 3, size / 160), seed + 31 * index + 2)
        pores = np.clip(noise(shape, (board / 2.5, size / 60), seed + 31 * index + 3) - 1.5, 0, 1)
        tone = rng.uniform(-0.12, 0.12)
        share = 0.30 + tone + 0.26 * rings**2.2 + 0.085 * fibre + 0.45 * pores + 0.05 * warp
        plank = blend(light, dark, np.asarray(share, np.float32))
        gap = np.minimum(np.arange(board), np.arange(board)[::-1])[:, None, None]
        plank *= 1 - 0.75 * np.exp(-((gap / (board * 0.006)) ** 2))
        rows.append(plank)
    return to_image(np.concatenate(rows))


def plaster(size: int, seed: int, colour: Colour, strength: float = 2.0) -> Image8:
    """Return a painted wall: one colour with faint roller marks, ``strength`` grey levels deep."""
    field = fractal((size, size), (8, 8), seed, octaves=7)
    return to_image(np.asarray(colour, np.float32) + strength * field[..., None])


def glaze(shape: tuple[int, int], seed: int, colour: Colour) -> Image8:
    """Return a speckled pottery glaze, slightly uneven in tone."""
    body = np.asarray(colour, np.float32) + 4.5 * fractal(shape, (6, 8), seed)[..., None]
    rng = np.random.default_rng(seed)
    specks = np.zeros(shape, np.float32)
    for _ in range(1400):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        radius = int(np.clip(rng.gamma(1.6, 1.5), 1, 9))
        cv2.circle(specks, centre, radius, float(rng.uniform(0.3, 0.9)), -1, cv2.LINE_AA)
    return to_image(blend(body, (58, 44, 34), cv2.GaussianBlur(specks, (0, 0), 1.2)))


def gingham(size: int, checks: int, yarns: int, seed: int, ground: Colour, dye: Colour) -> Image8:
    """Return woven checked cotton: ``checks`` squares and ``yarns`` threads across the picture."""
    t = (np.arange(size, dtype=np.float32) + 0.5) / size
    wobble = 0.015 / checks * noise((size, size), (6, 6), seed)
    x, y = t[None, :] + wobble, t[:, None] + wobble.T
    stripe_x = np.clip(6 * np.sin(np.pi * checks * x), -1, 1) / 2 + 0.5
    stripe_y = np.clip(6 * np.sin(np.pi * checks * y), -1, 1) / 2 + 0.5
    # Plain weave: warp over weft on every other crossing.
    warp = np.abs(np.sin(np.pi * yarns * x))
    weft = np.abs(np.sin(np.pi * yarns * y))
    over = np.sin(np.pi * yarns * x + np.pi / 2) * np.sin(np.pi * yarns * y + np.pi / 2) > 0
    share = np.where(over, stripe_x, stripe_y) * 0.2 + (stripe_x + stripe_y) * 0.4
    relief = np.where(over, warp * (0.6 + 0.4 * weft), weft * (0.6 + 0.4 * warp))
    slub = noise((size, size), (yarns, 12), seed + 1) + noise((size, size), (12, yarns), seed + 2)
    picture = blend(ground, dye, np.asarray(share, np.float32))
    return to_image(picture * (0.90 + 0.10 * relief + 0.012 * slub)[..., None])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's built-in outline font, so that the scenes need no font of the system."""
    return ImageFont.load_default(size)


def _write(
    draw: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    text: str,
    size: int,
    fill: Colour,
    *,
    tracking: float = 0.0,
    weight: int = 0,
) -> None:
    """Write one centred line; ``tracking`` is extra letter spacing as a share of the size."""
    font = _font(size)
    widths = [font.getlength(letter) + tracking * size for letter in text]
    x = centre[0] - (sum(widths) - tracking * size) / 2
    for letter, width in zip(text, widths, strict=True):
        draw.text((x, centre[1]), letter, fill=fill, font=font, anchor="lm", stroke_width=weight, stroke_fill=fill)
        x += width


def lotion_label(width: int, height: int) -> Image8:
    """Return the label of an invented body lotion, SOLVEIG: cream paper, a birch-leaf sprig, small print."""
    ground, green, rust = (243, 238, 226), (63, 92, 78), (190, 98, 62)
    image = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(image)
    middle = width / 2
    draw.rectangle((0, 0, width, int(height * 0.045)), fill=green)
    draw.rectangle((0, int(height * 0.955), width, height), fill=green)
    draw.rectangle((0, int(height * 0.052), width, int(height * 0.058)), fill=rust)
    _write(draw, (middle, height * 0.16), "SOLVEIG", int(width * 0.085), green, tracking=0.22, weight=3)
    _write(draw, (middle, height * 0.225), "NORTHERN SKIN CARE", int(width * 0.026), INK, tracking=0.3)
    stem_top, stem_foot = height * 0.29, height * 0.60
    draw.line((middle, stem_top, middle, stem_foot), fill=green, width=max(width // 240, 2))
    for index in range(9):
        y = stem_foot - (stem_foot - stem_top) * (0.12 + 0.1 * index)
        reach = width * 0.095 * (1 - 0.075 * index)
        for sign in (-1, 1):
            base = np.array([middle, y + (sign > 0) * height * 0.014])
            along = np.array([sign * 0.82, -0.57]) * reach
            across = np.array([along[1], -along[0]]) * 0.2
            t = np.linspace(0, 1, 24)[:, None]
            swell = np.sin(np.pi * t**0.8)
            leaf = np.concatenate([base + t * along + swell * across, (base + t * along - swell * across)[::-1]])
            draw.polygon([(float(px), float(py)) for px, py in leaf], fill=green if (index + (sign > 0)) % 3 else rust)
    _write(draw, (middle, height * 0.68), "Oat & Birch", int(width * 0.082), rust, weight=1)
    _write(draw, (middle, height * 0.745), "BODY LOTION", int(width * 0.040), INK, tracking=0.25, weight=1)
    draw.line((middle - width * 0.07, height * 0.79, middle + width * 0.07, height * 0.79), fill=INK, width=3)
    _write(draw, (middle, height * 0.83), "for dry and sensitive skin", int(width * 0.032), INK)
    _write(draw, (middle, height * 0.90), "250 ml  ·  8.4 fl. oz.", int(width * 0.032), INK, tracking=0.05)
    return np.asarray(image, np.uint8).copy()


def _aurora(width: int, height: int, seed: int) -> Field:
    """Return a night sky with northern lights over two ridges, float32 (H, W, 3) in [0, 255]."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    sky = blend((10, 18, 48), (22, 74, 96), np.broadcast_to(y * 1.5, (height, width)).astype(np.float32))
    for index, colour in enumerate([(70, 235, 160), (60, 200, 190), (150, 110, 220)]):
        path = (
            0.30
            + 0.09 * index
            + 0.07 * np.sin(2 * np.pi * (0.8 * x + 0.31 * index))
            + 0.05 * noise((1, width), (1, 4), seed + index)
        )
        rays = 0.65 + 0.35 * noise((1, width), (1, 46), seed + 10 + index)
        above = np.clip((path - y) / 0.20, 0, None)
        glow = np.where(y < path, np.exp(-above * 1.7), np.exp(-(((y - path) / 0.022) ** 2))) * rays
        sky += (0.62 - 0.1 * index) * np.clip(glow, 0, 1)[..., None] * np.asarray(colour, np.float32)
    rng = np.random.default_rng(seed)
    stars = np.zeros((height, width), np.float32)
    for _ in range(260):
        centre = (int(rng.integers(width)), int(rng.integers(int(height * 0.55))))
        cv2.circle(stars, centre, int(rng.integers(1, 4)), float(rng.uniform(0.3, 1.0)), -1, cv2.LINE_AA)
    sky = blend(sky, (240, 244, 255), stars)
    for base, rough, colour in [(0.60, 0.050, (24, 58, 76)), (0.68, 0.040, (10, 26, 42))]:
        ridge = base + rough * fractal((1, width), (1, 5), seed + int(base * 100), octaves=6)
        sky = blend(sky, colour, np.asarray((y - ridge) * height / 2 + 0.5, np.float32))
    return sky


def carton_front(width: int, height: int) -> Image8:
    """Return the printed front of an invented lamp's carton, NORDLYS."""
    picture = to_image(_aurora(width, height, seed=41))
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    middle, white, amber = width / 2, (246, 248, 250), (255, 196, 104)
    _write(draw, (middle, height * 0.095), "NORDLYS", int(width * 0.118), white, tracking=0.16, weight=4)
    _write(draw, (middle, height * 0.145), "BEDSIDE LAMP", int(width * 0.040), white, tracking=0.42)
    # The product itself: a glowing dome on a slim foot.
    left, top, right, foot = middle - width * 0.19, height * 0.545, middle + width * 0.19, height * 0.735
    halo = np.zeros((height, width), np.float32)
    cv2.circle(halo, (int(middle), int((top + foot) / 2)), int(width * 0.2), 0.75, -1)
    lit = blend(np.asarray(image, np.float32), (255, 206, 130), cv2.GaussianBlur(halo, (0, 0), width * 0.07))
    image = Image.fromarray(to_image(lit))
    draw = ImageDraw.Draw(image)
    draw.pieslice((left, top, right, top + 2 * (foot - top)), 180, 360, fill=(255, 239, 208))
    draw.rectangle((left, foot, right, foot + height * 0.008), fill=(214, 196, 164))
    draw.rectangle((middle - width * 0.025, foot, middle + width * 0.025, height * 0.80), fill=(196, 176, 140))
    draw.ellipse((middle - width * 0.12, height * 0.795, middle + width * 0.12, height * 0.812), fill=(196, 176, 140))
    _write(draw, (middle, height * 0.865), "warm dimming LED", int(width * 0.052), amber, weight=1)
    for index, fact in enumerate(["1800-2700 K", "420 lm", "USB-C"]):
        x = width * (0.22 + 0.28 * index)
        draw.rounded_rectangle(
            (x - width * 0.115, height * 0.905, x + width * 0.115, height * 0.945), width * 0.02, outline=white, width=4
        )
        _write(draw, (x, height * 0.925), fact, int(width * 0.030), white)
    return np.asarray(image, np.uint8).copy()


def carton_side(width: int, height: int, seed: int = 7) -> Image8:
    """Return the carton's narrow side: facts in small print and a barcode."""
    deep, white, amber = (12, 30, 50), (238, 242, 246), (255, 196, 104)
    image = Image.new("RGB", (width, height), deep)
    draw = ImageDraw.Draw(image)
    middle = width / 2
    _write(draw, (middle, height * 0.08), "NORDLYS", int(width * 0.115), white, tracking=0.16, weight=2)
    draw.line((width * 0.12, height * 0.115, width * 0.88, height * 0.115), fill=amber, width=6)
    facts = [
        "Touch to dim",
        "Sunset mode",
        "8 h on one charge",
        "Linen shade",
        "14 x 21 cm",
        "5 V  2 A",
        "IP20",
    ]
    for index, fact in enumerate(facts):
        y = height * (0.17 + 0.055 * index)
        draw.ellipse((width * 0.13, y - width * 0.018, width * 0.166, y + width * 0.018), fill=amber)
        draw.text((width * 0.22, y), fact, fill=white, font=_font(int(width * 0.066)), anchor="lm")
    for index in range(11):
        y, share = height * (0.60 + 0.014 * index), 0.74 if index % 4 else 0.55
        draw.rectangle((width * 0.13, y, width * (0.13 + share), y + height * 0.005), fill=(120, 138, 156))
    draw.rectangle((width * 0.14, height * 0.80, width * 0.86, height * 0.93), fill=(250, 250, 248))
    rng, x = np.random.default_rng(seed), width * 0.19
    while x < width * 0.80:
        bar = width * 0.0075 * int(rng.integers(1, 4))
        draw.rectangle((x, height * 0.812, x + bar, height * 0.905), fill=(16, 16, 18))
        x += bar + width * 0.0075 * int(rng.integers(1, 4))
    _write(draw, (middle, height * 0.918), "7 030000 414243", int(width * 0.045), INK, tracking=0.1)
    return np.asarray(image, np.uint8).copy()


def carton_top(width: int, height: int) -> Image8:
    """Return the carton's lid: brand on plain night blue."""
    image = Image.new("RGB", (width, height), (12, 30, 50))
    draw = ImageDraw.Draw(image)
    _write(draw, (width / 2, height / 2), "NORDLYS", int(width * 0.11), (238, 242, 246), tracking=0.16, weight=3)
    return np.asarray(image, np.uint8).copy()


def window_light(panes: tuple[int, int] = (3, 2)) -> Image8:
    """Return a window as a lamp sees it: bright panes (rows, columns) between dark bars, fading downwards."""
    rows, columns = panes
    picture = np.zeros((64 * rows, 64 * columns), np.float32)
    for row in range(rows):
        for column in range(columns):
            picture[64 * row + 3 : 64 * row + 61, 64 * column + 3 : 64 * column + 61] = 255 - 22 * row
    return to_image(np.repeat(picture[..., None], 3, axis=2))


def softbox_light() -> Image8:
    """Return a softbox front: brightest in the middle, rounded off towards the frame."""
    t = np.linspace(-1, 1, 128, dtype=np.float32)
    x, y = t[None, :], t[:, None]
    falloff = 1 - 0.45 * np.clip(x**2 + y**2, 0, 1)
    frame = np.clip((1 - np.maximum(np.abs(x), np.abs(y))) / 0.06, 0, 1)
    return to_image(np.repeat((255 * falloff * frame)[..., None], 3, axis=2))


def label(width: int, height: int, seed: int, ground: Colour) -> Image8:
    """Return a made-up print on a coloured ground: a gradient, bands and shapes, a name and lines of small print."""
    rng = np.random.default_rng(seed)

    def ink() -> Colour:
        shade = rng.integers(0, 256, 3) if rng.random() < 0.7 else np.full(3, rng.integers(10, 60))
        return int(shade[0]), int(shade[1]), int(shade[2])

    picture = np.empty((height, width, 3), np.float32)
    picture[:] = ground
    if rng.random() < 0.35:
        slope = np.linspace(-0.3, 1.1, height, dtype=np.float32)[:, None]
        picture = blend(picture, ink(), np.broadcast_to(slope, (height, width)).astype(np.float32))
    image = Image.fromarray(to_image(picture))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 4))):
        x, y, reach = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.06, 0.35) * min(width, height)
        kind = rng.integers(4)
        if kind == 0:
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=ink())
        elif kind == 1:
            draw.rectangle((0, y - reach / 3, width, y + reach / 3), fill=ink())
        elif kind == 2:
            draw.rectangle((x - reach, y - reach / 2, x + reach, y + reach / 2), fill=ink())
        else:
            draw.regular_polygon((x, y, reach), int(rng.integers(3, 8)), int(rng.integers(360)), fill=ink())
    name = "".join(rng.choice(list("AEIOUBDFKLMNRSTV"), int(rng.integers(3, 8))))
    size = max(8, int(min(width / len(name), height * 0.3) * rng.uniform(0.8, 1.2)))
    colour = ink()
    _write(draw, (width / 2, height * rng.uniform(0.15, 0.5)), name, size, colour, weight=int(rng.integers(0, 3)))
    top, step = height * rng.uniform(0.55, 0.7), max(4.0, height * 0.05)
    for row in range(int(rng.integers(0, 6))):
        half, y = width * rng.uniform(0.12, 0.4), top + row * step
        draw.rectangle((width / 2 - half, y, width / 2 + half, y + step * 0.4), fill=colour)
    return np.asarray(image, np.uint8).copy()
