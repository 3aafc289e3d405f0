"""Samples to learn from: products composited on random grounds, and real photos, both with their mattes.

Domain randomisation (Tobin et al., IROS 2017) for what public product photos lack: distractors that are not the
product, props under and in front of it, several pieces, cast and contact shadows, reflections, white on white.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.segmenter.training import camera, grounds
from services.segmenter.training.pack import Labelled, Pack

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

_PHOTO_SHARE = 0.5  # of the samples; the others are composites
_LEAST_SHARE, _LARGEST_SHARE = 0.15, 0.85  # of the frame, that a product cut by it takes


@dataclass(frozen=True, slots=True)
class Sample:
    """image (S, S, 3) uint8 RGB; matte (S, S) uint8; is_vote: see pack.Labelled."""

    image: Image
    matte: Image
    is_vote: bool


class _Pool:
    """Pictures to draw from, those of a large source less often each, so that it does not drown the others."""

    def __init__(self, pictures: Sequence[Labelled]) -> None:
        self._pictures = pictures
        sources = [picture.name.rpartition("_")[0] for picture in pictures]
        counts = Counter(sources)
        weights = np.array([counts[source] ** -0.5 for source in sources])
        self._upto = np.cumsum(weights / weights.sum()) if len(weights) else weights

    def __len__(self) -> int:
        return len(self._pictures)

    def draw(self, rng: np.random.Generator) -> Labelled:
        return self._pictures[min(int(np.searchsorted(self._upto, rng.random())), len(self) - 1)]


class SampleMaker:
    """Draws samples; the same generator state gives the same sample.

    Raises:
        ValueError: the pack holds no photos, no grounds, or no cutouts that lie wholly in their frame.
    """

    def __init__(self, pack: Pack, side: int) -> None:
        self._side = side
        self._grounds = pack.grounds
        self._photos = _Pool(pack.photos)
        self._drawn = _Pool([cutout for cutout in pack.cutouts if cutout.name.startswith("emoji")])
        self._others = [cutout for cutout in pack.cutouts if not cutout.name.startswith("emoji")]
        self._cutouts = _Pool(self._others)
        self._whole = _Pool([cutout for cutout in self._others if not cutout.touches])
        for kind, pool in (("photos", pack.photos), ("grounds", pack.grounds), ("whole cutouts", self._whole)):
            if not pool:
                raise ValueError(f"the pack holds no {kind}; add some to its source and write it again")

    def draw(self, rng: np.random.Generator) -> Sample:
        if rng.random() < _PHOTO_SHARE:
            return self._photo(rng, self._photos.draw(rng))
        return self.composite(rng)

    def _photo(self, rng: np.random.Generator, photo: Labelled) -> Sample:
        """A random window of the photo around most of its product."""
        height, width = photo.matte.shape
        rows, cols = np.nonzero((photo.matte > 128).any(axis=1))[0], np.nonzero((photo.matte > 128).any(axis=0))[0]
        slack = float(rng.choice([0.0, 0.25, 0.45], p=[0.75, 0.15, 0.1]))  # how much of it the frame may cut off
        top = rng.uniform(0, 1) * (rows[0] + slack * (rows[-1] - rows[0]))
        left = rng.uniform(0, 1) * (cols[0] + slack * (cols[-1] - cols[0]))
        bottom = height - rng.uniform(0, 1) * (height - 1 - rows[-1] + slack * (rows[-1] - rows[0]))
        right = width - rng.uniform(0, 1) * (width - 1 - cols[-1] + slack * (cols[-1] - cols[0]))
        if rng.random() < 0.3:
            top, left, bottom, right = 0, 0, height, width
        image = photo.image[int(top) : max(int(bottom), int(top) + 8), int(left) : max(int(right), int(left) + 8)]
        matte = photo.matte[int(top) : max(int(bottom), int(top) + 8), int(left) : max(int(right), int(left) + 8)]
        side = self._side
        shrinks = image.shape[0] * image.shape[1] > side * side
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image, matte = (cv2.resize(part, (side, side), interpolation=method) for part in (image, matte))
        if rng.random() < 0.25:
            matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-25, 25), rng.uniform(1.0, 1.25))
            image, matte = (
                cv2.warpAffine(part, matrix, (side, side), borderMode=cv2.BORDER_REFLECT) for part in (image, matte)
            )
        if rng.random() < 0.5:
            image, matte = image[:, ::-1], matte[:, ::-1]
        image = camera.expose(rng, camera.relight(rng, np.ascontiguousarray(image), 0.8))
        return Sample(image, np.ascontiguousarray(matte), photo.is_vote)

    def _ground(self, rng: np.random.Generator) -> tuple[Image, bool]:
        """A ground, and whether it is one of the quiet ones."""
        chance = rng.random()
        if chance < 0.1:
            return grounds.cloth(rng, self._side), True
        if chance < 0.3:
            return grounds.sweep(rng, self._side), True
        if chance < 0.45:
            return grounds.behind_a_photo(rng, self._side, self._photos.draw(rng)), False
        return grounds.texture(rng, self._side, self._grounds), False

    def composite(self, rng: np.random.Generator) -> Sample:
        side = self._side
        scene, quiet = self._ground(rng)
        if rng.random() < (0.15 if quiet else 0.55):
            scene = grounds.clutter(rng, side, scene, self._others)
        pieces = self._pieces(rng)
        if quiet and rng.random() < 0.2:
            scene = _alike(rng, scene, *pieces[0])
        if rng.random() < 0.2:
            scene = _with_support(rng, scene, pieces[0][1], self._grounds)
        matte = np.zeros((side, side), np.uint8)
        shades = rng.random() < 0.85
        for _, piece_matte in pieces:
            if shades:
                scene = _shaded(rng, scene, piece_matte)
        for piece, piece_matte in pieces:
            if rng.random() < 0.12:
                _reflect(rng, scene, piece, piece_matte)
            grounds.paste(scene, piece, piece_matte, 0, 0)
            matte = np.maximum(matte, piece_matte)
        if rng.random() < 0.15:
            scene, matte = _occluded(rng, scene, matte, self._grounds)
        return Sample(camera.expose(rng, scene), matte, is_vote=False)

    def _pieces(self, rng: np.random.Generator) -> list[tuple[Image, Image]]:
        """One product, or a few of about the same size side by side; each (S, S, 3) and (S, S)."""
        side = self._side
        if rng.random() > 0.15:
            picked = self._drawn if len(self._drawn) and rng.random() < 0.1 else self._cutouts
            cutout = picked.draw(rng)
            if rng.random() < 0.12 and not cutout.touches:
                at = rng.uniform(0.2, 0.8, 2) * side
                close_up = self._placed(rng, cutout, float(rng.uniform(1.0, 1.8)) * side, (float(at[0]), float(at[1])))
                if _LEAST_SHARE < (close_up[1] > 127).mean() < _LARGEST_SHARE:
                    return [close_up]
            span = float(rng.beta(3, 2) * 0.75 + 0.22) * side
            centre = side / 2 + rng.normal(0, 0.08, 2) * side
            return [self._placed(rng, cutout, span, (float(centre[0]), float(centre[1])))]
        count = int(rng.integers(2, 5))
        first = self._whole.draw(rng)
        same = rng.random() < 0.5
        span = rng.uniform(0.7, 1.0) * side / np.sqrt(count) * 0.8
        grid = [(0.5, 0.28), (0.5, 0.72)] if count == 2 else [(0.28, 0.28), (0.28, 0.72), (0.72, 0.28), (0.72, 0.72)]
        placed = []
        for row, col in grid[:count]:
            cutout = first if same else self._whole.draw(rng)
            shift = rng.normal(0, 0.03, 2)
            placed.append(self._placed(rng, cutout, span, ((row + shift[0]) * side, (col + shift[1]) * side)))
        return placed

    def _placed(
        self, rng: np.random.Generator, cutout: Labelled, span: float, centre: tuple[float, float]
    ) -> tuple[Image, Image]:
        side = self._side
        height, width = cutout.matte.shape
        scale = span / max(height, width)
        if cutout.touches and ({"T", "B"} <= set(cutout.touches)):
            scale = side * 1.02 / height
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(cutout.image, size, interpolation=method)
        # The cutout's outermost pixels carry the colour of the ground it came from.
        matte = cv2.resize(cutout.matte, size, interpolation=method)
        matte = np.asarray(np.clip((matte.astype(np.float32) - 80) * (255 / 175), 0, 255), np.uint8)
        row, col = centre
        turn = 0.0 if cutout.touches else float(rng.normal(0, 12)) if rng.random() < 0.9 else float(rng.uniform(0, 360))
        if "B" in cutout.touches:
            row = side - size[1] / 2 + 1
        if "T" in cutout.touches:
            row = size[1] / 2 - 1
        if "L" in cutout.touches:
            col = size[0] / 2 - 1
        if "R" in cutout.touches:
            col = side - size[0] / 2 + 1
        matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), turn, 1.0)
        matrix[:, 2] += (col - size[0] / 2, row - size[1] / 2)
        if not cutout.touches and rng.random() < 0.5:
            image, matte = image[:, ::-1], matte[:, ::-1]
        image = cv2.warpAffine(
            np.ascontiguousarray(image), matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        matte = cv2.warpAffine(np.ascontiguousarray(matte), matrix, (side, side), flags=cv2.INTER_LINEAR)
        if rng.random() < 0.15:  # white on white: the product pales
            pale = np.float32(rng.uniform(0.5, 0.9))
            image = np.asarray(image * (1 - pale) + 245 * pale, np.uint8)
        return camera.relight(rng, np.asarray(image, np.uint8)), np.asarray(matte, np.uint8)


def _alike(rng: np.random.Generator, scene: Image, piece: Image, matte: Image) -> Image:
    """The ground in the colour of the product's rim, so that light alone tells one from the other."""
    inside = matte > 200
    rim = inside & (cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0)
    if not rim.any():
        return scene
    shift = piece[rim].mean(axis=0) - scene.reshape(-1, 3).mean(axis=0) + rng.normal(0, 6)
    return np.asarray(np.clip(scene + shift * rng.uniform(0.8, 1.0), 0, 255), np.uint8)


