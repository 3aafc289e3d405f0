"""Training samples for the edge network: patches of composites whose alpha is exact, with a trimap and a prior.

Alpha comes from cutouts with true alpha, from drawings and from `strands`; the product's colour is the cutout's own or
any photo's, the ground is any photo's, a plain colour, or much like the product. What a segmenter or a coarser level
would have known beforehand is imitated: nothing, or an alpha that was shrunk, displaced and enlarged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray

from services.common.color import linear_to_srgb, srgb_to_linear
from services.compositor.sampling import NearestPixels
from services.compositor.training.strands import draw_matte
from services.compositor.trimap import BACKGROUND, PRODUCT, UNKNOWN

T = TypeVar("T")
Image = NDArray[np.uint8]
Float = NDArray[np.float32]

_STRAND_SIDE_PX = 384
_STRAND_MATTES = 500
_LONGEST_PX = 640
_SOFT_LOW, _SOFT_HIGH = 5, 250  # of 255

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sample:
    """A patch of S × S px.

    image: (S, S, 3) uint8 sRGB.
    alpha: (S, S) uint8, the truth.
    trimap: (S, S) uint8, 0, 128, 255.
    prior: (S, S) uint8: what was believed before; 128 where nothing was.
    """

    image: Image
    alpha: Image
    trimap: Image
    prior: Image


@dataclass(frozen=True, slots=True)
class _Cutout:
    matte: Image
    colour: Image | None


class SampleMaker:
    """Draws samples of one side of the split.

    Args:
        source: folder of the training pack: `foregrounds_alpha`, `emoji`, `backgrounds`, `unlabelled`.
        side_px: of a patch.
        held_out: draw from the one cutout and photo in eight that training never sees.
        renders: folder of generated products with exact mattes, if there are any.
    """

    def __init__(self, source: Path, side_px: int, *, held_out: bool = False, renders: Path | None = None) -> None:
        self._side = side_px

        def own(files: list[Path]) -> list[Path]:
            return [file for number, file in enumerate(sorted(files)) if (number % 8 == 0) == held_out]

        self._cutouts: list[_Cutout] = []
        for folder in filter(None, (source / "foregrounds_alpha", source / "emoji", renders)):
            for file in own(list(folder.glob("*_a.png"))):
                self._cutouts.append(_read_cutout(file))
        self._photos = [
            _read(file) for name in ("backgrounds", "unlabelled") for file in own([*(source / name).glob("*.jpg")])
        ]
        rng = np.random.default_rng(77 + held_out)
        count = _STRAND_MATTES // 8 + 1 if held_out else _STRAND_MATTES
        self._strands = [draw_matte(rng, _STRAND_SIDE_PX) for _ in range(count)]
        if not self._cutouts or not self._photos:
            raise FileNotFoundError(f"no cutouts or no photos under {source}: give the training pack's folder")
        log.info("materials", cutouts=len(self._cutouts), photos=len(self._photos), strands=len(self._strands))

    def draw(self, rng: np.random.Generator) -> Sample:
        """One sample; it depends on the state of `rng` alone."""
        matte, colour = self._product(rng)
        ground = self._ground(rng, colour)
        image, alpha = _photographed(rng, colour, ground, matte)
        trimap, prior = _known_before(rng, alpha)
        return Sample(image, alpha, trimap, prior)

    def _product(self, rng: np.random.Generator) -> tuple[Float, Image]:
        side = self._side
        use_strands = rng.random() < 0.55
        cutout = _Cutout(_pick(rng, self._strands), None) if use_strands else _pick(rng, self._cutouts)
        scale = float(np.exp(rng.uniform(np.log(0.45), np.log(1.3 if use_strands else 2.2))))
        matte = cutout.matte
        edge = np.flatnonzero((matte > 12) & (matte < 243))
        at = int(rng.choice(edge)) if edge.size and rng.random() < 0.95 else int(rng.integers(matte.size))
        row, col = divmod(at, matte.shape[1])
        turn = rng.uniform(-180, 180) if use_strands else rng.normal(0, 15)
        placing = cv2.getRotationMatrix2D((float(col), float(row)), float(turn), scale)
        placing[:, 2] += side * rng.uniform(0.2, 0.8, 2) - (col, row)
        if rng.random() < 0.5:
            placing[0] = [0, 0, side] - placing[0]  # mirrored
        smooth = cv2.GaussianBlur(matte, (0, 0), 0.4 / scale) if scale < 0.8 else matte
        placed = cv2.warpAffine(smooth, placing, (side, side), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        if cutout.colour is not None and rng.random() < 0.6:
            shown = cv2.GaussianBlur(cutout.colour, (0, 0), 0.4 / scale) if scale < 0.8 else cutout.colour
            colour = cv2.warpAffine(
                shown, placing, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        else:
            colour = self._texture(rng)
        if rng.random() < 0.12:  # glass and gauze: a see-through level of its own
            level = cv2.GaussianBlur(rng.random((side, side)).astype(np.float32), (0, 0), side / rng.uniform(3, 12))
            level = (level - level.min()) / max(float(np.ptp(level)), 1e-6)
            placed *= np.float32(rng.uniform(0.1, 0.7)) + np.float32(rng.uniform(0.1, 0.5)) * level
            placed = np.clip(placed, 0, 1)
        return placed, colour

    def _texture(self, rng: np.random.Generator) -> Image:
        """A patch of any photo, or a plain or softly shaded colour."""
        side = self._side
        if rng.random() < 0.25:
            ends = rng.integers(0, 256, (2, 3)).astype(np.float32)
            if rng.random() < 0.5:
                ends[1] = ends[0] + rng.normal(0, 18, 3)
            way = rng.uniform(0, 2 * np.pi)
            rows, cols = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
            share = np.clip(rows * np.sin(way) + cols * np.cos(way) + 0.5, 0, 1)[..., None].astype(np.float32)
            return np.asarray(np.clip(ends[0] + share * (ends[1] - ends[0]), 0, 255), np.uint8)
        photo = _pick(rng, self._photos)
        span = int(np.clip(side / np.exp(rng.uniform(np.log(0.5), np.log(3))), 16, min(photo.shape[:2])))
        top, left = (int(rng.integers(0, length - span + 1)) for length in photo.shape[:2])
        part = photo[top : top + span, left : left + span]
        method = cv2.INTER_AREA if span > side else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, (side, side), interpolation=method), np.uint8)

    def _ground(self, rng: np.random.Generator, colour: Image) -> Image:
        ground = self._texture(rng)
        if rng.random() < 0.25:  # out of focus
            ground = cv2.GaussianBlur(ground, (0, 0), rng.uniform(1, 8))
        if rng.random() < 0.3:  # much like the product
            shift = colour.mean(axis=(0, 1)) - ground.mean(axis=(0, 1)) + rng.normal(0, 22, 3)
            ground = np.clip(ground + shift * rng.uniform(0.5, 1), 0, 255).astype(np.uint8)
        return np.asarray(ground, np.uint8)


def _pick(rng: np.random.Generator, things: Sequence[T]) -> T:
    return things[int(rng.integers(len(things)))]


def _read(file: Path) -> Image:
    image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
    scale = _LONGEST_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)


def _read_cutout(file: Path) -> _Cutout:
    matte = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8)
    image: Image = cv2.cvtColor(cv2.imread(str(file).removesuffix("_a.png") + ".jpg"), cv2.COLOR_BGR2RGB)
    # Cut out on black or white: a mixed pixel's colour is not to be trusted, the nearest full one's is.
    full = matte > _SOFT_HIGH
    if full.any():
        image = image.reshape(-1, 3)[NearestPixels.of(full).at(np.arange(matte.size))].reshape(image.shape)
    return _Cutout(matte, image)


def _photographed(rng: np.random.Generator, colour: Image, ground: Image, matte: Float) -> tuple[Image, Image]:
    """The composite as a camera and an encoder would have left it, and the alpha that goes with it."""
    share = matte[..., None]
    if rng.random() < 0.75:
        light = share * srgb_to_linear(colour) + (1 - share) * srgb_to_linear(ground)
        mixed = linear_to_srgb(light).astype(np.float32)
    else:
        mixed = share * colour.astype(np.float32) + (1 - share) * ground
    if rng.random() < 0.4:  # out of focus, or enlarged
        blur_px = float(rng.uniform(0.3, 1.2) if rng.random() < 0.8 else rng.uniform(1.2, 5))
        mixed, matte = cv2.GaussianBlur(mixed, (0, 0), blur_px), cv2.GaussianBlur(matte, (0, 0), blur_px)
    if rng.random() < 0.3:  # sharpened by the camera
        mixed = mixed + rng.uniform(0.2, 1.0) * (mixed - cv2.GaussianBlur(mixed, (0, 0), rng.uniform(0.7, 1.5)))
    if rng.random() < 0.7:
        mixed = mixed + rng.normal(0, rng.uniform(0.5, 6), mixed.shape).astype(np.float32)
    image = np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 98))]
        image = np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    return image, np.clip(np.rint(matte * 255), 0, 255).astype(np.uint8)


def _known_before(rng: np.random.Generator, alpha: Image) -> tuple[Image, Image]:
    """Trimap and prior."""
    if rng.random() < 0.45:
        trimap = _marked(rng, alpha, float(np.exp(rng.uniform(np.log(1), np.log(40)))))
        prior = np.where(trimap == UNKNOWN, np.uint8(UNKNOWN), trimap)
        return trimap, prior
    factor = float(np.exp(rng.uniform(np.log(1.0), np.log(10))))
    believed = _misjudged(rng, alpha, factor)
    trimap = _marked(rng, believed, max(1.0, factor * rng.uniform(0.5, 1.5)))
    # The truth is never beyond the band by much: what is, nobody could find again.
    lost = ((trimap == BACKGROUND) & (alpha > 40)) | ((trimap == PRODUCT) & (alpha < 215))
    if lost.any():
        trimap[cv2.dilate(lost.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = UNKNOWN
    return trimap, believed


def _marked(rng: np.random.Generator, alpha: Image, radius_px: float) -> Image:
    """A trimap as an annotator or a rule would draw it: a band around what is soft, of uneven width."""
    soft = (alpha > _SOFT_LOW) & (alpha < _SOFT_HIGH)
    edges = cv2.morphologyEx(alpha, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 100
    distance = cv2.distanceTransform((~(soft | edges)).astype(np.uint8), cv2.DIST_L2, 5)
    reach = np.full(alpha.shape, radius_px, np.float32)
    if rng.random() < 0.5:
        uneven = cv2.GaussianBlur(rng.random(alpha.shape).astype(np.float32), (0, 0), 12)
        reach *= 1 + 6 * (uneven - uneven.mean())
    trimap = np.where(alpha > 127, np.uint8(PRODUCT), np.uint8(BACKGROUND))
    trimap[distance <= np.maximum(reach, 1)] = UNKNOWN
    return trimap


def _misjudged(rng: np.random.Generator, alpha: Image, factor: float) -> Image:
    """An alpha that was seen `factor` times smaller, a little beside the truth."""
    side = alpha.shape[0]
    small = max(4, round(side / factor))
    field = rng.normal(0, 1, (4, 4, 2)).astype(np.float32)
    move = cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC) * np.float32(factor * rng.uniform(0, 0.5))
    rows, cols = np.mgrid[:side, :side].astype(np.float32)
    moved = cv2.remap(
        alpha, cols + move[..., 0], rows + move[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    seen = cv2.resize(moved, (small, small), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    if rng.random() < 0.5:
        seen = np.clip((seen - rng.uniform(0.35, 0.65)) * rng.uniform(1, 2.5) + 0.5, 0, 1)
    believed = cv2.resize(seen, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(np.rint(believed * 255), 0, 255), np.uint8)