def _bottom(matte: Image) -> tuple[int, int, int, int]:
    """Last row, middle column, width and height of what is there."""
    rows, cols = np.nonzero((matte > 64).any(axis=1))[0], np.nonzero((matte > 64).any(axis=0))[0]
    if len(rows) == 0:
        return matte.shape[0] // 2, matte.shape[1] // 2, 1, 1
    return int(rows[-1]), int(cols[0] + cols[-1]) // 2, int(cols[-1] - cols[0]) + 1, int(rows[-1] - rows[0]) + 1


def _shaded(rng: np.random.Generator, scene: Image, matte: Image) -> Image:
    """The scene under the product's shadows: a cast one, sheared about its foot, and a contact one."""
    side = matte.shape[0]
    foot, middle, width, height = _bottom(matte)
    shade = np.zeros((side, side), np.float32)
    if rng.random() < 0.6:
        shear, squash = rng.uniform(-0.8, 0.8), rng.uniform(0.1, 0.7) * (1 if rng.random() < 0.7 else -0.4)
        matrix = np.array([[1, -shear, shear * foot], [0, squash, foot * (1 - squash)]], np.float32)
        cast = cv2.warpAffine(matte, matrix, (side, side)).astype(np.float32)
        blur = side * rng.uniform(0.003, 0.05)
        shade = np.maximum(shade, cv2.GaussianBlur(cast, (0, 0), blur) * np.float32(rng.uniform(0.15, 0.7)))
    if rng.random() < 0.7:
        contact = np.zeros((side, side), np.float32)
        axes = (max(1, int(width * rng.uniform(0.35, 0.6))), max(1, int(height * rng.uniform(0.02, 0.1))))
        cv2.ellipse(contact, (middle, foot), axes, 0, 0, 360, 255, -1)
        blur = side * rng.uniform(0.004, 0.03)
        shade = np.maximum(shade, cv2.GaussianBlur(contact, (0, 0), blur) * np.float32(rng.uniform(0.3, 0.9)))
    if rng.random() < 0.3:  # the set's light all around
        blur = side * rng.uniform(0.02, 0.06)
        around = cv2.GaussianBlur(matte, (0, 0), blur).astype(np.float32)
        shade = np.maximum(shade, around * np.float32(rng.uniform(0.1, 0.5)))
    return np.asarray(scene * (1 - shade[..., None] / 255), np.uint8)


def _reflect(rng: np.random.Generator, scene: Image, piece: Image, matte: Image) -> None:
    """The product's mirror image on a polished table, fading downwards; it is not the product."""
    side = matte.shape[0]
    foot = _bottom(matte)[0]
    matrix = np.array([[1, 0, 0], [0, -1, 2 * foot]], np.float32)
    mirrored = cv2.warpAffine(piece, matrix, (side, side))
    alpha = cv2.warpAffine(matte, matrix, (side, side)).astype(np.float32)
    fade = np.clip(1 - (np.arange(side) - foot) / (side * rng.uniform(0.1, 0.4)), 0, 1)[:, None]
    alpha = cv2.GaussianBlur(alpha * fade.astype(np.float32), (0, 0), rng.uniform(0.5, 3))
    grounds.paste(scene, mirrored, np.asarray(alpha * rng.uniform(0.1, 0.5), np.uint8), 0, 0)


def _surface(rng: np.random.Generator, side: int, textures: list[Image]) -> Image:
    if rng.random() < 0.5:
        plain = np.empty((side, side, 3), np.float32)
        plain[:] = grounds.colour(rng)
        return np.asarray(np.clip(plain * (1 + 0.1 * grounds.smooth_noise(rng, side, 4)[..., None]), 0, 255), np.uint8)
    return grounds.texture(rng, side, textures)


def _with_support(rng: np.random.Generator, scene: Image, matte: Image, textures: list[Image]) -> Image:
    """A block, tray, cloth or coaster under the product's foot."""
    side = matte.shape[0]
    foot, middle, width, height = _bottom(matte)
    half = int(width * rng.uniform(0.5, 1.0)) + 4
    shape = np.zeros((side, side), np.uint8)
    top = foot - int(height * rng.uniform(0.0, 0.15))
    depth = int(side * rng.uniform(0.03, 0.3))
    kind = rng.integers(3)
    if kind == 0:  # tray or coaster
        cv2.ellipse(shape, (middle, top), (half, max(3, int(half * rng.uniform(0.15, 0.5)))), 0, 0, 360, 255, -1)
    elif kind == 1:  # block
        cv2.rectangle(shape, (middle - half, top), (middle + half, top + depth), 255, -1)
    else:  # cloth or board, seen from above
        box = cv2.boxPoints(((middle, foot), (2.2 * half, depth + half), float(rng.uniform(-30, 30))))
        cv2.fillConvexPoly(shape, box.astype(np.int32), 255)
    shape = np.asarray(cv2.GaussianBlur(shape, (0, 0), 0.7), np.uint8)
    if rng.random() < 0.7:
        scene = _shaded(rng, scene, shape)
    surface = _surface(rng, side, textures)
    if kind == 1:  # its front lies darker than its top
        edge = min(side, top + int(depth * rng.uniform(0, 0.4)))
        surface[edge:] = (surface[edge:] * rng.uniform(0.6, 0.95)).astype(np.uint8)
    grounds.paste(scene, surface, shape, 0, 0)
    return scene


def _occluded(rng: np.random.Generator, scene: Image, matte: Image, textures: list[Image]) -> tuple[Image, Image]:
    """Grass, leaves, straps or a hand's worth of something before the product."""
    side = matte.shape[0]
    foot, middle, width, height = _bottom(matte)
    shape = np.zeros((side, side), np.uint8)
    if rng.random() < 0.6:  # blades from below
        reach = max(4, int(height * rng.uniform(0.05, 0.3)))
        for col in rng.integers(0, side, rng.integers(20, 120)):
            tip = (int(col + rng.normal(0, 8)), int(foot - reach * rng.uniform(0.2, 1.0)))
            cv2.line(shape, (int(col), side), tip, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
        surface = np.empty((side, side, 3), np.float32)
        surface[:] = (rng.uniform(30, 140), rng.uniform(80, 190), rng.uniform(10, 90))
        surface *= 1 + 0.4 * grounds.smooth_noise(rng, side, 40)[..., None]
        front = np.asarray(np.clip(surface, 0, 255), np.uint8)
    else:
        centre = (middle + rng.choice([-1, 1]) * width * 0.5, foot - height * rng.uniform(0, 1))
        size = (side * rng.uniform(0.05, 0.2), side * rng.uniform(0.1, 0.6))
        box = cv2.boxPoints((centre, size, float(rng.uniform(0, 180))))
        cv2.fillConvexPoly(shape, box.astype(np.int32), 255, cv2.LINE_AA)
        front = _surface(rng, side, textures)
    left = np.asarray(matte * (1 - shape.astype(np.float32) / 255), np.uint8)
    if (left > 128).sum() < 0.6 * (matte > 128).sum():  # too little to see would be no product
        return scene, matte
    grounds.paste(scene, front, shape, 0, 0)
    return scene, left
